import { byText, newer, overruledBy } from './candidate.ts'
import { joinNewest, keepNewest } from './keyed.ts'
import type { Candidate, Ranking, Rule } from './rule.ts'

export type SetWrite = { readonly add: string } | { readonly remove: string }

/** The newest write for each (element, source), sorted by element, then source. */
type SetState = readonly Candidate<SetWrite>[]

/**
 * A set of strings: an element is in it if the newest write about the element is an addition. An event that both adds
 * and removes an element removes it. The value is sorted by code units.
 */
export function union(): Rule<SetState, SetWrite, readonly string[]> {
  const initial: SetState = Object.freeze([])
  return {
    name: 'union',
    kind: 'choice',
    initial,
    write: (state, candidate) => keepNewest(state, candidate, byElement),
    join: (a, b) => joinNewest(a, b, byElement),
    value(state, ranking) {
      return state.length === 0 ? undefined : additions(state, ranking).map((each) => elementOf(each[0]))
    },
    explain(state, ranking) {
      const winners = additions(state, ranking)
      const value = state.length === 0 ? undefined : winners.map((each) => elementOf(each[0]))
      return { value, rule: 'union', winners, overruled: overruledBy(winners, state, ranking) }
    },
  }
}

function elementOf(write: SetWrite): string {
  return 'add' in write ? write.add : write.remove
}

function byElement(a: Candidate<SetWrite>, b: Candidate<SetWrite>): number {
  return byText(elementOf(a[0]), elementOf(b[0])) || byText(a[2], b[2])
}

/** For each element in the set the write that put it there. */
function additions(state: SetState, ranking: Ranking): Candidate<SetWrite>[] {
  const winners: Candidate<SetWrite>[] = []
  let best: Candidate<SetWrite> | undefined
  const settle = (): void => {
    if (best !== undefined && 'add' in best[0]) winners.push(best)
  }
  for (const candidate of state) {
    if (best !== undefined && elementOf(best[0]) === elementOf(candidate[0])) {
      if (newer(candidate, best, ranking) > 0) best = candidate
      continue
    }
    settle()
    best = candidate
  }
  settle()
  return winners
}
