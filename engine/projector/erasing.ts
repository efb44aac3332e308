import { setTimeout as sleep } from 'node:timers/promises'
import type { LogReader } from '../log/log.ts'
import type { StoreWriter } from '../store/store.ts'

/** Keys were destroyed: what events under them left in the read models is to vanish. */
export interface Erasing {
  /** Of every event up to now that has a part under such a key; others may be among them. */
  readonly positions: readonly number[]
  /** Called once nothing of them is in the read models; never, if the projector ends before. */
  readonly done: (erased: Erased) => void
}

export interface Erased {
  /** States that were folded anew. */
  readonly keys: number
  /** Where the read models stand. */
  readonly position: number
  /** False: a reader was in the way of overwriting freed space for too long; to be asked for again. */
  readonly purged: boolean
}

/** Erasures that wait to be carried out between two batches of events. */
export class Erasings {
  #waiting: Erasing[] = []
  #interrupt = (): void => undefined

  add(erasing: Erasing): void {
    this.#waiting.push(erasing)
    this.#interrupt()
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  take(): readonly Erasing[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }

  /** Not by a race: each one would be remembered by a promise that an erasure settles, and those are rare. */
  orArriving<T>(arriving: Promise<T>): Promise<T | 'erasing'> {
    if (this.#waiting.length > 0) return Promise.resolve('erasing')
    const { promise, resolve, reject } = Promise.withResolvers<T | 'erasing'>()
    this.#interrupt = () => resolve('erasing')
    arriving.then(resolve, reject)
    return promise
  }
}

/** In the order of the log. */
export function positionsOf(erasings: readonly Erasing[]): readonly number[] {
  return [...new Set(erasings.flatMap(({ positions }) => positions))].sort((a, b) => a - b)
}

/** How often a reader in the way is waited for, and how long each time. */
const MOST_PURGES = 50
const PURGE_AGAIN_MS = 100

export async function purge(store: Pick<StoreWriter, 'purge'>, signal: AbortSignal): Promise<boolean> {
  for (let tries = 0; tries < MOST_PURGES && !signal.aborted; tries++) {
    if (store.purge()) return true
    await sleep(PURGE_AGAIN_MS)
  }
  return false
}

/** Whether any of these events is of such a type. */
export async function anyOfTypes(
  log: Pick<LogReader, 'at'>,
  positions: readonly number[],
  types: ReadonlySet<string>,
): Promise<boolean> {
  for (const position of positions) {
    const recorded = await log.at(position)
    if (recorded !== undefined && types.has(recorded.type)) return true
  }
  return false
}
