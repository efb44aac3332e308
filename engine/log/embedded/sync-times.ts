import type { Clock } from '../../clock.ts'
import type { Files, LogFile } from './files.ts'

/**
 * What the writing thread's disk has done, shared between threads, so that telling costs no message. Layout, all int 64:
 * bytes written, sum of the fsyncs' times (ns), then how many fsyncs fell into each bucket of `SYNC_BOUNDS_S` and, last,
 * how many took longer.
 */
export type SyncTimes = SharedArrayBuffer

/** Inclusive upper bounds in seconds: from a disk with a cache of its own to one that hangs. */
export const SYNC_BOUNDS_S = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
] as const

const WRITTEN = 0
const SUM_NS = 1
const BUCKETS = 2

export function createSyncTimes(): SyncTimes {
  return new SharedArrayBuffer((BUCKETS + SYNC_BOUNDS_S.length + 1) * 8)
}

export interface SyncCounts {
  readonly writtenBytes: number
  readonly sumSeconds: number
  /** One more than `SYNC_BOUNDS_S` has; not cumulative. */
  readonly counts: readonly number[]
}

export function readSyncTimes(times: SyncTimes): SyncCounts {
  const numbers = new BigInt64Array(times)
  const read = (at: number): number => Number(Atomics.load(numbers, at))
  return {
    writtenBytes: read(WRITTEN),
    sumSeconds: read(SUM_NS) / 1e9,
    counts: Array.from({ length: SYNC_BOUNDS_S.length + 1 }, (_, bucket) => read(BUCKETS + bucket)),
  }
}

/** The same disk, every write and fsync of which is counted. One thread's. */
export function countedFiles(files: Files, clock: Clock, times: SyncTimes): Files {
  const numbers = new BigInt64Array(times)
  const counted = (file: LogFile): LogFile => ({
    ...file,
    write(bytes, offset) {
      const written = file.write(bytes, offset)
      Atomics.add(numbers, WRITTEN, BigInt(written))
      return written
    },
    sync() {
      const startMs = clock.monotonicMs()
      file.sync()
      noteSync(numbers, (clock.monotonicMs() - startMs) / 1000)
    },
  })
  return {
    ...files,
    openWrite: (path) => counted(files.openWrite(path)),
    create: (path) => counted(files.create(path)),
  }
}

function noteSync(numbers: BigInt64Array, seconds: number): void {
  const found = SYNC_BOUNDS_S.findIndex((bound) => seconds <= bound)
  Atomics.add(numbers, BUCKETS + (found < 0 ? SYNC_BOUNDS_S.length : found), 1n)
  Atomics.add(numbers, SUM_NS, BigInt(Math.round(seconds * 1e9)))
}
