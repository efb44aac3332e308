import { type EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import { systemClock } from '../../engine/clock.ts'
import { collectGarbage } from '../log/garbage.ts'
import { dataOf, EVENT_TYPE } from './events.ts'
import type { Flood, Order } from './orders.ts'

/** What the official client does in each part of the bench. */

export interface Rate {
  readonly events: number
  readonly ms: number
}

const STREAMS = 1_000
let made = 0

/** Counts from the first that is handed in until the last one is answered. */
export async function appendRate(
  client: EventStoreDBClient,
  { inFlight, batch, forMs }: Extract<Order, { kind: 'append' }>,
): Promise<Rate> {
  collectGarbage()
  let events = 0
  const startMs = systemClock.monotonicMs()
  const send = async (): Promise<void> => {
    while (systemClock.monotonicMs() - startMs < forMs) {
      const proposed = Array.from({ length: batch }, () =>
        jsonEvent({ type: EVENT_TYPE, data: dataOf(made++) }),
      )
      await client.appendToStream(`bench-${made % STREAMS}`, proposed)
      events += batch
    }
  }
  await Promise.all(Array.from({ length: inFlight }, send))
  return { events, ms: systemClock.monotonicMs() - startMs }
}

export async function readRate(client: EventStoreDBClient, maxCount: number): Promise<Rate> {
  collectGarbage()
  let events = 0
  const startMs = systemClock.monotonicMs()
  for await (const { event } of client.readAll({ maxCount })) if (event !== undefined) events++
  return { events, ms: systemClock.monotonicMs() - startMs }
}

/** All at once; then each event that was answered is looked for in `$all`. */
export async function flood(client: EventStoreDBClient, appends: number): Promise<Flood> {
  const category = `flood${made}`
  const before = await client.appendToStream(
    `${category}-0`,
    jsonEvent({ type: EVENT_TYPE, data: dataOf(made++) }),
  )
  const events = Array.from({ length: appends }, () => jsonEvent({ type: EVENT_TYPE, data: dataOf(made++) }))
  const failed: Record<string, number> = {}
  const answered = new Set<string>()
  collectGarbage()
  const startMs = systemClock.monotonicMs()
  await Promise.all(
    events.map((event, k) =>
      client.appendToStream(`${category}-${k % STREAMS}`, event).then(
        () => answered.add(event.id),
        (error: unknown) => {
          const message = error instanceof Error ? error.message : String(error)
          failed[message] = (failed[message] ?? 0) + 1
        },
      ),
    ),
  )
  const ms = systemClock.monotonicMs() - startMs
  return { answered: answered.size, ms, failed, ...(await storedOf(client, before.position, answered)) }
}

async function storedOf(
  client: EventStoreDBClient,
  fromPosition: { readonly commit: bigint; readonly prepare: bigint } | undefined,
  answered: ReadonlySet<string>,
): Promise<Pick<Flood, 'stored' | 'distinct'>> {
  const distinct = new Set<string>()
  let stored = 0
  for await (const { event } of client.readAll({ fromPosition: fromPosition ?? 'start' })) {
    if (event === undefined || !answered.has(event.id)) continue
    stored++
    distinct.add(event.id)
  }
  return { stored, distinct: distinct.size }
}
