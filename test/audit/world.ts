import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { AuditRefusal, SignedTreeHead } from '../../engine/audit/audit.ts'
import { Auditor, type AuditorOptions } from '../../engine/audit/auditor.ts'
import { formatSignerKey, parseSignerKey, type Signer } from '../../engine/audit/note.ts'
import { systemClock } from '../../engine/clock.ts'
import type { NewEvent } from '../../engine/events/event.ts'
import type { EmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import type { SegmentsLog } from '../../engine/log/embedded/segments-log.ts'
import { anEvent, appends, identityId, T0 } from '../log/events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from '../log/support.ts'

export const SIGNER: Signer = made('headwater/test')
export const OTHER_SIGNER: Signer = made('headwater/test')

function made(name: string): Signer {
  const signer = parseSignerKey(formatSignerKey(name, randomBytes(32)))
  if (signer === undefined) throw new Error('a key that was just made is sound')
  return signer
}

export function anyEvents(count: number, from = 0): NewEvent[] {
  return Array.from({ length: count }, (_, i) =>
    anEvent({
      stream: `deal-${(from + i) % 7}`,
      id: `e-${from + i}`,
      received: T0 + from + i,
      identities: i % 3 === 0 ? [{ namespace: 'email', id: identityId(i % 5) }] : [],
      data: { n: from + i, name: `No. ${from + i}` },
    }),
  )
}

/** A data directory with a log and its auditor on this thread, without waiting for the disk. */
export class AuditWorld {
  readonly directory: TemporaryDirectory = temporaryDirectory()
  readonly heads: SignedTreeHead[] = []
  readonly refusals: AuditRefusal[] = []
  signer: Signer = SIGNER
  files: Files = unsyncedFiles
  failure: unknown
  #log: EmbeddedLog | undefined
  #reader: SegmentsLog | undefined
  #auditor: Auditor | undefined
  #running: Promise<void> | undefined

  get logDirectory(): string {
    return join(this.directory.path, 'log')
  }

  get auditDirectory(): string {
    return join(this.directory.path, 'audit')
  }

  get auditor(): Auditor {
    if (this.#auditor === undefined) throw new Error('nothing audits')
    return this.#auditor
  }

  async log(): Promise<EmbeddedLog> {
    this.#log ??= await opened(this.logDirectory, { files: unsyncedFiles, segmentBytes: 256 * 1024 })
    return this.#log
  }

  /** Each event in a block of its own. */
  async append(...events: readonly NewEvent[]): Promise<void> {
    const log = await this.log()
    for (const event of events) await log.append(appends(event))
  }

  async audit(options: Partial<AuditorOptions> = {}): Promise<Auditor> {
    const log = await this.log()
    this.#reader = openEmbeddedReader(this.logDirectory, log.headSignal, unsyncedFiles)
    this.#auditor = new Auditor({
      ...{ log: this.#reader, directory: this.auditDirectory, files: this.files },
      ...{ signer: this.signer, clock: systemClock, signEveryMs: 0, gatherMs: 0 },
      onHead: (head) => void this.heads.push(head),
      onRefusal: (refusal) => void this.refusals.push(refusal),
      onProgress: () => {},
      ...options,
    })
    this.failure = undefined
    this.#running = this.#auditor.run().catch((error: unknown) => {
      this.failure = error
    })
    return this.#auditor
  }

  /** Audits until a head of that many events is signed, or signing is refused. */
  async auditUntil(size: number): Promise<SignedTreeHead | undefined> {
    const auditor = await this.audit()
    await this.until(
      () => (auditor.head?.size ?? 0) >= size || this.refusals.length > 0 || this.failure !== undefined,
    )
    if (this.failure !== undefined) throw this.failure
    return auditor.head
  }

  async until(holds: () => boolean): Promise<void> {
    for (let turn = 0; !holds(); turn++) {
      if (turn > 4_000) throw new Error("it didn't come about")
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  /** Waits until everything that is to be told of a refusal was told. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** Ends the auditor and closes the log; files stay. */
  async stop(): Promise<void> {
    this.#auditor?.close()
    await this.#running
    await this.#reader?.close()
    await this.#log?.close()
    this.#auditor = undefined
    this.#reader = undefined
    this.#log = undefined
    this.#running = undefined
  }

  async close(): Promise<void> {
    await this.stop()
    this.directory.remove()
  }
}
