import assert from 'node:assert/strict'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { LogDamaged } from '../log/log.ts'
import { workerUrl } from '../worker-url.ts'
import { BUNDLED_BYTES, ENTRY_BYTES, HASH_BYTES } from './format.ts'
import type { AuditLog } from './log-source.ts'

/** What the events of some positions come to. */
export interface HashedRange {
  /** As a bundle has them. */
  readonly entries: Uint8Array
  readonly leafHashes: Uint8Array
  /** Position of the last event; 0 for none. */
  readonly position: number
  /** Where reading ended before its time. */
  readonly damage: LogDamaged | undefined
}

export interface RangeOrder {
  readonly from: number
  readonly until: number
}

/** A `HashedRange` on its way between threads. */
export interface RangeAnswer {
  readonly entries: ArrayBuffer
  readonly leafHashes: ArrayBuffer
  readonly events: number
  readonly position: number
  readonly damaged: boolean
}

/** Positions hashed at once: many times those of a block, since one that is cut is read twice. */
const RANGE_POSITIONS = 50_000
const MOST_WORKERS = 4

/** Hashes the events at the positions from `from` to `until`. */
export function hashRange(log: AuditLog, { from, until }: RangeOrder): HashedRange {
  const room = until - from + 1
  const entries = Buffer.from(new ArrayBuffer(BUNDLED_BYTES * room))
  const leafHashes = Buffer.allocUnsafeSlow(HASH_BYTES * room)
  let events = 0
  let position = 0
  const done = (damage: LogDamaged | undefined): HashedRange => ({
    entries: entries.subarray(0, events * BUNDLED_BYTES),
    leafHashes: leafHashes.subarray(0, events * HASH_BYTES),
    position,
    damage,
  })
  try {
    for (const block of log.blocks(from)) {
      if (block.first > until) break
      log.visitBlock(block, from, until, (entry, leaf) => {
        const at = events * BUNDLED_BYTES
        entries[at + 1] = ENTRY_BYTES
        entries.set(entry, at + 2)
        leafHashes.set(leaf, events * HASH_BYTES)
        events += 1
      })
      position = Math.min(block.last, until)
    }
    return done(undefined)
  } catch (error) {
    if (!(error instanceof LogDamaged)) throw error
    return done(error)
  }
}

/** The whole log in order, hashed on all processors where there is enough of it. Ends behind damage. */
export async function* hashedRanges(
  log: AuditLog,
  logDirectory: string,
  {
    alone,
    positions = RANGE_POSITIONS,
  }: { readonly alone: boolean; readonly positions?: number | undefined },
): AsyncGenerator<HashedRange> {
  const { head } = log
  const ranges = Math.ceil(head / positions)
  const workers = alone ? 0 : Math.min(MOST_WORKERS, availableParallelism(), ranges - 1)
  const orders = Array.from({ length: ranges }, (_, i) => ({
    from: i * positions + 1,
    until: Math.min(head, (i + 1) * positions),
  }))
  const hashed = workers < 2 ? onThisThread(log, orders) : onThreads(log, logDirectory, orders, workers)
  for await (const range of hashed) {
    yield range
    if (range.damage !== undefined) return
  }
}

async function* onThisThread(log: AuditLog, orders: readonly RangeOrder[]): AsyncGenerator<HashedRange> {
  for (const order of orders) {
    yield hashRange(log, order)
    await setImmediate()
  }
}

async function* onThreads(
  log: AuditLog,
  logDirectory: string,
  orders: readonly RangeOrder[],
  count: number,
): AsyncGenerator<HashedRange> {
  const url = workerUrl('range-worker', import.meta.url)
  const workers = Array.from(
    { length: count },
    () => new Worker(url, { workerData: logDirectory, name: 'audit-check' }),
  )
  try {
    const ask = (index: number): Promise<RangeAnswer> | undefined => {
      const [order, worker] = [orders[index], workers[index % count]]
      if (order === undefined || worker === undefined) return undefined
      const answered = once(worker, 'message')
      worker.postMessage(order)
      return answered.then(([answer]) => answer as RangeAnswer)
    }
    // Each worker has one range under way: the next is ordered when the one before was taken.
    const underWay = workers.map((_, index) => ask(index))
    for (const promise of underWay) promise?.catch(() => undefined)
    for (const [index, order] of orders.entries()) {
      const answer = await underWay[index % count]
      assert.ok(answer !== undefined, 'every range was ordered')
      const next = ask(index + count)
      next?.catch(() => undefined)
      underWay[index % count] = next
      // What is wrong loses its class between threads: it is looked at here.
      yield answer.damaged ? hashRange(log, order) : toRange(answer)
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

function toRange({ entries, leafHashes, events, position }: RangeAnswer): HashedRange {
  return {
    entries: new Uint8Array(entries, 0, events * BUNDLED_BYTES),
    leafHashes: new Uint8Array(leafHashes, 0, events * HASH_BYTES),
    position,
    damage: undefined,
  }
}
