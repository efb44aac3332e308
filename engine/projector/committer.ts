import assert from 'node:assert/strict'
import type { Clock } from '../clock.ts'
import { isDiskFull } from '../store/disk-full.ts'
import type { Commit, StoreWriter } from '../store/store.ts'
import { withoutUnstorable } from './storable.ts'

interface Writing {
  readonly commit: Commit
  /** How many states and keys' rows it writes. */
  readonly size: number
  readonly steps: Generator<void, void>
  readonly done: (workMs: number) => void
  workMs: number
}

/** Writes one commit at a time, a slice now and a slice then, so that whoever shares the thread isn't kept waiting. */
export class Committer {
  readonly #store: StoreWriter
  readonly #clock: Clock
  #writing: Writing | undefined
  #written = 0

  constructor(store: StoreWriter, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** States and keys' rows written since the last call. */
  takeWritten(): number {
    const written = this.#written
    this.#written = 0
    return written
  }

  get isWriting(): boolean {
    return this.#writing !== undefined
  }

  /** Membership and evidence are in the store at once. `done` hears how long the work took once all is committed. */
  begin(commit: Commit, size: number, done: (workMs: number) => void): void {
    assert(this.#writing === undefined, 'one commit at a time')
    this.#writing = { commit, size, steps: this.#store.commitInSteps(commit), done, workMs: 0 }
    this.advance(0)
  }

  /** Goes on for about `sliceMs`, one step at least. Throws what the store throws; the commit has then changed nothing. */
  advance(sliceMs: number): void {
    const writing = this.#writing
    if (writing === undefined) return
    const startMs = this.#clock.monotonicMs()
    let spentMs = 0
    let isDone = false
    try {
      do {
        isDone = writing.steps.next().done === true
        spentMs = this.#clock.monotonicMs() - startMs
      } while (!isDone && spentMs < sliceMs)
    } catch (error) {
      this.#commitStorable(writing.commit, error)
      isDone = true
    }
    writing.workMs += spentMs
    if (!isDone) return
    this.#writing = undefined
    this.#written += writing.size
    writing.done(writing.workMs)
  }

  finish(): void {
    this.advance(Number.POSITIVE_INFINITY)
  }

  #commitStorable(commit: Commit, error: unknown): void {
    const storable = isDiskFull(error) ? undefined : withoutUnstorable(commit, this.#store)
    if (storable === undefined) {
      this.#writing = undefined
      throw error
    }
    this.#store.commit(storable)
  }
}
