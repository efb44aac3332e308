import assert from 'node:assert/strict'
import { byText, newer, overruledBy } from './candidate.ts'
import { joinNewest, keepNewest, type Places } from './keyed.ts'
import type { Candidate, Ranking, Rule } from './rule.ts'

/** `stage`: reached it. `regress`: set back to it on purpose. */
export type StageWrite = { readonly stage: string } | { readonly regress: string }

/** The newest write for each (step, source), sorted by step, then source. */
type StageState = readonly Candidate<StageWrite>[]

const REGRESS = -2
const UNKNOWN = -1

/**
 * The furthest stage reached since the newest regress, or the stage that the regress names if that is further. A stage
 * that isn't in `stages` comes before all that are; among those the newest counts.
 *
 * A late regress voids stages that were reached before it, so what must be kept is, for every stage, whether it was
 * reached after any instant that a regress may yet name: the newest write of a stage answers that, and for all unknown
 * stages together their newest does. Of the regresses only the newest counts. Both are maxima of a total order,
 * kept for each source because the ranking between sources is known only when the value is read. So the
 * state is a semilattice, of at most (stages + 2) × sources writes.
 */
export function forwardOnly(stages: readonly string[]): Rule<StageState, StageWrite, string> {
  const order = new Map(stages.map((stage, index) => [stage, index]))
  assert(order.size === stages.length, 'a stage is listed once')
  const initial: StageState = Object.freeze([])
  const stepOf = (write: StageWrite): number =>
    'regress' in write ? REGRESS : (order.get(write.stage) ?? UNKNOWN)
  const places: Places<StageWrite> = (a, b) => stepOf(a[0]) - stepOf(b[0]) || byText(a[2], b[2])
  const winnerOf = (state: StageState, ranking: Ranking) => furthest(state, ranking, order)
  return {
    name: 'forwardOnly',
    kind: 'choice',
    initial,
    write: (state, candidate) => keepNewest(state, candidate, places),
    join: (a, b) => joinNewest(a, b, places),
    value(state, ranking) {
      const winner = winnerOf(state, ranking)
      return winner === undefined ? undefined : stageOf(winner[0])
    },
    explain(state, ranking) {
      const winner = winnerOf(state, ranking)
      const winners = winner === undefined ? [] : [winner]
      const value = winner === undefined ? undefined : stageOf(winner[0])
      return { value, rule: 'forwardOnly', winners, overruled: overruledBy(winners, state, ranking) }
    },
  }
}

function stageOf(write: StageWrite): string {
  return 'regress' in write ? write.regress : write.stage
}

function furthest(
  state: StageState,
  ranking: Ranking,
  order: ReadonlyMap<string, number>,
): Candidate<StageWrite> | undefined {
  let regress: Candidate<StageWrite> | undefined
  for (const each of state) {
    if ('regress' in each[0] && (regress === undefined || newer(each, regress, ranking) > 0)) regress = each
  }
  let best = regress
  const distance = (each: Candidate<StageWrite>): number => order.get(stageOf(each[0])) ?? UNKNOWN
  for (const each of state) {
    if ('regress' in each[0]) continue
    if (regress !== undefined && newer(each, regress, ranking) <= 0) continue
    if (best === undefined || (distance(each) - distance(best) || newer(each, best, ranking)) > 0) best = each
  }
  return best
}
