import { candidate as candidateOf, newer, overruledBy, preferred, UNIFORM } from './candidate.ts'
import type { Candidate, Decided, Explanation, Ranking, Rule } from './rule.ts'

/** What a steward decided about one field. */
export interface DecisionWrite {
  readonly field: string
  readonly act: 'locked' | 'unlocked' | 'resolved'
  /** Empty: none was stated, which is neither null (removed) nor ''. */
  readonly value: readonly [] | readonly [unknown]
  readonly by: string
  readonly reason: string | null
  /** Of a lock, ms; null: until it is lifted. */
  readonly expires: number | null
}

/** A field's newest lock or unlocking, and its newest resolution. */
export type FieldDecisions = readonly [
  field: string,
  lock: Candidate<DecisionWrite> | null,
  resolution: Candidate<DecisionWrite> | null,
]

/** `ticked`: latest deadline that the clock has passed (ms), 0: none yet. Fields in code-unit order. */
export type DecisionsState = readonly [ticked: number, fields: readonly FieldDecisions[]]

const NONE: DecisionsState = Object.freeze([0, Object.freeze([])])

/**
 * The decisions about the fields of one record: a semilattice, because per field and kind it keeps the maximum of a
 * total order, and of the clock the latest deadline. It has no value of its own: `standing` says what it does to one.
 */
export function decisions(): Rule<DecisionsState, DecisionWrite, never> {
  return {
    name: 'decisions',
    kind: 'choice',
    initial: NONE,
    write: (state, written) => withFields(state, written[0].field, (before) => decidedBy(before, written)),
    join(a, b) {
      let joined = a
      for (const [field, lock, resolution] of b[1]) {
        joined = withFields(joined, field, (before) => bothOf(before, lock, resolution))
      }
      return ticked(joined, b[0])
    },
    value: () => undefined,
    explain: () => ({ value: undefined, rule: 'decisions', winners: [], overruled: [] }),
  }
}

/** The clock has passed `at` (ms). */
export function ticked(state: DecisionsState, at: number): DecisionsState {
  return at > state[0] ? [at, state[1]] : state
}

/** Asked for after each event: a record with thousands of locks shall not be gone through for each. 0: none. */
const expiries = new WeakMap<DecisionsState, number>()

/** When the next lock expires, ms. */
export function nextExpiry(state: DecisionsState): number | undefined {
  const known = expiries.get(state)
  if (known !== undefined) return known === 0 ? undefined : known
  const [now, fields] = state
  let next: number | undefined
  for (const about of fields) {
    const expires = expiryOf(about)
    if (expires > now && (next === undefined || expires < next)) next = expires
  }
  expiries.set(state, next ?? 0)
  return next
}

/** ms; 0: the field isn't locked, or for ever. */
function expiryOf([, lock]: FieldDecisions): number {
  return (lock?.[0].act === 'locked' ? lock[0].expires : null) ?? 0
}

/** What is known of a state holds of the next one, but for the field that differs. */
function handOnExpiry(
  state: DecisionsState,
  next: DecisionsState,
  before: FieldDecisions,
  after: FieldDecisions,
): void {
  const known = expiries.get(state)
  const [was, is] = [expiryOf(before), expiryOf(after)]
  if (known === undefined || (was !== 0 && was === known && is !== was)) return
  const isSooner = is > next[0] && (known === 0 || is < known)
  expiries.set(next, isSooner ? is : known)
}

export function decisionsOn(state: DecisionsState, field: string): FieldDecisions | undefined {
  const found = state[1][placeOf(state[1], field)]
  return found?.[0] === field ? found : undefined
}

/** Where the field stands, or would: a record may have thousands that something was decided about. */
function placeOf(fields: readonly FieldDecisions[], field: string): number {
  let from = 0
  let to = fields.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if ((fields[middle]?.[0] ?? '') < field) from = middle + 1
    else to = middle
  }
  return from
}

/** The lock in force, if it states a value. */
export function lockIn(
  [now]: DecisionsState,
  [, lock]: FieldDecisions,
): Candidate<DecisionWrite> | undefined {
  if (lock === null || lock[0].act !== 'locked' || lock[0].value.length === 0) return undefined
  return lock[0].expires !== null && lock[0].expires <= now ? undefined : lock
}

/** What a field comes to where a steward has decided something about it. */
export interface Standing {
  readonly winner: Candidate<unknown>
  readonly rule: string
  /** Absent: a write newer than the resolution won. */
  readonly decided?: Decided | undefined
  readonly overruled: readonly Candidate<unknown>[]
}

interface Contest {
  readonly rule: Pick<Rule<unknown, unknown, unknown>, 'name' | 'prefers'>
  /** The field's writes. */
  readonly kept: readonly Candidate<unknown>[]
  readonly ranking: Ranking
  /** A decision's value as the field holds it; undefined: it can't hold it, and the decision changes nothing. */
  read(value: unknown): unknown
}

/**
 * A lock in force beats everything. A resolution beats every write that isn't newer than it, and takes the place of
 * whichever of them the rule preferred: newer writes compete with it by the rule as they would have competed
 * with that one. Of each source the kept writes compete. undefined: the rule alone decides.
 */
export function standing(
  state: DecisionsState,
  about: FieldDecisions,
  contest: Contest,
): Standing | undefined {
  const resolved = valued(about[2], contest)
  const locked = valued(lockIn(state, about) ?? null, contest)
  if (locked !== undefined) return ruledBy(locked, resolved, contest)
  const { prefers } = contest.rule
  if (resolved === undefined || prefers === undefined) return undefined
  const { kept, ranking } = contest
  const older = kept.filter((each) => each[1] <= resolved.write[1])
  const replaced = preferred(older, prefers, ranking)
  const standIn = inPlaceOf(resolved.write, replaced)
  const winner = preferred([standIn, ...kept.filter((each) => each[1] > resolved.write[1])], prefers, ranking)
  if (winner === undefined || winner === standIn) return ruledBy(resolved, undefined, contest)
  const overruled = overruledBy([winner], [...kept, resolved.write], ranking)
  return { winner, rule: contest.rule.name, overruled }
}

interface Valued {
  readonly write: Candidate<unknown>
  readonly decision: DecisionWrite
}

/** The decision as a write of the field; undefined: it states no value that the field can hold. */
function valued(
  decision: Candidate<DecisionWrite> | null,
  { read }: Pick<Contest, 'read'>,
): Valued | undefined {
  if (decision === null || decision[0].value.length === 0) return undefined
  const value = read(decision[0].value[0])
  if (value === undefined) return undefined
  return { write: withValue(decision, value), decision: decision[0] }
}

function ruledBy(
  { write, decision }: Valued,
  other: Valued | undefined,
  { kept, ranking }: Contest,
): Standing {
  const act = decision.act === 'locked' ? 'locked' : 'resolved'
  const decided: Decided = { act, by: decision.by, reason: decision.reason, until: decision.expires }
  const overruled = overruledBy([write], other === undefined ? kept : [...kept, other.write], ranking)
  return { winner: write, rule: act, decided, overruled }
}

export function explanationOf(standing: Standing): Explanation<unknown> {
  const { winner, rule, decided, overruled } = standing
  return {
    value: winner[0],
    rule,
    winners: [winner],
    overruled,
    ...(decided === undefined ? {} : { decided }),
  }
}

/** Ranks as the source of the write that it replaces; where it replaced none, as one that nobody knows. */
function inPlaceOf(write: Candidate<unknown>, replaced: Candidate<unknown> | undefined): Candidate<unknown> {
  const [value, time, , sequence, id, position, basedOn] = write
  return [value, time, replaced?.[2] ?? '', sequence, id, position, basedOn]
}

function withValue(decision: Candidate<unknown>, value: unknown): Candidate<unknown> {
  const [, time, source, sequence, id, position, basedOn] = decision
  return candidateOf({ time, source, sequence, id, position, basedOn }, value)
}

function decidedBy(
  [field, lock, resolution]: FieldDecisions,
  written: Candidate<DecisionWrite>,
): FieldDecisions {
  switch (written[0].act) {
    case 'locked':
    case 'unlocked':
      return [field, newest(lock, written), resolution]
    case 'resolved':
      return [field, lock, newest(resolution, written)]
  }
}

function bothOf(
  [field, lock, resolution]: FieldDecisions,
  otherLock: Candidate<DecisionWrite> | null,
  otherResolution: Candidate<DecisionWrite> | null,
): FieldDecisions {
  return [field, newest(lock, otherLock), newest(resolution, otherResolution)]
}

function newest<V>(a: Candidate<V> | null, b: Candidate<V> | null): Candidate<V> | null {
  if (a === null || b === null) return a ?? b
  return newer(b, a, UNIFORM) > 0 ? b : a
}

/** The state itself where nothing changes. */
function withFields(
  state: DecisionsState,
  field: string,
  change: (before: FieldDecisions) => FieldDecisions,
): DecisionsState {
  const [now, fields] = state
  const at = placeOf(fields, field)
  const known = fields[at]
  const found = known !== undefined && known[0] === field
  const before: FieldDecisions = found ? known : [field, null, null]
  const after = change(before)
  if (after[1] === before[1] && after[2] === before[2]) return state
  // Copied and moved as memory: `with`, `toSpliced` and spreading go element by element, of which there may be thousands.
  const changed = fields.slice()
  changed.splice(at, found ? 1 : 0, after)
  const next: DecisionsState = [now, changed]
  handOnExpiry(state, next, before, after)
  return next
}
