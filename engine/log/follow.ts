import type { RecordedEvent } from '../events/event.ts'
import type { Head, SubscribeOptions } from './log.ts'

/** Where a subscription hears of new durable events. */
export interface HeadSource {
  head(): Head
  /** Resolves when the head is beyond `position`, or `signal` aborts. */
  beyond(position: number, signal: AbortSignal): Promise<void>
}

/** Reads the durable events from `from` up to and including `until`. */
export type ReadRange = (
  from: number,
  until: number,
  types: ReadonlySet<string> | undefined,
) => AsyncIterable<readonly RecordedEvent[]>

/** Catches up, then goes on live, without a gap or repetition, until `signal` aborts. */
export async function* follow(
  source: HeadSource,
  read: ReadRange,
  options: SubscribeOptions,
): AsyncGenerator<readonly RecordedEvent[]> {
  const { signal } = options
  let next = Math.max(1, options.from ?? 1)
  while (!signal.aborted) {
    const until = source.head().position
    if (until < next) {
      await source.beyond(next - 1, signal)
      continue
    }
    for await (const batch of read(next, until, options.types)) {
      if (signal.aborted) return
      yield batch
    }
    next = until + 1
  }
}

/** A promise that an abort resolves, and how to stop listening. */
export function whenAborted(signal: AbortSignal): { readonly promise: Promise<void>; stop(): void } {
  let listener = (): void => {}
  const promise = new Promise<void>((resolve) => {
    listener = () => resolve()
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', listener, { once: true })
  })
  return { promise, stop: () => signal.removeEventListener('abort', listener) }
}

/** A head that moves within one thread, and those who wait for it. */
export class LocalHead implements HeadSource {
  #head: Head
  readonly #waiting = new Set<() => void>()

  constructor(head: Head) {
    this.#head = head
  }

  head(): Head {
    return this.#head
  }

  move(head: Head): void {
    this.#head = head
    for (const wake of this.#waiting) wake()
  }

  async beyond(position: number, signal: AbortSignal): Promise<void> {
    const aborted = whenAborted(signal)
    try {
      while (this.#head.position <= position && !signal.aborted) {
        const moved = Promise.withResolvers<void>()
        this.#waiting.add(moved.resolve)
        await Promise.race([moved.promise, aborted.promise])
        this.#waiting.delete(moved.resolve)
      }
    } finally {
      aborted.stop()
    }
  }
}
