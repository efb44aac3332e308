import assert from 'node:assert/strict'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import type { Block } from '../log/embedded/block-decoder.ts'
import { errorCode, type Files } from '../log/embedded/files.ts'
import type { SegmentsLog } from '../log/embedded/segments-log.ts'
import type { AuditRefusal, SignedTreeHead } from './audit.ts'
import { AuditFiles } from './audit-files.ts'
import { entryPosition } from './entries.ts'
import { NO_ROOM } from './format.ts'
import { keepHead, lastHead, type StoredHead } from './heads.ts'
import { AuditLog, LogDiffers } from './log-source.ts'
import { type Signer, treeHeadText } from './note.ts'
import { type Prover, proverOf } from './prover.ts'
import { hashLog, restoreTree } from './restore.ts'
import { StoredTree } from './stored-tree.ts'
import { openTreeHead, parseVerifierKey, VerificationFailed } from './verify.ts'

export interface AuditorOptions {
  readonly log: SegmentsLog
  /** The audit directory. */
  readonly directory: string
  readonly files: Files
  readonly signer: Signer
  readonly clock: Clock
  /** Least time between two tree heads (ms). */
  readonly signEveryMs?: number | undefined
  /** How long events are gathered before they are hashed (ms). */
  readonly gatherMs?: number | undefined
  readonly onHead: (head: SignedTreeHead) => void
  /** More may become known of a refusal: it is told again. */
  readonly onRefusal: (refusal: AuditRefusal) => void
  readonly onProgress: (progress: AuditProgress) => void
}

export interface AuditProgress {
  readonly size: number
  readonly position: number
  readonly rebuiltTiles: number
}

/** A tree head is at most a second behind: gathering and waiting take half of it, hashing and signing have the rest. */
export const SIGN_EVERY_MS = 400
export const GATHER_MS = 100
/** Events between two turns of the event loop, which proofs wait for. */
const STEP_EVENTS = 2_000
/** Hashed at most when closing, so that closing is quick. */
const LAST_EVENTS = 20_000
/** How long a full disk is waited for. */
const NO_ROOM_MS = 1_000

assert.ok(SIGN_EVERY_MS + GATHER_MS <= 500)

/** Follows a log, hashes it into the tree, and signs tree heads. Everything else about it is synchronous. */
export class Auditor {
  readonly prover: Prover
  readonly #options: AuditorOptions
  readonly #files: AuditFiles
  readonly #log: AuditLog
  readonly #tree: StoredTree
  readonly #closing = new AbortController()
  #head: SignedTreeHead | undefined
  #refusal: AuditRefusal | undefined
  /** Position of the last event hashed. */
  #position = 0
  #signedAtMs = Number.NEGATIVE_INFINITY
  #partials: readonly string[] = []
  #restored = false
  readonly #waiting = new Set<() => void>()

  constructor(options: AuditorOptions) {
    this.#options = options
    this.#files = new AuditFiles(options.files, options.directory)
    this.#log = new AuditLog(options.log)
    this.#tree = new StoredTree(this.#files, this.#log)
    this.prover = proverOf({
      log: this.#log,
      tree: this.#tree,
      head: () => (this.#restored ? this.#head : undefined),
      covering: (position) => this.#covering(position),
      onDifference: (difference) => this.#refuse(difference),
    })
  }

  get head(): SignedTreeHead | undefined {
    return this.#head
  }

  /** Goes on until `close`, or until it refuses to sign. Rejects when the disk or the log fails. */
  async run(): Promise<void> {
    try {
      if (await this.#restore()) await this.#follow()
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error
    } finally {
      this.#wake()
    }
    this.#finish()
  }

  /** A log at rest is covered by its tree head, unless too much is left to hash. */
  #finish(): void {
    if (!this.#restored || this.#refusal !== undefined) return
    for (const block of this.#log.blocks(this.#position + 1)) {
      this.#addBlock(block)
      if (this.#tree.size - (this.#head?.size ?? 0) > LAST_EVENTS) break
    }
    if (this.#isUnsigned()) this.#sign()
  }

  #addBlock(block: Block): void {
    this.#log.visitBlock(block, this.#position + 1, Number.POSITIVE_INFINITY, (entry, leaf) => {
      this.#tree.add(entry, leaf)
      this.#position = entryPosition(entry)
    })
  }

  close(): void {
    this.#closing.abort()
    this.#wake()
  }

  /** True if there is nothing that forbids signing. */
  async #restore(): Promise<boolean> {
    const last = lastHead(this.#files)
    if (last === undefined) {
      this.#restored = true
      return true
    }
    if (!this.#isOurs(last)) return false
    try {
      await restoreTree(this.#tree, this.#files, this.#log, last, this.#closing.signal)
    } catch (error) {
      if (!(error instanceof LogDiffers)) throw error
      const { size, root, note, origin } = last
      // What was stored still proves what it proved, if it still fits the signed root.
      this.#restored = this.#tree.size === size
      const position = this.#restored ? this.#tree.position : 0
      this.#announce({ origin, size, root, position, signedMs: undefined, note })
      this.#refuse(error)
      await this.#investigate(last)
      return false
    }
    this.#position = this.#tree.position
    this.#partials = this.#tree.partialPaths()
    this.#restored = true
    const { size, root, note, origin } = last
    this.#announce({ origin, size, root, position: this.#position, signedMs: undefined, note })
    return true
  }

  #isOurs(last: StoredHead): boolean {
    try {
      openTreeHead(last.note, parseVerifierKey(this.#options.signer.verifierKey))
      return true
    } catch (error) {
      if (!(error instanceof VerificationFailed)) throw error
      this.#tellRefusal({
        code: 'other_key',
        message: `audit/${last.path} isn't signed by the signing key of today: ${error.message}. Restore the key, or move the audit directory away to begin a new series of tree heads`,
        signed: last.note,
        found: undefined,
        position: undefined,
      })
      return false
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted && this.#refusal === undefined) {
      await this.#log.beyond(this.#position, signal)
      await sleep(this.#options.gatherMs ?? GATHER_MS, undefined, { signal })
      await this.#catchUp(signal)
      await this.#whenRoom(() => this.#signIfDue())
      // Nothing may come any more: what is hashed is signed all the same. A timer may be a little early.
      while (this.#isUnsigned() && this.#log.head <= this.#position && this.#refusal === undefined) {
        const dueMs = this.#signedAtMs + this.#signEveryMs - this.#options.clock.monotonicMs()
        await sleep(Math.max(1, Math.ceil(dueMs)), undefined, { signal })
        await this.#whenRoom(() => this.#signIfDue())
      }
    }
  }

  get #signEveryMs(): number {
    return this.#options.signEveryMs ?? SIGN_EVERY_MS
  }

  /** Hashes what the log has, and signs heads on the way while there is much of it. */
  async #catchUp(signal: AbortSignal): Promise<void> {
    let step = this.#tree.size + STEP_EVENTS
    for (const block of this.#log.blocks(this.#position + 1)) {
      this.#addBlock(block)
      if (this.#tree.size < step) continue
      step = this.#tree.size + STEP_EVENTS
      await this.#whenRoom(() => {
        this.#tree.write()
        this.#signIfDue()
      })
      this.#report()
      await setImmediate()
      if (signal.aborted || this.#refusal !== undefined) return
    }
    this.#report()
  }

  #report(): void {
    const { size, rebuiltTiles } = this.#tree
    this.#options.onProgress({ size, position: this.#position, rebuiltTiles })
  }

  #isUnsigned(): boolean {
    return this.#tree.size > (this.#head?.size ?? 0)
  }

  #signIfDue(): void {
    if (this.#options.clock.monotonicMs() < this.#signedAtMs + this.#signEveryMs) return
    if (this.#isUnsigned() && this.#refusal === undefined) this.#sign()
  }

  /** Whatever the head covers is on the disk before it is signed, and the head is before anybody hears of it. */
  #sign(): void {
    const { clock, signer } = this.#options
    this.#tree.write()
    const partials = this.#tree.writePartials()
    const { size } = this.#tree
    const root = this.#tree.root()
    const note = signer.sign(treeHeadText(signer.name, size, root))
    const nowMs = clock.nowMs()
    keepHead(this.#files, note, nowMs)
    for (const path of this.#partials) if (!partials.includes(path)) this.#files.remove(path)
    this.#partials = partials
    this.#signedAtMs = clock.monotonicMs()
    this.#announce({ origin: signer.name, size, root, position: this.#position, signedMs: nowMs, note })
  }

  #announce(head: SignedTreeHead): void {
    this.#head = head
    this.#report()
    this.#options.onHead(head)
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  /** Resolves when a head covers the position, or none will for now. */
  async #covering(position: number): Promise<void> {
    const waits = (): boolean =>
      (this.#head?.position ?? 0) < position &&
      position <= this.#log.head &&
      this.#refusal === undefined &&
      !this.#closing.signal.aborted
    while (waits()) await new Promise<void>((resolve) => this.#waiting.add(resolve))
  }

  /** Does `work` again and again while the disk is full. */
  async #whenRoom(work: () => void): Promise<void> {
    const { signal } = this.#closing
    for (;;) {
      try {
        return work()
      } catch (error) {
        if (!NO_ROOM.has(errorCode(error))) throw error
        await sleep(NO_ROOM_MS, undefined, { signal })
      }
    }
  }

  #refuse(difference: LogDiffers): void {
    if (this.#refusal !== undefined) return
    this.#tellRefusal({
      code: difference.code,
      message: `${difference.message}. No tree head is signed any more: keep the data directory as it is for whoever looks into it, and restore the log from a backup`,
      signed: this.#head?.note ?? '',
      found: undefined,
      position: difference.position,
    })
  }

  #tellRefusal(refusal: AuditRefusal): void {
    this.#refusal = refusal
    this.#options.onRefusal(refusal)
    this.#wake()
  }

  /** Reads the whole log for what its tree head would be, and for the first event that differs. */
  async #investigate(last: StoredHead): Promise<void> {
    const { signal } = this.#closing
    const comparison = this.#tree.comparison()
    const frontier = await hashLog(this.#log, last.size, signal, comparison.each)
    const before = this.#refusal
    if (before === undefined) return
    const first = comparison.first()
    const shorter = frontier.size < last.size
    this.#tellRefusal({
      ...before,
      code: shorter ? 'log_shorter' : before.code,
      message: first === undefined ? before.message : before.message.replace(/^[^.]*\./, `${first.message}.`),
      found: { size: frontier.size, root: frontier.root() },
      position: first?.position ?? before.position,
    })
  }
}
