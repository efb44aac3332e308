import { setFlagsFromString } from 'node:v8'

/**
 * How much larger than what a full collection left of it a heap may become before the next one, in percent. V8's own
 * choice is up to 300 on machines with much memory: each megabyte that lives then costs four. With this one a busy engine
 * collects about a quarter more often, and its heaps stay a third smaller.
 */
export const HEAP_GROWTH_FLAG = '--heap-growing-percent=150'

/** For all threads, those included that start later. */
export function boundHeapGrowth(): void {
  setFlagsFromString(HEAP_GROWTH_FLAG)
}
