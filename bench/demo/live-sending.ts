import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../engine/clock.ts'
import type { DeliverOptions } from '../simulator/deliver.ts'
import { settle } from '../simulator/deliver.ts'
import { createLive } from '../simulator/live.ts'
import { createRandom } from '../simulator/random.ts'
import type { Year } from '../simulator/year.ts'

interface LiveOptions extends Pick<DeliverOptions, 'sender' | 'signal' | 'onAcknowledged'> {
  readonly year: Year
  readonly seed: number
  /** Events a second. */
  readonly rate: number
  readonly clock: Clock
}

const TICK_MS = 250
/** Batches that may wait for an answer; further ticks are left out then. */
const MOST_UNDER_WAY = 8

/** Sends what happens now, a few events four times a second, until the signal aborts; through deaths of the engine too. */
export async function sendLive({ year, seed, rate, clock, ...sending }: LiveOptions): Promise<void> {
  const started = clock.nowMs()
  const live = createLive(year.people, createRandom(`${seed}/live`), started.toString(36))
  const begun = clock.monotonicMs()
  let made = 0
  const underWay = new Set<Promise<void>>()
  while (!sending.signal.aborted) {
    await sleep(TICK_MS, undefined, { signal: sending.signal }).catch(() => undefined)
    const due = Math.floor(((clock.monotonicMs() - begun) / 1000) * rate)
    const count = Math.min(due - made, rate)
    made = due
    if (count <= 0 || underWay.size >= MOST_UNDER_WAY) continue
    const batch = Array.from({ length: count }, () => live.next(clock.nowMs()))
    const task = settle(batch, sending).finally(() => underWay.delete(task))
    underWay.add(task)
  }
  await Promise.all(underWay)
}
