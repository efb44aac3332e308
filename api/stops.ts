import { setTimeout as sleep } from 'node:timers/promises'

/** Something that runs and can be stopped. */
export type Stop = () => Promise<void>

/** A start goes no further: somebody has asked for its end meanwhile. */
export class GivenUp extends Error {}

/** What a start has begun, to be stopped in reverse order. */
export class Stops {
  readonly #onFailure: (error: unknown) => void
  readonly #stops: Stop[] = []
  readonly #told: (() => void)[] = []
  #isStopping = false

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure
  }

  /** Throws `GivenUp` once all is being stopped, which this then is too: whoever starts things must end there. */
  push(stop: Stop): void {
    this.#stops.push(stop)
    if (this.#isStopping) throw new GivenUp()
  }

  /** Told before anything is stopped. */
  beforehand(tell: () => void): void {
    this.#told.push(tell)
    if (this.#isStopping) tell()
  }

  /**
   * A start that is still under way is waited for, because what it is about to begin must end too; but no longer than
   * `withinMs`: it may wait for something itself, for room on a disk say. Never rejects.
   */
  async run(starting: Promise<unknown>, withinMs: number): Promise<void> {
    this.#isStopping = true
    for (const tell of this.#told) tell()
    await this.#all()
    const settled = starting.catch(() => undefined)
    await Promise.race([settled, sleep(withinMs, undefined, { ref: false })])
    await this.#all()
  }

  /** One that fails (a full disk) must not keep the others from closing. */
  async #all(): Promise<void> {
    for (let stop = this.#stops.pop(); stop !== undefined; stop = this.#stops.pop())
      await stop().catch(this.#onFailure)
  }
}
