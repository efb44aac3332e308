import { whenAborted } from '../follow.ts'
import type { Head } from '../log.ts'

/**
 * The durable head, shared between threads. Layout: position (int 64), received (int 64), version (int 32). The
 * version is odd while the other two change; readers wait on it instead of polling.
 */
export type HeadSignal = SharedArrayBuffer

const POSITION = 0
const RECEIVED = 1
const VERSION = 4
const SIZE_BYTES = 24

export function createHeadSignal(): HeadSignal {
  return new SharedArrayBuffer(SIZE_BYTES)
}

/** Only ever called by one thread. */
export function publishHead(signal: HeadSignal, head: Head): void {
  const numbers = new BigInt64Array(signal, 0, 2)
  const version = new Int32Array(signal)
  Atomics.add(version, VERSION, 1)
  Atomics.store(numbers, POSITION, BigInt(head.position))
  Atomics.store(numbers, RECEIVED, BigInt(head.received))
  Atomics.add(version, VERSION, 1)
  Atomics.notify(version, VERSION)
}

export function readHead(signal: HeadSignal): Head {
  const numbers = new BigInt64Array(signal, 0, 2)
  const version = new Int32Array(signal)
  for (;;) {
    const before = Atomics.load(version, VERSION)
    const position = Atomics.load(numbers, POSITION)
    const received = Atomics.load(numbers, RECEIVED)
    if (before % 2 === 0 && Atomics.load(version, VERSION) === before) {
      return { position: Number(position), received: Number(received) }
    }
  }
}

/** Longest wait for one notification (ms): frees what an aborted waiter left behind. */
const WAIT_MS = 60_000

/** Resolves when the head is beyond `position`, or `signal` aborts. Keeps the thread alive meanwhile. */
export async function headBeyond(shared: HeadSignal, position: number, signal: AbortSignal): Promise<void> {
  const version = new Int32Array(shared)
  const aborted = whenAborted(signal)
  // A pending waitAsync doesn't count as work: without a timer the thread would end under the waiter.
  const alive = setInterval(() => {}, WAIT_MS)
  try {
    while (!signal.aborted) {
      const seen = Atomics.load(version, VERSION)
      if (readHead(shared).position > position) return
      const wait = Atomics.waitAsync(version, VERSION, seen, WAIT_MS)
      if (wait.async) await Promise.race([wait.value, aborted.promise])
    }
  } finally {
    clearInterval(alive)
    aborted.stop()
  }
}
