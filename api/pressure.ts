import { performance } from 'node:perf_hooks'

/** How often the event loop is looked at, ms. */
const LOOK_MS = 100
/** Busier than this share of the time, everything that comes in has to wait. */
const SATURATED = 0.9
/**
 * … and it works for this share of the time at least. A loop that has something to do but less of a core is kept from it by other
 * processes or by waiting: pauses of folding wouldn't help it, and folding would fall behind beside a thread that is half idle.
 */
const WORKING = 0.65

/** Whether this thread is saturated with its own work, as other threads can see it. */
export interface Pressure {
  /** One 32-bit word: 1 while it is. */
  readonly shared: SharedArrayBuffer
  close(): void
}

/** Since the thread began, ms. */
export interface ThreadLoad {
  /** Its event loop had something to do, or waited for it. */
  readonly active: number
  readonly idle: number
  readonly cpu: number
}

export function watchPressure(load: () => ThreadLoad = ownLoad): Pressure {
  const shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const word = new Int32Array(shared)
  let before = load()
  const timer = setInterval(() => {
    const now = load()
    Atomics.store(word, 0, isSaturated(before, now) ? 1 : 0)
    before = now
  }, LOOK_MS)
  timer.unref()
  return { shared, close: () => clearInterval(timer) }
}

function isSaturated(before: ThreadLoad, now: ThreadLoad): boolean {
  const active = now.active - before.active
  const wall = active + now.idle - before.idle
  return active > SATURATED * wall && now.cpu - before.cpu > WORKING * wall
}

function ownLoad(): ThreadLoad {
  const { active, idle } = performance.eventLoopUtilization()
  const { user, system } = process.threadCpuUsage()
  return { active, idle, cpu: (user + system) / 1_000 }
}

export function isUnderPressure(shared: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(shared), 0) === 1
}
