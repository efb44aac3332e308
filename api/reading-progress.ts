import type { Clock } from '../engine/clock.ts'
import type { RecordedEvent } from '../engine/events/event.ts'
import type { LogReader, ReadOptions } from '../engine/log/log.ts'

const TELL_EVERY_MS = 500

/**
 * The same log, telling now and then how far whoever reads it in order has got (position): read models that are folded from
 * its beginning have no checkpoint to go by until they are done. It may be read more than once for them.
 */
export function tellingReads(log: LogReader, clock: Clock, tell: (position: number) => void): LogReader {
  let toldMs = Number.NEGATIVE_INFINITY
  async function* read(options?: ReadOptions): AsyncGenerator<readonly RecordedEvent[]> {
    for await (const batch of log.read(options)) {
      const nowMs = clock.monotonicMs()
      const last = batch.at(-1)
      if (last !== undefined && nowMs - toldMs >= TELL_EVERY_MS) {
        toldMs = nowMs
        tell(last.position)
      }
      yield batch
    }
  }
  return {
    read,
    head: () => log.head(),
    readBackwards: (options) => log.readBackwards(options),
    at: (position) => log.at(position),
    subscribe: (options) => log.subscribe(options),
    close: () => log.close(),
  }
}
