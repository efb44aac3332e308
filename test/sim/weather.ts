import type { Timeline } from './timeline.ts'

/** What the world around the engine is like just now. */
export class Weather {
  readonly #timeline: Timeline
  #fullUntilMs = 0
  #pressureUntilMs = 0

  constructor(timeline: Timeline) {
    this.#timeline = timeline
  }

  /** The log's disk has no room for so long. */
  fill(forMs: number): void {
    this.#fullUntilMs = this.#timeline.monotonicMs() + forMs
  }

  /** Other work goes first for so long. */
  press(forMs: number): void {
    this.#pressureUntilMs = this.#timeline.monotonicMs() + forMs
  }

  readonly isFull = (): boolean => this.#timeline.monotonicMs() < this.#fullUntilMs
  readonly isUnderPressure = (): boolean => this.#timeline.monotonicMs() < this.#pressureUntilMs
}
