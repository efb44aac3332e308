import type { LiveAnswer } from '../engine/projector/live-reads.ts'
import type { StoreReader } from '../engine/store/store.ts'
import type { ReadOrder } from './projector-thread.ts'

/** Rows of single keys, as fresh as a reader asks for. */
export interface LiveRows {
  /**
   * What `StoreReader.get` answers, at `after` or later; undefined if that isn't reached within `timeoutMs`. What isn't
   * committed yet comes from the projector's memory. Fails as `StoreReader.get` does.
   */
  get(
    projections: readonly string[],
    key: string,
    after: number,
    timeoutMs: number,
  ): Promise<LiveAnswer | undefined>
}

interface Asking {
  readonly store: Pick<StoreReader, 'get' | 'waitFor'>
  /** What the store holds, as far as is known. */
  committed(): number
  /** Hands a question to the projector; what it answers comes to `answered`. */
  ask(order: ReadOrder): void
}

/** Questions to the projector at once; whoever asks beyond it waits for the commit, as for a list. */
const MAX_ASKED = 10_000

export function createLiveRows({ store, committed, ask }: Asking) {
  const asked = new Map<number, (found: LiveAnswer | undefined) => void>()
  let number = 0

  /** `timed out`, or what the projector answers. */
  async function fromProjector(
    projections: readonly string[],
    key: string,
    after: number,
    withinMs: number,
  ): Promise<LiveAnswer | undefined | 'timed out'> {
    const id = ++number
    const { promise, resolve } = Promise.withResolvers<LiveAnswer | undefined | 'timed out'>()
    const timer = setTimeout(() => resolve('timed out'), withinMs)
    asked.set(id, resolve)
    ask({ kind: 'read', id, projections, key, after, withinMs })
    const found = await promise
    clearTimeout(timer)
    asked.delete(id)
    return found
  }

  const rows: LiveRows = {
    async get(projections, key, after, withinMs) {
      const found =
        after > committed() && asked.size < MAX_ASKED
          ? await fromProjector(projections, key, after, withinMs)
          : undefined
      if (found !== undefined && found !== 'timed out') return found
      // It has just begun or is about to end, or builds one of these: the store will come to hold it.
      const isThere = await store.waitFor(after, found === 'timed out' ? 0 : withinMs)
      return isThere ? store.get(projections, key) : undefined
    },
  }
  return {
    rows,
    answered(id: number, found: LiveAnswer | undefined): void {
      asked.get(id)?.(found)
    },
  }
}
