import type { RecordedEvent } from '../events/event.ts'
import type { Head, LogReader, ReadOptions, SubscribeOptions } from '../log/log.ts'

/**
 * A log up to and including `head`, whatever is appended behind it. A subscription ends there, so that a projector folds
 * what there is and is done. `published` are events that were never appended: whoever reads by types gets those of its types
 * behind the last one, as if they had just been published; subscribers, who fold what happened, don't. Closing it leaves
 * the log open.
 */
export function prefixOf(log: LogReader, head: Head, published: readonly RecordedEvent[] = []): LogReader {
  async function* upTo(options: ReadOptions): AsyncGenerator<readonly RecordedEvent[]> {
    if ((options.from ?? 1) > head.position) return
    for await (const batch of log.read(options)) {
      const within = batch.filter(({ position }) => position <= head.position)
      if (within.length > 0) yield within
      if ((batch.at(-1)?.position ?? 0) >= head.position) return
    }
  }
  async function* read(options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    yield* upTo(options)
    const added = options.types === undefined ? [] : published.filter(({ type }) => options.types?.has(type))
    if (added.length > 0) yield added
  }
  return {
    head: () => head,
    read,
    readBackwards: (options = {}) =>
      log.readBackwards({ ...options, from: Math.min(options.from ?? head.position, head.position) }),
    at: async (position) => (position <= head.position ? log.at(position) : undefined),
    subscribe: ({ from, types, signal }: SubscribeOptions) => unlessAborted(upTo({ from, types }), signal),
    close: async () => undefined,
  }
}

async function* unlessAborted<T>(batches: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const batch of batches) {
    if (signal.aborted) return
    yield batch
  }
}
