import { setTimeout as sleep } from 'node:timers/promises'
import type { Delivery } from './noise.ts'
import type { Fate, Sender } from './sender.ts'

export interface DeliverOptions {
  readonly sender: Sender
  readonly batchEvents: number
  /** Batches under way at once. */
  readonly inFlight: number
  /** Aborted: no further attempt begins. */
  readonly signal: AbortSignal
  /** Told of every event once, when it is acknowledged. */
  readonly onAcknowledged: (delivery: Delivery, fate: Fate) => void
}

const PAUSE_MS = 200

/**
 * Sends everything, several batches at a time and each again until it is acknowledged: an engine that is away is waited
 * for. Resolves when all is settled or the signal aborts.
 */
export async function deliver(deliveries: readonly Delivery[], options: DeliverOptions): Promise<void> {
  const { batchEvents, inFlight, signal } = options
  let next = 0
  const work = async (): Promise<void> => {
    while (next < deliveries.length && !signal.aborted) {
      const batch = deliveries.slice(next, next + batchEvents)
      next += batch.length
      await settle(batch, options)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, work))
}

/** One batch, until every event of it is acknowledged. */
export async function settle(
  batch: readonly Delivery[],
  options: Pick<DeliverOptions, 'sender' | 'signal' | 'onAcknowledged'>,
): Promise<void> {
  let left = batch
  while (left.length > 0 && !options.signal.aborted) {
    left = await attempt(left, options)
    if (left.length > 0) await sleep(PAUSE_MS, undefined, { signal: options.signal }).catch(() => undefined)
  }
}

/** What is to be sent again. */
async function attempt(
  batch: readonly Delivery[],
  { sender, onAcknowledged }: Pick<DeliverOptions, 'sender' | 'onAcknowledged'>,
): Promise<readonly Delivery[]> {
  let fates: readonly Fate[]
  try {
    fates = await sender.send(batch)
  } catch {
    return batch
  }
  return batch.filter((delivery, index) => {
    const fate = fates[index]
    if (fate === undefined || fate.status === 'refused') return true
    onAcknowledged(delivery, fate)
    return false
  })
}
