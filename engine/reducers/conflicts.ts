import type { Kept } from './choice.ts'
import { type DecisionsState, type DecisionWrite, decisionsOn, lockIn, type Standing } from './decisions.ts'
import type { Candidate, Ranking, Rule } from './rule.ts'

/**
 * Where sources contradict each other about a field. Each source's newest write is what it claims. Two claims of
 * different values by different sources conflict when neither had seen the other: a write has seen what stands up to its
 * `basedOn`; where that says nothing, two writes no further apart in time than the field's window count as unseen. The
 * rule decides at once all the same; this only tells stewards where it had to.
 */
export interface FieldConflict {
  readonly status: 'open' | 'review' | 'resolved'
  /** Claims that contradict another one, newest first; of a resolved conflict all that the field keeps. */
  readonly candidates: readonly Candidate<unknown>[]
  /** When the first contradiction arose, or when it was decided; ms. */
  readonly since: number
  /** The steward who resolved it. */
  readonly decidedBy: string | null
}

interface Field {
  readonly name: string
  readonly rule: Pick<Rule<unknown, unknown, unknown>, 'name' | 'prefers'>
  readonly kept: Kept<unknown>
  readonly windowMs: number
  /** A decision's value as the field holds it; undefined: the field can't hold it, and the decision settles nothing. */
  read(value: unknown): unknown
}

/** undefined: nobody contradicts anybody, and nothing was decided. */
export function conflictOf(
  { name, rule, kept, windowMs, read }: Field,
  decisions: DecisionsState | undefined,
): FieldConflict | undefined {
  const about = decisions === undefined ? undefined : decisionsOn(decisions, name)
  const resolution = readable(about?.[2] ?? null, read)
  const inForce = decisions === undefined || about === undefined ? undefined : lockIn(decisions, about)
  const lock = readable(inForce ?? null, read)
  const claims = claimsOf(kept)
  const settled = lock ?? resolution
  const unseenMs = rule.name === 'review' ? Number.POSITIVE_INFINITY : windowMs
  const live =
    settled === null
      ? claims
      : lock === null
        ? [...claims.filter((each) => each[1] > settled.write[1]), ...settled.claim]
        : []
  const open = contradicting(live, unseenMs)
  if (open.candidates.length > 0) {
    return { status: rule.name === 'review' ? 'review' : 'open', ...open, decidedBy: null }
  }
  if (settled === null || (resolution === null && contradicting(claims, unseenMs).candidates.length === 0)) {
    return undefined
  }
  const candidates = [...kept].sort((a, b) => b[1] - a[1])
  return { status: 'resolved', candidates, since: settled.write[1], decidedBy: settled.write[0].by }
}

/** Each source's newest write; `kept` has a source's writes beside each other, the newest last. */
function claimsOf(kept: Kept<unknown>): readonly Candidate<unknown>[] {
  return kept.filter((each, i) => kept[i + 1]?.[2] !== each[2])
}

/** A decision that settles something. */
interface Settled {
  readonly write: Candidate<DecisionWrite>
  /** Its value, if it states one, as a claim of the steward's. */
  readonly claim: readonly Candidate<unknown>[]
}

function readable(decided: Candidate<DecisionWrite> | null, read: Field['read']): Settled | null {
  if (decided === null) return null
  const [{ value }, time, source, sequence, id, position, basedOn] = decided
  if (value.length === 0) return { write: decided, claim: [] }
  const held = read(value[0])
  return held === undefined
    ? null
    : { write: decided, claim: [[held, time, source, sequence, id, position, basedOn]] }
}

function contradicting(
  claims: readonly Candidate<unknown>[],
  windowMs: number,
): Pick<FieldConflict, 'candidates' | 'since'> {
  const found = new Set<Candidate<unknown>>()
  let since = Number.POSITIVE_INFINITY
  const texts = claims.map((each) => JSON.stringify(each[0]))
  for (const [i, a] of claims.entries()) {
    for (let j = i + 1; j < claims.length; j++) {
      const b = claims[j]
      if (b === undefined || texts[i] === texts[j] || !areConcurrent(a, b, windowMs)) continue
      found.add(a).add(b)
      since = Math.min(since, Math.max(a[1], b[1]))
    }
  }
  return { candidates: [...found].sort((a, b) => b[1] - a[1]), since }
}

/** Neither had seen the other. */
export function areConcurrent(a: Candidate<unknown>, b: Candidate<unknown>, windowMs: number): boolean {
  const [earlier, later] = a[5] <= b[5] ? [a, b] : [b, a]
  // Only the later of two in the log can have seen the other.
  if (later[6] > 0) return later[6] < earlier[5]
  return Math.abs(a[1] - b[1]) <= windowMs
}

/** What the field's value follows from, as a conflict shows it. */
export function winnerOf(
  { rule, kept }: Pick<Field, 'rule' | 'kept'>,
  standing: Standing | undefined,
  ranking: Ranking,
): { readonly winner: Candidate<unknown> | undefined; readonly rule: string } {
  if (standing !== undefined) return { winner: standing.winner, rule: standing.rule }
  let winner: Candidate<unknown> | undefined
  for (const each of kept) {
    if (winner === undefined || (rule.prefers?.(each, winner, ranking) ?? 0) > 0) winner = each
  }
  return { winner, rule: rule.name }
}
