import { ErasureHeldUp } from '../../api/erasure/held-up.ts'
import type { Disk } from './disk.ts'
import type { Life } from './life.ts'
import type { Process } from './process.ts'
import type { Timeline } from './timeline.ts'

const AGAIN_MS = 300

/** People who ask to be forgotten, one at a time. */
export class Forgetting {
  readonly #disk: Disk
  readonly #timeline: Timeline
  readonly #onDone: (identity: string) => void
  /** From when it is asked for until it is done, over the ends of processes. */
  isUnderWay = false
  /** How many have begun. */
  begun = 0

  constructor(disk: Disk, timeline: Timeline, onDone: (identity: string) => void) {
    this.#disk = disk
    this.#timeline = timeline
    this.#onDone = onDone
  }

  async ask(
    life: Life,
    process: Process,
    asked: { readonly namespace: string; readonly value: string; readonly number: number },
  ): Promise<void> {
    const identity = life.keyStore.find(asked.namespace, asked.value)
    if (this.isUnderWay || identity === undefined) return
    await this.#carryOut(life, process, identity, `n-${asked.number}`)
  }

  /** Before anything is served what was cut off is completed, then what hadn't begun. */
  async resume(life: Life, process: Process, onServing: () => void): Promise<void> {
    await process.awaited(life.resume())
    this.isUnderWay = false
    onServing()
    for (const { identity, number } of this.#disk.erasures.open())
      await this.#carryOut(life, process, identity, number)
  }

  async #carryOut(life: Life, process: Process, identity: string, number: string): Promise<void> {
    this.isUnderWay = true
    this.begun += 1
    for (let done = false; !done; ) {
      try {
        await process.awaited(life.erase(identity, number))
        done = true
      } catch (error) {
        // The clock isn't trusted, or the disk is full.
        if (!(error instanceof ErasureHeldUp)) throw error
        await process.awaited(this.#timeline.sleep(AGAIN_MS))
      }
    }
    this.isUnderWay = false
    this.#onDone(identity)
  }
}
