import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../engine/clock.ts'
import type { OutgoingEvent } from './mapper.ts'
import type { EventResult, Sender } from './sender.ts'

/** The events of one row, and where it stands. */
interface RowEvents {
  readonly row: number
  readonly line: number
  readonly events: readonly OutgoingEvent[]
}

/** Why events could not be delivered. What was not acknowledged before may or may not be in the log. */
export interface DeliveryFailure {
  readonly _tag: 'Unreachable' | 'Rejected' | 'Interrupted'
  readonly why: string
}

export interface DeliveryLimits {
  /** Events of a batch; a row's events stay together, so that one row may exceed it. Default 500. */
  readonly batchEvents: number
  /** Bytes of a batch. Default 512 KiB. */
  readonly batchBytes: number
  /** Batches under way at once. Default 4. */
  readonly inFlight: number
  /** How long an engine may be away, at a stretch. Default 10 minutes. */
  readonly retryForMs: number
  /** First and longest pause before trying again. Default 100 ms and 5 s. */
  readonly minPauseMs: number
  readonly maxPauseMs: number
}

export const DEFAULT_LIMITS: DeliveryLimits = {
  batchEvents: 500,
  batchBytes: 512 * 1024,
  inFlight: 4,
  retryForMs: 600_000,
  minPauseMs: 100,
  maxPauseMs: 5_000,
}

export interface SettledEvent {
  readonly row: number
  readonly line: number
  readonly id: string
  readonly result: EventResult
}

interface DeliveryOptions {
  readonly sender: Sender
  readonly limits: DeliveryLimits
  readonly clock: Clock
  /** Aborted: no further attempt begins. */
  readonly signal?: AbortSignal | undefined
  /** Every event up to this row is settled, in order of rows; the events settled since the last call. */
  readonly onAcknowledged: (throughRow: number, settled: readonly SettledEvent[]) => void
  /** The engine is away or busy; undefined: it answers again. */
  readonly onWaiting?: ((why: string | undefined) => void) | undefined
}

/**
 * Sends rows' events in batches, several at a time, and again until they are acknowledged. At least once: a batch whose
 * answer was lost is sent again, and the engine knows its events by their ids.
 */
export interface Delivery {
  /** Resolves when there is room for more; false once delivery has failed and nothing more is taken. */
  offer(row: RowEvents): Promise<boolean>
  /** Resolves when everything offered is settled, or with the failure. */
  finish(): Promise<DeliveryFailure | undefined>
}

interface PendingEvent {
  readonly row: number
  readonly line: number
  readonly event: OutgoingEvent
}

interface Batch {
  readonly events: PendingEvent[]
  sizeBytes: number
  throughRow: number
  readonly settled: SettledEvent[]
  done: boolean
}

/** The engine says "not now": the same event will be taken later. */
const PASSING_REFUSALS: ReadonlySet<string> = new Set(['overloaded', 'clock_jumped', 'read_only', 'stopped'])

export function createDelivery(options: DeliveryOptions): Delivery {
  const { limits } = options
  assert(limits.batchEvents > 0 && limits.batchBytes > 0 && limits.inFlight > 0, 'limits are positive')
  const underWay: Batch[] = []
  const running = new Set<Promise<void>>()
  const attempts = createAttempts(options)
  let batch = newBatch()

  const acknowledge = (): void => {
    while (underWay[0]?.done) {
      const first = underWay.shift()
      if (first !== undefined) options.onAcknowledged(first.throughRow, first.settled)
    }
  }
  const launch = async (): Promise<void> => {
    if (batch.throughRow === 0) return
    const launched = batch
    batch = newBatch()
    underWay.push(launched)
    const task = attempts.deliver(launched, launched.events).then((delivered) => {
      launched.done = delivered
      running.delete(task)
      acknowledge()
    })
    running.add(task)
    while (running.size >= limits.inFlight) await Promise.race(running)
  }

  return {
    offer: async (row) => {
      if (attempts.failure() !== undefined) return false
      const sizeBytes = row.events.reduce((sum, event) => sum + Buffer.byteLength(event.json) + 1, 0)
      const full =
        batch.events.length + row.events.length > limits.batchEvents ||
        batch.sizeBytes + sizeBytes > limits.batchBytes
      if (full && batch.events.length > 0) await launch()
      for (const event of row.events) batch.events.push({ row: row.row, line: row.line, event })
      batch.sizeBytes += sizeBytes
      batch.throughRow = row.row
      return attempts.failure() === undefined
    },
    finish: async () => {
      if (attempts.failure() === undefined) await launch()
      await Promise.all(running)
      return attempts.failure()
    },
  }
}

function newBatch(): Batch {
  return { events: [], sizeBytes: 0, throughRow: 0, settled: [], done: false }
}

interface Attempts {
  /** True when every event is settled; false when delivery has failed. */
  deliver(batch: Batch, events: readonly PendingEvent[]): Promise<boolean>
  failure(): DeliveryFailure | undefined
}

/** Trying and trying again. Trouble is counted from the last answer that any batch got. */
function createAttempts(options: DeliveryOptions): Attempts {
  const { sender, limits, clock, signal } = options
  let failure: DeliveryFailure | undefined
  let troubleSinceMs: number | undefined

  const fail = (tag: DeliveryFailure['_tag'], why: string): false => {
    failure ??= { _tag: tag, why }
    return false
  }
  const recovered = (): void => {
    if (troubleSinceMs !== undefined) options.onWaiting?.(undefined)
    troubleSinceMs = undefined
  }
  const pause = async (attempt: number, why: string, retryAfterMs: number | undefined): Promise<boolean> => {
    troubleSinceMs ??= clock.monotonicMs()
    const waitedMs = clock.monotonicMs() - troubleSinceMs
    if (waitedMs >= limits.retryForMs) {
      return fail(
        'Unreachable',
        `${sender.target} didn't take events for ${Math.round(waitedMs / 1000)} s: ${why}`,
      )
    }
    options.onWaiting?.(why)
    const backoffMs = Math.min(limits.minPauseMs * 2 ** Math.min(attempt, 20), limits.maxPauseMs)
    // Spread out, so that batches that failed together don't come back together.
    const pauseMs = Math.max(retryAfterMs ?? 0, backoffMs / 2 + randomInt(Math.ceil(backoffMs / 2) + 1))
    await sleep(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined)
    return true
  }

  const deliver = async (batch: Batch, events: readonly PendingEvent[]): Promise<boolean> => {
    let remaining = events
    for (let attempt = 0; remaining.length > 0; attempt++) {
      if (failure !== undefined) return false
      if (signal?.aborted) return fail('Interrupted', 'interrupted')
      const outcome = await sender.send(remaining.map(({ event }) => event))
      switch (outcome._tag) {
        case 'Sent': {
          const left = settle(batch, remaining, outcome.results)
          if (left.events.length < remaining.length) {
            attempt = 0
            recovered()
          }
          remaining = left.events
          if (remaining.length > 0 && !(await pause(attempt, left.why, undefined))) return false
          break
        }
        case 'Unavailable':
          if (!(await pause(attempt, outcome.why, outcome.retryAfterMs))) return false
          break
        case 'TooLarge': {
          if (remaining.length === 1) {
            settle(batch, remaining, [{ status: 'refused', reason: 'too_large', message: outcome.why }])
            return true
          }
          const half = Math.ceil(remaining.length / 2)
          return (
            (await deliver(batch, remaining.slice(0, half))) && (await deliver(batch, remaining.slice(half)))
          )
        }
        case 'Rejected':
          return fail('Rejected', `${sender.target}: ${outcome.why}`)
      }
    }
    return true
  }

  return { deliver, failure: () => failure }
}

/** Notes what is final; what is left is to be sent again. */
function settle(
  batch: Batch,
  events: readonly PendingEvent[],
  results: readonly EventResult[],
): { readonly events: readonly PendingEvent[]; readonly why: string } {
  assert(events.length === results.length, 'a sender answers for every event')
  const left: PendingEvent[] = []
  let why = ''
  for (const [i, pending] of events.entries()) {
    const result = results[i]
    assert(result !== undefined)
    if (result.status === 'refused' && PASSING_REFUSALS.has(result.reason ?? '')) {
      left.push(pending)
      why = `${result.reason}: ${result.message ?? ''}`
    } else batch.settled.push({ row: pending.row, line: pending.line, id: pending.event.id, result })
  }
  return { events: left, why }
}
