import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import { BoundedCache } from '../../engine/bounded-cache.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { evidenceOf } from '../../engine/identity/evidence.ts'
import type { Evidence, IdentityRules } from '../../engine/identity/identity.ts'
import { partition } from '../../engine/identity/partition.ts'
import type { Log, StreamReadOptions } from '../../engine/log/log.ts'
import { counts, type Moment } from '../../engine/projector/asof.ts'

/** How much history one answer may read. */
export interface HistoryLimits {
  readonly events: number
  readonly identities: number
}

export const HISTORY_LIMITS: HistoryLimits = { events: 20_000, identities: 1_000 }

/** Events of one identity from which on the index is asked how many there are before more are read. */
const WORTH_COUNTING = 1_000
/** Identities that are remembered to have too much history. */
const MAX_CROWDED = 10_000

/** More events or identities hang together than one answer reads. */
export interface TooMuchHistory {
  readonly _tag: 'TooMuchHistory'
  readonly what: keyof HistoryLimits
  readonly limit: number
}

/** A profile at a moment. */
export interface PastProfile {
  /** The least of `members`. */
  readonly id: IdentityId
  /** Sorted. */
  readonly members: readonly IdentityId[]
  /** Those that name a member, in log order; none: nobody was known yet. */
  readonly events: readonly RecordedEvent[]
}

/** Everything that hangs together by links, whether they were followed or not. */
export interface Region {
  /** By position. */
  readonly events: ReadonlyMap<number, RecordedEvent>
  readonly evidence: readonly Evidence[]
}

/**
 * Who belonged together at a moment, from the log's index alone: evidence is followed from one identity to the next
 * until nothing more hangs on it, and partitioned as the projector does.
 */
export async function profileAt(
  log: Pick<Log, 'readIdentity'>,
  identity: IdentityId,
  moment: Moment,
  options: { readonly rules: IdentityRules; readonly limits: HistoryLimits },
): Promise<Either<TooMuchHistory, PastProfile>> {
  const { limits, rules } = options
  const region = await regionAt(log, [identity], moment, limits)
  if (E.isLeft(region)) return region
  const { events, evidence } = region.right
  const profile = partition(evidence, rules).profiles.find(({ members }) => members.includes(identity))
  const members = profile?.members ?? [identity]
  return E.right({ id: members[0] ?? identity, members, events: eventsNaming(members, events.values()) })
}

type Crowded = BoundedCache<IdentityId, { readonly position: number; readonly failure: TooMuchHistory }>
/** Who had too much history, and from which position on: whatever hangs together only grows along a log. */
const crowdedIn = new WeakMap<Pick<Log, 'readIdentity'>, Crowded>()

/** What hangs together with these identities at a moment. */
export async function regionAt(
  log: Pick<Log, 'readIdentity'>,
  identities: readonly IdentityId[],
  moment: Moment,
  limits: HistoryLimits,
): Promise<Either<TooMuchHistory, Region>> {
  const crowded: Crowded = crowdedIn.get(log) ?? new BoundedCache(MAX_CROWDED)
  const [first = ''] = identities
  const known = moment.by === 'received' ? crowded.get(first) : undefined
  if (
    known !== undefined &&
    known.position <= moment.position &&
    known.failure.limit === limits[known.failure.what]
  )
    return E.left(known.failure)
  const found = await readRegion(log, identities, moment, limits)
  if (E.isLeft(found) && moment.by === 'received') {
    crowded.set(first, { position: moment.position, failure: found.left })
    crowdedIn.set(log, crowded)
  }
  return found
}

async function readRegion(
  log: Pick<Log, 'readIdentity'>,
  identities: readonly IdentityId[],
  moment: Moment,
  limits: HistoryLimits,
): Promise<Either<TooMuchHistory, Region>> {
  const region = new Set(identities)
  const events = new Map<number, RecordedEvent>()
  const evidence: Evidence[] = []
  // The set grows while it is walked: it ends up as the whole component of evidence.
  for (const id of region) {
    let read = 0
    for await (const event of eventsOf(log, id, moment, { skip: (at) => events.has(at) })) {
      read += 1
      if (read === WORTH_COUNTING && (await hasMoreThan(limits.events, log, id, moment)))
        return tooMuch('events', limits)
      if (events.has(event.position)) continue
      if (events.size >= limits.events) return tooMuch('events', limits)
      events.set(event.position, event)
      const pieces = evidenceOf(event)
      evidence.push(...pieces)
      // An event's links are a star: the first round may reach its centre, the second then reaches all of it.
      for (const each of [...pieces, ...pieces]) {
        if (each.kind === 'link' && (region.has(each.a) || region.has(each.b))) region.add(each.a).add(each.b)
      }
      if (region.size > limits.identities) return tooMuch('identities', limits)
    }
  }
  return E.right({ events, evidence })
}

/** Events that name an identity and count at a moment, in log order. */
export async function eventsNamingOne(
  log: Pick<Log, 'readIdentity'>,
  id: IdentityId,
  moment: Moment,
  limits: HistoryLimits,
): Promise<Either<TooMuchHistory, readonly RecordedEvent[]>> {
  const events: RecordedEvent[] = []
  for await (const event of eventsOf(log, id, moment)) {
    if (events.length >= limits.events) return tooMuch('events', limits)
    events.push(event)
    const isWorthCounting = events.length === WORTH_COUNTING
    if (isWorthCounting && (await hasMoreThan(limits.events, log, id, moment)))
      return tooMuch('events', limits)
  }
  return E.right(events)
}

/** True if the log holds more events of an identity up to there. Asks the index; no event is read where the log has one. */
async function hasMoreThan(
  limit: number,
  log: Pick<Log, 'readIdentity'>,
  id: IdentityId,
  { position }: Moment,
): Promise<boolean> {
  let count = 0
  const skip = (at: number) => {
    if (at <= position) count += 1
    return true
  }
  for await (const batch of log.readIdentity(id, { skip })) {
    count += batch.filter((event) => event.position <= position).length
    if (count > limit) return true
  }
  return count > limit
}

/** Those that name one of these, in log order. */
export function eventsNaming(
  members: readonly IdentityId[],
  events: Iterable<RecordedEvent>,
): readonly RecordedEvent[] {
  const own = new Set(members)
  const named = [...events].filter((event) => event.identities.some(({ id }) => own.has(id)))
  return named.sort((a, b) => a.position - b.position)
}

/** Events that name an identity and count at a moment, in log order. */
export async function* eventsOf(
  log: Pick<Log, 'readIdentity'>,
  id: IdentityId,
  moment: Moment,
  options: Pick<StreamReadOptions, 'limit' | 'skip'> = {},
): AsyncGenerator<RecordedEvent> {
  // What came later is among what needn't be read.
  const skip = (at: number) => at > moment.position || options.skip?.(at) === true
  for await (const batch of log.readIdentity(id, { limit: options.limit, skip })) {
    for (const event of batch) {
      if (event.position > moment.position) return
      if (counts(moment, event)) yield event
    }
  }
}

function tooMuch(what: keyof HistoryLimits, limits: HistoryLimits): Either<TooMuchHistory, never> {
  return E.left({ _tag: 'TooMuchHistory', what, limit: limits[what] })
}
