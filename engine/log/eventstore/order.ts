import type { Batch } from './codec.ts'

/** What makes an event's place in our log. */
export interface Placed {
  readonly position: number
  readonly batch?: Batch | undefined
}

/**
 * Which events of `$all` make up our log, and in which order: a pure function of `$all`.
 *
 * A writer gives its events positions, and sends many at once, so `$all` may hold them in another order. They count in the order
 * of their positions, each when all before it are there. When the next writer opens the log, what is missing by then is missing
 * for ever, atomic appends that aren't whole don't count, and nothing that an earlier writer writes afterwards counts either.
 * What counts behind a gap, and was never acknowledged, moves up: our positions have none.
 */
export class Order<Event extends Placed> {
  #writer: string | undefined
  #next: number
  readonly #pending = new Map<number, Event>()

  constructor(next: number, writer: string | undefined) {
    this.#next = next
    this.#writer = writer
  }

  get next(): number {
    return this.#next
  }

  get writer(): string | undefined {
    return this.#writer
  }

  /** Whether everything that came so far has been settled. */
  get isSettled(): boolean {
    return this.#pending.size === 0
  }

  /** A writer opened the log: the events that this settles, in order and at their places, and those that never count. */
  open(writer: string): { readonly settled: readonly Event[]; readonly dropped: readonly Event[] } {
    this.#writer = writer
    const left = [...this.#pending.values()].sort((a, b) => a.position - b.position)
    const whole = left.filter((event) => this.#isWhole(event))
    const dropped = left.filter((event) => !whole.includes(event))
    this.#pending.clear()
    return { settled: whole.map((event) => ({ ...event, position: this.#next++ })), dropped }
  }

  /** An event: those that it settles, in order. */
  take(writer: string, event: Event): readonly Event[] {
    if (writer !== this.#writer || event.position < this.#next || this.#pending.has(event.position)) return []
    this.#pending.set(event.position, event)
    const settled: Event[] = []
    for (;;) {
      const next = this.#pending.get(this.#next)
      if (next === undefined || !this.#isWhole(next)) return settled
      this.#pending.delete(next.position)
      this.#next = next.position + 1
      settled.push(next)
    }
  }

  #isWhole({ batch }: Event): boolean {
    if (batch === undefined) return true
    for (let position = Math.max(batch.first, this.#next); position <= batch.last; position++) {
      if (!this.#pending.has(position)) return false
    }
    return true
  }
}
