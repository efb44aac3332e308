import type { Block } from '../log/embedded/block-decoder.ts'
import type { SegmentsLog } from '../log/embedded/segments-log.ts'
import { EntryHasher, type Visitor } from './entries.ts'

/** The log isn't what the tree was made of. */
export class LogDiffers extends Error {
  /** The first position known to differ. */
  readonly position: number | undefined
  readonly code: 'log_shorter' | 'other_root'
  constructor(position: number | undefined, message: string, code: LogDiffers['code'] = 'other_root') {
    super(message)
    this.name = 'LogDiffers'
    this.position = position
    this.code = code
  }
}

/** Where the log may be read from to count events: the event of number `leaf` is the first at or after `position`. */
export interface Hint {
  readonly leaf: number
  readonly position: number
}

/** A log as its auditor reads it: hashed. */
export class AuditLog {
  readonly #log: SegmentsLog
  readonly #hasher = new EntryHasher()

  constructor(log: SegmentsLog) {
    this.#log = log
  }

  get head(): number {
    return this.#log.head().position
  }

  beyond(position: number, signal: AbortSignal): Promise<void> {
    return this.#log.beyond(position, signal)
  }

  /** The blocks from a position to the head. Throws `LogDamaged`. */
  blocks(from: number): Iterable<Block> {
    return this.#log.blocks(from)
  }

  /** See `EntryHasher.visit`. */
  visitBlock(block: Block, from: number, until: number, each: Visitor): void {
    this.#hasher.visit(block, from, until, each)
  }

  /** Hashes the events of numbers [from, from + count), fewer where the log ends. `each` may answer false to stop. */
  visit(from: number, count: number, hint: Hint, each: Visitor): void {
    let leaf = hint.leaf
    let stopped = false
    for (const block of this.blocks(hint.position)) {
      this.#hasher.visit(block, hint.position, Number.POSITIVE_INFINITY, (entry, hash) => {
        if (leaf >= from) stopped = each(entry, hash) === false
        leaf += 1
        if (leaf >= from + count) stopped = true
        return !stopped
      })
      if (stopped) return
    }
  }

  /** The stored bytes of one event; undefined where there is none. Throws `LogDamaged`. */
  storedAt(position: number): Buffer | undefined {
    return this.#log.storedAt(position)
  }
}
