import type { IdentityId } from '../../engine/events/identity.ts'
import { evidenceOf } from '../../engine/identity/evidence.ts'
import type { Evidence } from '../../engine/identity/identity.ts'
import type { LogReader } from '../../engine/log/log.ts'

/** What stewards have decided about pairs: nobody is asked a second time. */

const DECISIONS: ReadonlySet<string> = new Set([
  'identity.linked',
  'identity.cut',
  'identity.cut_lifted',
  'identity.kept_apart',
])

/** Identity → those with whom it was linked, cut or kept apart; both ways round. */
export type Decided = ReadonlyMap<IdentityId, ReadonlySet<IdentityId>>

/** Whether something was decided about any identity of one with any of the other. */
export function isDecided(
  decided: Decided,
  one: readonly IdentityId[],
  other: readonly IdentityId[],
): boolean {
  if (decided.size === 0) return false
  return one.some((id) => {
    const partners = decided.get(id)
    return partners !== undefined && other.some((each) => partners.has(each))
  })
}

type Standing = Pick<Evidence, 'kind' | 'time' | 'eventId'>

/** Reads the log's decisions, each call on from where the last one ended. Of a pair the newest counts; a lift asks again. */
export function readVerdicts(log: Pick<LogReader, 'head' | 'read'>): () => Promise<Decided> {
  const newest = new Map<string, Standing>()
  const decided = new Map<IdentityId, Set<IdentityId>>()
  let from = 1
  let reading: Promise<void> = Promise.resolve()
  const readOn = async (): Promise<void> => {
    const head = log.head().position
    if (head < from) return
    for await (const batch of log.read({ from, types: DECISIONS }))
      for (const event of batch) for (const piece of evidenceOf(event)) note(newest, decided, piece)
    from = head + 1
  }
  return async () => {
    // One after the other: two readers would race for `from`.
    reading = reading.then(readOn, readOn)
    await reading
    return decided
  }
}

function note(
  newest: Map<string, Standing>,
  decided: Map<IdentityId, Set<IdentityId>>,
  { kind, a, b, time, eventId }: Evidence,
): void {
  const pair = a < b ? `${a} ${b}` : `${b} ${a}`
  const known = newest.get(pair)
  if (known !== undefined && !isNewer({ kind, time, eventId }, known)) return
  newest.set(pair, { kind, time, eventId })
  for (const [one, other] of [[a, b] as const, [b, a] as const]) {
    if (kind === 'cut_lifted') decided.get(one)?.delete(other)
    else decided.set(one, (decided.get(one) ?? new Set()).add(other))
  }
}

function isNewer(one: Standing, other: Standing): boolean {
  return one.time === other.time ? one.eventId >= other.eventId : one.time > other.time
}
