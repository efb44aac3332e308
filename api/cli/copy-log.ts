import { createHash, type Hash } from 'node:crypto'
import * as E from 'fp-ts/lib/Either.js'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { exactFields } from '../../engine/log/eventstore/exact-json.ts'
import type { LogSnapshot } from '../../engine/log/eventstore/snapshot.ts'
import type { Appended, Log, LogFailure } from '../../engine/log/log.ts'
import { toPlain } from '../../engine/log/recorded.ts'

export type CopyResult =
  /** `copied`: by this run. Digests are SHA-256 of all canonical events, each read from its log. */
  | {
      readonly _tag: 'Done'
      readonly copied: number
      readonly position: number
      readonly source: string
      readonly target: string
    }
  /** The target has something else at this position than the source. */
  | { readonly _tag: 'Differs'; readonly position: number }
  /** The event would get another position, though others may name it by its own. Nothing of it was appended. */
  | { readonly _tag: 'Gap'; readonly position: number; readonly instead: number }
  | { readonly _tag: 'Refused'; readonly position: number; readonly failure: LogFailure }
  | { readonly _tag: 'Interrupted'; readonly position: number }

export interface CopyOptions {
  readonly source: LogSnapshot
  readonly target: Log
  readonly signal: AbortSignal
  readonly onProgress: (step: 'comparing' | 'copying' | 'verifying', position: number, head: number) => void
}

const BATCH_EVENTS = 500
const BATCH_BYTES = 4 * 1024 * 1024

/**
 * Makes the target equal to the source, position by position. What the target has already is compared first: it is how far an
 * interrupted copy got, and no other mark is needed.
 */
export async function copyLog(options: CopyOptions): Promise<CopyResult> {
  const { source, target, signal, onProgress } = options
  const head = source.head().position
  const begun = target.head().position
  const digest = createHash('sha256')
  const compared = await compare(options, digest)
  if (compared !== undefined) return compared
  let copied = 0
  for await (const events of batchesOf(source, begun + 1)) {
    const last = events.at(-1)?.position ?? begun
    if (signal.aborted) return { _tag: 'Interrupted', position: target.head().position }
    const failed = await append(target, events)
    if (failed !== undefined) return failed
    for (const event of events) digest.update(canonical(event))
    copied += events.length
    onProgress('copying', last, head)
  }
  const stored = createHash('sha256')
  for await (const batch of target.read()) {
    if (signal.aborted) return { _tag: 'Interrupted', position: target.head().position }
    for (const event of batch) stored.update(canonical(event))
    onProgress('verifying', batch.at(-1)?.position ?? 0, head)
  }
  const digests = { source: digest.digest('hex'), target: stored.digest('hex') }
  return { _tag: 'Done', copied, position: target.head().position, ...digests }
}

/** What the target has already with the same of the source, which goes into the digest. */
async function compare(
  { source, target, signal, onProgress }: CopyOptions,
  digest: Hash,
): Promise<CopyResult | undefined> {
  const until = target.head().position
  const theirs = eventsOf(target)
  for await (const ours of eventsOf(source)) {
    if (ours.position > until) break
    if (signal.aborted) return { _tag: 'Interrupted', position: until }
    const same = await theirs.next()
    const text = canonical(ours)
    if (same.done === true || canonical(same.value) !== text)
      return { _tag: 'Differs', position: ours.position }
    digest.update(text)
    onProgress('comparing', ours.position, until)
  }
  const more = await theirs.next()
  return more.done === true ? undefined : { _tag: 'Differs', position: more.value.position }
}

async function* eventsOf(log: LogSnapshot): AsyncGenerator<RecordedEvent, undefined> {
  for await (const batch of log.read()) yield* batch
  return undefined
}

async function* batchesOf(source: LogSnapshot, from: number): AsyncGenerator<readonly RecordedEvent[]> {
  let batch: RecordedEvent[] = []
  let sizeBytes = 0
  for await (const events of source.read({ from })) {
    for (const event of events) {
      batch.push(event)
      sizeBytes += canonical(event).length
      if (batch.length < BATCH_EVENTS && sizeBytes < BATCH_BYTES) continue
      yield batch
      batch = []
      sizeBytes = 0
    }
  }
  if (batch.length > 0) yield batch
}

/** Up to the first event that would get another position. */
async function append(target: Log, events: readonly RecordedEvent[]): Promise<CopyResult | undefined> {
  const first = target.head().position + 1
  const gap = events.find(({ position }, i) => position !== first + i)
  const before = gap === undefined ? events : events.slice(0, events.indexOf(gap))
  // Whole or not at all: of what a killed copy leaves half done in an EventStoreDB, the rest would move up to places of others.
  const results = await target.append(
    before.map((event) => ({ event: newEventOf(event) })),
    { atomic: true },
  )
  for (const [i, event] of before.entries()) {
    const failed = failureOf(event, results[i])
    if (failed !== undefined) return failed
  }
  if (gap === undefined) return undefined
  return { _tag: 'Gap', position: gap.position, instead: first + before.length }
}

function failureOf(
  { position }: RecordedEvent,
  result: E.Either<LogFailure, Appended> | undefined,
): CopyResult | undefined {
  if (result === undefined) return { _tag: 'Differs', position }
  if (E.isLeft(result)) return { _tag: 'Refused', position, failure: result.left }
  const instead = result.right.position
  return instead === position ? undefined : { _tag: 'Gap', position, instead }
}

function newEventOf(event: RecordedEvent) {
  const { position: _, revision: __, ...rest } = toPlain(event)
  return rest
}

/** One line of JSON: the event as its log gives it, place included, keys in order. */
export function canonical(event: RecordedEvent): string {
  return `${JSON.stringify(sorted(exactFields({ ...toPlain(event) })))}\n`
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]))
}
