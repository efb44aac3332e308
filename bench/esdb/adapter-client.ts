import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type EventStoreDBClient, type JSONEventData, jsonEvent } from '@eventstore/db-client'
import * as E from 'fp-ts/lib/Either.js'
import { systemClock } from '../../engine/clock.ts'
import type { NewEvent } from '../../engine/events/event.ts'
import { encode, FORMAT } from '../../engine/log/eventstore/codec.ts'
import { openEventStoreLog } from '../../engine/log/eventstore/event-store-log.ts'
import { connectionOf } from '../../engine/log/eventstore.ts'
import type { Log } from '../../engine/log/log.ts'
import { collectGarbage } from '../log/garbage.ts'
import type { Rate } from './client-work.ts'
import { eventOf } from './events.ts'
import type { AdapterWork } from './orders.ts'

/** The same appends through the log that lies in a server, and through the client alone. */

/** Streams of the log begin with it, so that it takes no notice of what the client alone writes. */
const PREFIX = 'log-'
const WRITER = '8c3b9a5e-2b0f-4a3f-9a5e-6f1d2c3b4a59'

let made = 0
let received = systemClock.nowMs()
let opened: Promise<Log> | undefined
const revisions = new Map<string, bigint>()

export async function bareRate(client: EventStoreDBClient, work: AdapterWork): Promise<Rate> {
  const batches = batchesOf(work).map(({ stream, events }) => ({
    stream,
    events: events.map((event) => sentOf(event, ++made)),
  }))
  return rateOf(batches, work, async ({ stream, events }) => {
    const expectedRevision = revisions.get(stream) ?? 'no_stream'
    const { nextExpectedRevision } = await client.appendToStream(stream, [...events], { expectedRevision })
    revisions.set(stream, nextExpectedRevision)
  })
}

export async function adapterRate(
  client: EventStoreDBClient,
  work: AdapterWork,
  directory: string,
): Promise<Rate> {
  opened ??= open(client, directory)
  const log = await opened
  const batches = batchesOf(work).map(({ stream, events }) => ({
    stream,
    events: events.map((event) => ({ event })),
  }))
  return rateOf(batches, work, async ({ events }) => {
    const results = await log.append(events)
    assert.ok(results.every(E.isRight), 'the log takes every event')
  })
}

async function open(client: EventStoreDBClient, directory: string): Promise<Log> {
  const log = await openEventStoreLog(connectionOf(client, PREFIX), {
    indexPath: join(directory, 'log-index.sqlite'),
    clock: systemClock,
  })
  if (E.isLeft(log)) throw new Error(JSON.stringify(log.left))
  return log.right
}

interface Batch<Item> {
  readonly stream: string
  readonly events: readonly Item[]
}

/** Round the streams, in turn. */
function batchesOf({ appends, batch, streams }: AdapterWork): readonly Batch<NewEvent>[] {
  received++
  return Array.from({ length: appends }, (_, n) => {
    const stream = `thing-${n % streams}`
    return {
      stream,
      events: Array.from({ length: batch }, (__, k) => eventOf(stream, n * batch + k, received)),
    }
  })
}

/** What the log would send. */
function sentOf(event: NewEvent, position: number): JSONEventData {
  const { envelope } = encode(event)
  const metadata = { ...envelope, headwater: FORMAT, writer: WRITER, position }
  return jsonEvent({ id: event.id, type: event.type, data: event.data, metadata })
}

/** One append at a time to each stream. */
async function rateOf<Item>(
  batches: readonly Batch<Item>[],
  { streams }: AdapterWork,
  append: (batch: Batch<Item>) => Promise<void>,
): Promise<Rate> {
  collectGarbage()
  let events = 0
  const startMs = systemClock.monotonicMs()
  const send = async (_: unknown, lane: number): Promise<void> => {
    for (let n = lane; n < batches.length; n += streams) {
      const batch = batches[n]
      if (batch === undefined) return
      await append(batch)
      events += batch.events.length
    }
  }
  await Promise.all(Array.from({ length: streams }, send))
  return { events, ms: systemClock.monotonicMs() - startMs }
}
