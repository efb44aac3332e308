import { rankingOf } from './candidate.ts'
import type { Kept } from './choice.ts'
import { max, min } from './extreme.ts'
import { first, latest, review } from './latest.ts'
import { mostRestrictive } from './most-restrictive.ts'
import { ranked, rankedUnlessBlank } from './ranked.ts'
import type { Rule } from './rule.ts'

/** Rules that pick one of a field's writes, by the names under which a workspace may choose them. */
export const CHOICE_RULES = [
  'latest',
  'first',
  'ranked',
  'rankedUnlessBlank',
  'min',
  'max',
  'mostRestrictive',
  'review',
] as const

export type ChoiceRule = (typeof CHOICE_RULES)[number]

interface Chosen {
  readonly rule: ChoiceRule
  /** Of `ranked` and `rankedUnlessBlank`: most trusted first; absent: as the sources are registered. */
  readonly sources?: readonly string[] | undefined
  /** Of `mostRestrictive`: most restrictive first. */
  readonly values?: readonly (string | boolean)[] | undefined
}

/** The rule of that name. All have states of one shape, and take any scalar. */
export function ruleNamed({ rule, sources, values }: Chosen): Rule<Kept<unknown>, unknown> {
  const own = sources === undefined ? undefined : rankingOf(sources)
  switch (rule) {
    case 'latest':
      return latest<unknown>()
    case 'first':
      return first<unknown>()
    case 'ranked':
      return ordered(ranked<unknown>(own), sources)
    case 'rankedUnlessBlank':
      return ordered(rankedUnlessBlank<unknown>(own), sources)
    case 'min':
      return min<number | string>()
    case 'max':
      return max<number | string>()
    case 'mostRestrictive':
      return mostRestrictive<string | boolean>(values ?? [])
    case 'review':
      return review<unknown>()
  }
}

/** Explains by which order of its own it chose. */
function ordered(
  rule: Rule<Kept<unknown>, unknown>,
  sources: readonly string[] | undefined,
): Rule<Kept<unknown>, unknown> {
  if (sources === undefined) return rule
  return { ...rule, explain: (state, ranking) => ({ ...rule.explain(state, ranking), sources }) }
}
