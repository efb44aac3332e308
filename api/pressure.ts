import { performance } from 'node:perf_hooks'

/** How often the event loop is looked at, ms. */
const LOOK_MS = 100
/** Busier than this share of the time, everything that comes in has to wait. */
const SATURATED = 0.9

/** Whether this thread's event loop is saturated, as other threads can see it. */
export interface Pressure {
  /** One 32-bit word: 1 while it is. */
  readonly shared: SharedArrayBuffer
  close(): void
}

export function watchPressure(): Pressure {
  const shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const word = new Int32Array(shared)
  let before = performance.eventLoopUtilization()
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    Atomics.store(word, 0, utilization > SATURATED ? 1 : 0)
  }, LOOK_MS)
  timer.unref()
  return { shared, close: () => clearInterval(timer) }
}

export function isUnderPressure(shared: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(shared), 0) === 1
}
