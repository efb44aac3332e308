import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import { Packr } from 'msgpackr'
import type { Clock } from '../clock.ts'
import type { KeyStoreFailure } from '../privacy/failure.ts'
import { KeyStoreError } from '../privacy/failure.ts'
import type { GroupAnswer } from '../privacy/group-writer.ts'
import { GroupWriter } from '../privacy/group-writer.ts'
import type { Step } from '../privacy/packed-steps.ts'
import type { KeyClass, KeyStore, SealContext } from '../privacy/privacy.ts'
import { WORKSPACE_OWNER } from '../privacy/privacy.ts'
import { hexBlob } from '../privacy/sqlite-file.ts'
import type { BodyQuery, StoredBody } from './quarantine-tables.ts'
import {
  DELETE_DAY,
  DELETE_ONE,
  INSERT,
  MARK,
  prepare,
  QuarantineTables,
  STATEMENTS,
} from './quarantine-tables.ts'
import type { QuarantineReason } from './result.ts'

/** A refused event on its way into quarantine. */
export interface Refusable {
  /** As it came. */
  readonly body: Uint8Array
  readonly reason: QuarantineReason
  /** Never carries personal data. */
  readonly message: string
  readonly source: string
  /** The event's own, where they could be read. */
  readonly id?: string | undefined
  readonly type?: string | undefined
  /** When it came (ms); its UTC day decides under which key it is sealed, and when it goes. */
  readonly received: number
}

export interface Kept {
  /** 32 hexadecimal digits. The same refusal of the same body has the same id all day. */
  readonly quarantineId: string
  /** HMAC-SHA256 of the body under the day's key: once that is gone, nobody can confirm a guess by it. */
  readonly hash: string
}

type QuarantineFailure =
  | { readonly _tag: 'QuarantineFull'; readonly usedBytes: number; readonly limitBytes: number }
  | { readonly _tag: 'DiskFull' }
  | { readonly _tag: 'KeyStoreFailed'; readonly failure: KeyStoreFailure }
  /** A write failed; nothing is kept any more until a restart. */
  | { readonly _tag: 'QuarantineStopped'; readonly cause: string }

/** What is known of a refused event, besides its body. */
interface QuarantineEntry extends Omit<StoredBody, 'keyId' | 'details' | 'id'> {
  readonly quarantineId: string
  /** The event's own. */
  readonly id: string | undefined
  readonly type: string | undefined
  readonly message: string
}

export interface QuarantinedBody extends QuarantineEntry {
  /** undefined: it was larger than 8 MiB, and only its hash and size are kept. */
  readonly body: Uint8Array | undefined
}

/**
 * The bodies of refused events, kept for 30 days so that they can be corrected and sent again. Bodies, and what a
 * sender wrote into id and type, are sealed under the key of their day; reason, source, size and times are not.
 */
export interface Quarantine {
  /** One outcome for each, in order; durable when resolved. Putting the same again changes nothing. */
  put(batch: readonly Refusable[]): Promise<readonly Either<QuarantineFailure, Kept>[]>
  /** undefined: never seen, or its 30 days are over. */
  get(quarantineId: string): QuarantinedBody | undefined
  /** Newest first, without bodies. `before` names the last entry of the page before (`id`: its quarantine id). */
  list(query: BodyQuery): readonly QuarantineEntry[]
  /** False where there is no such entry. */
  markResubmitted(quarantineId: string): Promise<Either<QuarantineFailure, boolean>>
  /** Destroys the keys of days that are over and deletes what was under them; to be called at start and daily. */
  expire(): Promise<Either<QuarantineFailure, { readonly days: number }>>
  /**
   * Deletes what `names` says yes to, and overwrites it in the files: bodies about somebody who is erased. `since`: only
   * those received then or later (ms).
   */
  forget(
    names: (kept: QuarantinedBody) => boolean,
    since?: number,
  ): Promise<Either<QuarantineFailure, { readonly bodies: number; readonly purged: boolean }>>
  readonly usedBytes: number
  close(): Promise<void>
}

interface QuarantineOptions {
  /** Beyond this `put` fails: a flood of bad events must not fill the disk. Default 1 GiB. */
  readonly limitBytes?: number | undefined
}

const LIMIT_BYTES = 2 ** 30
const SEARCHED_AT_ONCE = 16
/** Larger bodies are known by hash and size alone. */
export const LARGEST_BODY_BYTES = 8 * 2 ** 20
const KEPT_DAYS = 30
const DAY_MS = 86_400_000
/** What a row costs beside its blobs, in table and indexes. */
const ROW_BYTES = 512

/** Throws `QuarantineUnreadable`. */
export function openQuarantine(
  directory: string,
  keyStore: KeyStore,
  clock: Clock,
  options: QuarantineOptions = {},
): Quarantine {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, 'quarantine.sqlite')
  prepare(path)
  const tables = new QuarantineTables(path)
  const writer = new GroupWriter({ path, statements: STATEMENTS })
  return new SealedQuarantine({
    tables,
    writer,
    keyStore,
    clock,
    limitBytes: options.limitBytes ?? LIMIT_BYTES,
  })
}

interface Parts {
  readonly tables: QuarantineTables
  readonly writer: GroupWriter
  readonly keyStore: KeyStore
  readonly clock: Clock
  readonly limitBytes: number
}

/** A body that has room reserved; `step` is undefined where it is kept already. */
interface Admitted {
  readonly kept: Kept
  readonly step: Step | undefined
  readonly storedBytes: number
}

class SealedQuarantine implements Quarantine {
  readonly #parts: Parts
  #usedBytes: number

  constructor(parts: Parts) {
    this.#parts = parts
    this.#usedBytes = parts.tables.usedBytes()
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  async put(batch: readonly Refusable[]): Promise<readonly Either<QuarantineFailure, Kept>[]> {
    try {
      const admitted = batch.map((item) => this.#admit(item))
      const written = await this.#write(admitted.flatMap((one) => (E.isRight(one) ? [one.right] : [])))
      return admitted.map((one) => {
        if (E.isLeft(one)) return one
        return written === undefined ? E.right(one.right.kept) : E.left(written)
      })
    } catch (error) {
      if (!(error instanceof KeyStoreError)) throw error
      const failure = error.failure
      return batch.map(() => E.left({ _tag: 'KeyStoreFailed', failure }))
    }
  }

  get(quarantineId: string): QuarantinedBody | undefined {
    const { tables, keyStore } = this.#parts
    if (!/^[0-9a-f]{32}$/.test(quarantineId)) return undefined
    const stored = tables.get(quarantineId)
    const entry = stored === undefined ? undefined : this.#entry(stored)
    if (stored === undefined || entry === undefined) return undefined
    const blob = tables.body(quarantineId)
    if (blob === undefined) return { ...entry, body: undefined }
    const body = keyStore.open({ keyId: stored.keyId, blob }, context(stored.source, quarantineId))
    return body === undefined ? undefined : { ...entry, body }
  }

  list(query: BodyQuery): readonly QuarantineEntry[] {
    assert(Number.isSafeInteger(query.limit) && query.limit > 0)
    return this.#parts.tables.list(query).flatMap((stored) => this.#entry(stored) ?? [])
  }

  async markResubmitted(quarantineId: string): Promise<Either<QuarantineFailure, boolean>> {
    const { tables, writer, clock } = this.#parts
    if (!/^[0-9a-f]{32}$/.test(quarantineId) || tables.get(quarantineId) === undefined) return E.right(false)
    const step: Step = [MARK, [clock.nowMs(), hexBlob(quarantineId)]]
    const failure = failureOf(await writer.write({ steps: [step], purge: false }))
    return failure === undefined ? E.right(true) : E.left(failure)
  }

  async expire(): Promise<Either<QuarantineFailure, { readonly days: number }>> {
    const { tables, writer, keyStore } = this.#parts
    const days = tables.daysBefore(this.#oldestDay())
    if (days.length === 0) return E.right({ days: 0 })
    try {
      // Keys first: a crash in between leaves rows that name the days, and the next run goes on with them.
      for (const day of days) await keyStore.destroyKey(WORKSPACE_OWNER, keyClass(day))
    } catch (error) {
      if (!(error instanceof KeyStoreError)) throw error
      return E.left({ _tag: 'KeyStoreFailed', failure: error.failure })
    }
    const steps = days.map((day): Step => [DELETE_DAY, [day]])
    const failure = failureOf(await writer.write({ steps, purge: true }))
    if (failure !== undefined) return E.left(failure)
    this.#usedBytes = tables.usedBytes()
    return E.right({ days: days.length })
  }

  async forget(
    names: (kept: QuarantinedBody) => boolean,
    since = 0,
  ): Promise<Either<QuarantineFailure, { readonly bodies: number; readonly purged: boolean }>> {
    const { tables, writer } = this.#parts
    const named = await this.#named(names, since)
    if (named.length === 0) return E.right({ bodies: 0, purged: true })
    const steps = named.map((id): Step => [DELETE_ONE, [hexBlob(id)]])
    const answer = await writer.write({ steps, purge: true })
    const failure = failureOf(answer)
    if (failure !== undefined) return E.left(failure)
    this.#usedBytes = tables.usedBytes()
    return E.right({ bodies: named.length, purged: answer._tag === 'Written' && answer.purged })
  }

  /** Ids. Others get their turn after each page: there may be a gigabyte to look through. */
  async #named(names: (kept: QuarantinedBody) => boolean, since: number): Promise<readonly string[]> {
    const named: string[] = []
    let before: BodyQuery['before']
    for (;;) {
      const page = this.#parts.tables.list({ before, limit: SEARCHED_AT_ONCE })
      for (const { id, received } of page) {
        if (received < since) return named
        const kept = this.get(id)
        if (kept !== undefined && names(kept)) named.push(id)
      }
      const last = page.at(-1)
      if (last === undefined) return named
      before = { received: last.received, id: last.id }
      await setImmediate()
    }
  }

  async close(): Promise<void> {
    await this.#parts.writer.close()
    this.#parts.tables.close()
  }

  /** Seals a body and reserves room for it. */
  #admit(item: Refusable): Either<QuarantineFailure, Admitted> {
    const { keyStore, tables, limitBytes } = this.#parts
    const day = dayOf(item.received)
    const details = detailsOf(item)
    const kept = this.#nameOf(item, keyClass(day), details)
    if (tables.get(kept.quarantineId) !== undefined) return E.right({ kept, step: undefined, storedBytes: 0 })
    const keepsBody = item.body.length <= LARGEST_BODY_BYTES
    const storedBytes = ROW_BYTES + details.length + (keepsBody ? item.body.length : 0)
    if (this.#usedBytes + storedBytes > limitBytes) {
      return E.left({ _tag: 'QuarantineFull', usedBytes: this.#usedBytes, limitBytes })
    }
    this.#usedBytes += storedBytes
    const at = context(item.source, kept.quarantineId)
    const sealed = keyStore.seal(WORKSPACE_OWNER, keyClass(day), details, at)
    const body = keepsBody ? keyStore.seal(WORKSPACE_OWNER, keyClass(day), item.body, at).blob : null
    const { reason, source, received } = item
    const names = [hexBlob(kept.quarantineId), hexBlob(kept.hash)]
    const plain = [day, received, reason, source, item.body.length, storedBytes]
    return E.right({
      kept,
      storedBytes,
      step: [INSERT, [...names, ...plain, hexBlob(sealed.keyId), sealed.blob, body]],
    })
  }

  #nameOf(item: Refusable, retention: KeyClass, details: Uint8Array): Kept {
    const { keyStore } = this.#parts
    const hash = keyStore.mac(WORKSPACE_OWNER, retention, item.body)
    const refusal = packr.pack([hash, item.source, item.reason, details])
    return { quarantineId: keyStore.mac(WORKSPACE_OWNER, retention, refusal).slice(0, 32), hash }
  }

  /** Makes bodies and their keys durable; answers why it couldn't. Room that wasn't needed is given back. */
  async #write(admitted: readonly Admitted[]): Promise<QuarantineFailure | undefined> {
    const fresh = admitted.flatMap(({ step, storedBytes }) =>
      step === undefined ? [] : [{ step, storedBytes }],
    )
    if (fresh.length === 0) return undefined
    let answer: GroupAnswer | undefined
    try {
      await this.#parts.keyStore.flush()
      answer = await this.#parts.writer.write({ steps: fresh.map(({ step }) => step), purge: false })
      return failureOf(answer)
    } finally {
      const changes = answer?._tag === 'Written' ? answer.changes : []
      for (const [at, { storedBytes }] of fresh.entries()) if (!changes[at]) this.#usedBytes -= storedBytes
    }
  }

  /** undefined once its day is over, whether or not `expire` has come by. */
  #entry(stored: StoredBody): QuarantineEntry | undefined {
    if (stored.day < this.#oldestDay()) return undefined
    const { keyId, details, id: quarantineId, ...plain } = stored
    const opened = this.#parts.keyStore.open({ keyId, blob: details }, context(stored.source, quarantineId))
    if (opened === undefined) return undefined
    return { ...plain, quarantineId, ...readDetails(opened) }
  }

  /** The first day that is still kept: every body lasts at least its 30 days. */
  #oldestDay(): string {
    return dayOf(this.#parts.clock.nowMs() - KEPT_DAYS * DAY_MS)
  }
}

const packr = new Packr({ useRecords: false })

/** What a sender may have written anything into: MessagePack array of id, type, message. */
function detailsOf({ id, type, message }: Refusable): Uint8Array {
  return packr.pack([id ?? null, type ?? null, message])
}

function readDetails(bytes: Uint8Array): Pick<QuarantineEntry, 'id' | 'type' | 'message'> {
  const details: unknown = packr.unpack(bytes)
  assert(Array.isArray(details))
  const [id, type, message]: readonly unknown[] = details
  assert(typeof message === 'string')
  return { id: textOf(id), type: textOf(type), message }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** UTC. */
function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function keyClass(day: string): KeyClass {
  return `quarantine:${day}`
}

function context(source: string, quarantineId: string): SealContext {
  return { source, id: quarantineId, type: 'event.quarantined' }
}

function failureOf(answer: GroupAnswer): QuarantineFailure | undefined {
  switch (answer._tag) {
    case 'Written':
      return undefined
    case 'DiskFull':
      return { _tag: 'DiskFull' }
    case 'Fenced':
      return { _tag: 'QuarantineStopped', cause: 'another process writes it' }
    case 'Failed':
      return { _tag: 'QuarantineStopped', cause: answer.cause }
  }
}
