import { setImmediate } from 'node:timers/promises'
import type { RecordedEvent } from '../events/event.ts'
import type { LogReader } from '../log/log.ts'
import type { StoreWriter } from '../store/store.ts'
import type { IdentityFold } from './identity-fold.ts'
import { markOf } from './mark.ts'

/** Events in one commit. */
const COMMIT_EVENTS = 50_000

interface History {
  readonly log: LogReader
  readonly store: StoreWriter
  /** The first position that wasn't settled. */
  readonly from: number
  /** The last one to be settled. */
  readonly head: number
  readonly signal: AbortSignal
}

/**
 * Settles who belongs together by the log up to `head`, and by its envelopes alone, before any build serves: builds can then be
 * folded in one pass, with every profile's members known. Answers the last event that is settled and committed.
 */
export async function settleHistory(
  identity: IdentityFold,
  { log, store, from, head, signal }: History,
): Promise<RecordedEvent | undefined> {
  let last: RecordedEvent | undefined
  let received = 0
  let unsettled = 0
  const commit = (): void => {
    if (last === undefined || unsettled === 0) return
    identity.settle()
    const at = { position: last.position, received, mark: markOf(last) }
    store.commit({ builds: [], ...at, writes: [], poison: [], ...identity.takeChanges() })
    unsettled = 0
  }
  for await (const batch of log.read({ from })) {
    for (const recorded of batch) {
      if (recorded.position > head) break
      identity.take(recorded)
      received = recorded.received
      last = recorded
      unsettled += 1
    }
    if (signal.aborted || (last?.position ?? 0) >= head) break
    if (unsettled < COMMIT_EVENTS) continue
    commit()
    await setImmediate()
  }
  commit()
  return last
}
