import type { RecordedEvent } from '../events/event.ts'
import type { BuildFold } from './build-fold.ts'
import type { DecodedEvent } from './projection.ts'

/** Event types whose folds are remembered: senders may make up any number of types. */
const MAX_ROUTES = 2_000

/** Which folds handle an event. */
export class Routes {
  readonly #folds: readonly BuildFold[]
  readonly #timed: readonly BuildFold[]
  readonly #byType = new Map<string, readonly BuildFold[]>()

  constructor(folds: readonly BuildFold[]) {
    this.#folds = folds
    this.#timed = folds.filter((fold) => fold.isTimed)
  }

  /**
   * Folds an event into all that handle it. `open` is called when the first of them needs more than the envelope. `now`
   * is the clock that deadlines fall due by.
   */
  fold(
    recorded: RecordedEvent,
    open: (event: RecordedEvent) => DecodedEvent,
    now: number = recorded.received,
  ): void {
    let decoded: DecodedEvent | undefined
    for (const fold of this.#timed) fold.tick(now)
    for (const fold of this.#of(recorded.type)) {
      try {
        // Counting by the envelope alone needs no payload, and so no key.
        decoded = fold.projection.handles === 'every' ? decoded : (decoded ?? open(recorded))
      } catch (error) {
        fold.setAside(recorded, error)
        continue
      }
      fold.fold(decoded ?? recorded)
      // A late event may bring a deadline that has passed already.
      if (fold.isTimed) fold.tick(now)
    }
  }

  #of(type: string): readonly BuildFold[] {
    const known = this.#byType.get(type)
    if (known !== undefined) return known
    const folds = this.#folds.filter((fold) => fold.handles(type))
    if (this.#byType.size < MAX_ROUTES) this.#byType.set(type, folds)
    return folds
  }
}
