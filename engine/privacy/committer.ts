import { KeyStoreError } from './failure.ts'
import type { KeyOperation, KeyWriter } from './key-tables.ts'
import type { Overlay, Queued } from './overlay.ts'

/**
 * Group commit: operations pile up while one transaction is being written, and go together in the next. After a
 * failure other than a full disk it refuses everything.
 */
export class Committer {
  readonly #writer: KeyWriter
  readonly #overlay: Overlay
  #queue: Queued[] = []
  #order = 0
  #underWay: Promise<boolean> | undefined
  #next: Promise<boolean> | undefined
  #failure: KeyStoreError | undefined

  constructor(writer: KeyWriter, overlay: Overlay) {
    this.#writer = writer
    this.#overlay = overlay
  }

  /** Why nothing can be written any more. */
  get failure(): KeyStoreError | undefined {
    return this.#failure
  }

  push(operation: KeyOperation): void {
    this.#order += 1
    const queued = { operation, order: this.#order }
    this.#overlay.apply(queued)
    this.#queue.push(queued)
  }

  /** Resolves when everything pushed so far is durable; false where traces of destroyed rows remain for now. */
  commit(): Promise<boolean> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#queue.length === 0) return this.#underWay ?? Promise.resolve(true)
    this.#next ??= this.#after(this.#underWay)
    return this.#next
  }

  close(): Promise<void> {
    return this.#writer.close()
  }

  /** One transaction at a time: whether this one may be written depends on how the last one ended. */
  async #after(previous: Promise<boolean> | undefined): Promise<boolean> {
    // Whoever asked for the previous one is told of its failure.
    await previous?.catch(() => undefined)
    this.#next = undefined
    if (this.#failure !== undefined) throw this.#failure
    const batch = this.#queue
    this.#queue = []
    this.#underWay = this.#write(batch)
    return this.#underWay
  }

  async #write(batch: Queued[]): Promise<boolean> {
    try {
      const { purged } = await this.#writer.write(batch.map(({ operation }) => operation))
      this.#overlay.written(batch)
      return purged
    } catch (error) {
      throw this.#failed(batch, error)
    } finally {
      this.#underWay = undefined
    }
  }

  #failed(batch: Queued[], error: unknown): KeyStoreError {
    const failure =
      error instanceof KeyStoreError ? error : new KeyStoreError({ _tag: 'Stopped', cause: String(error) })
    if (failure.failure._tag === 'DiskFull') this.#queue = [...batch, ...this.#queue]
    else this.#failure = failure
    return failure
  }
}
