import { candidate, preferred, roomFor, type Written } from './candidate.ts'
import {
  type DecisionsState,
  type DecisionWrite,
  decisions,
  decisionsOn,
  explanationOf,
  nextExpiry,
  type Standing,
  standing,
  ticked,
} from './decisions.ts'
import { type FieldStates, type Fields, type FieldWrites, fields, type Rules } from './fields.ts'
import type { Candidate, Ranking } from './rule.ts'

/** How decisions are read: a decision's value as the field holds it; undefined: the field can't hold it. */
export type ReadDecision = (field: string, value: unknown) => unknown

type Governing<R extends Rules> = { readonly decisions: ReturnType<typeof decisions> } & R
export type GovernedState<R extends Rules> = FieldStates<Governing<R>>
export type GovernedWrites<R extends Rules> = FieldWrites<R>

/**
 * A record of fields, each under a rule of its own, over which a steward may decide. What was decided stands beside the
 * fields' states, as one more of them; so a record that nobody decided anything about costs no more than its fields.
 */
export interface Governed<R extends Rules> {
  readonly rules: R
  readonly kind: 'choice' | 'counting'
  readonly initial: GovernedState<R>
  get: Fields<Governing<R>>['get']
  writeAll(state: GovernedState<R>, event: Written, writes: GovernedWrites<R>): GovernedState<R>
  join(a: GovernedState<R>, b: GovernedState<R>): GovernedState<R>
  values(state: GovernedState<R>, ranking: Ranking): ReturnType<Fields<R>['values']>
  explain(state: GovernedState<R>, ranking: Ranking): ReturnType<Fields<R>['explain']>
  /** The write that a field's value is taken from, by rule or by decision; of a field whose rule prefers one write. */
  chosen(state: GovernedState<R>, name: keyof R & string, ranking: Ranking): Candidate<unknown> | undefined
  decide(state: GovernedState<R>, event: Written, decision: DecisionWrite): GovernedState<R>
  decisions(state: GovernedState<R>): DecisionsState | undefined
  /** What decisions make of a field that isn't among the rules but may be decided, such as one of a map. */
  standingOf(
    state: GovernedState<R>,
    field: string,
    kept: readonly Candidate<unknown>[],
    rule: Parameters<typeof standing>[2]['rule'],
    ranking: Ranking,
  ): Standing | undefined
  /** When a lock expires next, ms. */
  due(state: GovernedState<R>): number | undefined
  tick(state: GovernedState<R>, at: number): GovernedState<R>
}

const NAME = 'decisions'

export function governed<R extends Rules>(rules: R, read: ReadDecision): Governed<R> {
  const own = decisions()
  // First, so that a field may be declared after the last one.
  const all = fields<Governing<R>>({ decisions: own, ...rules })
  const decidedIn = (state: GovernedState<R>): DecisionsState | undefined =>
    (state[0] ?? undefined) as DecisionsState | undefined
  const keptOf = (state: GovernedState<R>, name: string): readonly Candidate<unknown>[] => {
    const kept: unknown = Object.hasOwn(rules, name) ? all.get(state, name) : undefined
    return Array.isArray(kept) ? kept : []
  }
  const standingOf: Governed<R>['standingOf'] = (state, field, kept, rule, ranking) => {
    const decided = decidedIn(state)
    const about = decided === undefined ? undefined : decisionsOn(decided, field)
    if (decided === undefined || about === undefined) return undefined
    return standing(decided, about, { rule, kept, ranking, read: (value) => read(field, value) })
  }
  /** Only where there are decisions. */
  const overlay = (
    state: GovernedState<R>,
    ranking: Ranking,
    into: Readonly<Record<string, unknown>>,
    show: (found: Standing) => unknown,
  ): Record<string, unknown> => {
    const shown: Record<string, unknown> = { ...into }
    delete shown[NAME]
    for (const [field] of decidedIn(state)?.[1] ?? []) {
      const rule = Object.hasOwn(rules, field) ? rules[field] : undefined
      if (rule === undefined) continue
      const found = standingOf(state, field, keptOf(state, field), rule, ranking)
      if (found !== undefined) shown[field] = show(found)
    }
    return shown
  }
  const withDecided = (state: GovernedState<R>, decided: DecisionsState): GovernedState<R> => {
    if (decided === (state[0] ?? own.initial)) return state
    const next = roomFor<unknown>(state.length)
    for (let i = 1; i < state.length; i++) next[i] = state[i]
    next[0] = decided
    return next
  }

  return {
    rules,
    kind: all.kind,
    initial: all.initial,
    get: all.get,
    writeAll: (state, event, writes) => all.writeAll(state, event, writes as FieldWrites<Governing<R>>),
    join: all.join,
    values(state, ranking) {
      const values = all.values(state, ranking)
      if (decidedIn(state) === undefined) return values as ReturnType<Fields<R>['values']>
      return overlay(state, ranking, values, ({ winner }) => winner[0]) as ReturnType<Fields<R>['values']>
    },
    explain(state, ranking) {
      const explained = all.explain(state, ranking)
      if (decidedIn(state) === undefined) return explained as ReturnType<Fields<R>['explain']>
      return overlay(state, ranking, explained, explanationOf) as ReturnType<Fields<R>['explain']>
    },
    chosen(state, name, ranking) {
      const rule = rules[name]
      if (rule === undefined) return undefined
      const found = standingOf(state, name, keptOf(state, name), rule, ranking)
      if (found !== undefined) return found.winner
      const kept = all.get(state, name)
      if (kept === undefined) return undefined
      return rule.prefers === undefined
        ? rule.explain(kept, ranking).winners[0]
        : preferred(keptOf(state, name), rule.prefers, ranking)
    },
    decide: (state, event, decision) =>
      withDecided(state, own.write(decidedIn(state) ?? own.initial, candidate(event, decision))),
    decisions: decidedIn,
    standingOf,
    due(state) {
      const decided = decidedIn(state)
      return decided === undefined ? undefined : nextExpiry(decided)
    },
    tick: (state, at) => withDecided(state, ticked(decidedIn(state) ?? own.initial, at)),
  }
}
