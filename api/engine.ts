import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import type { AuditThread, SignedTreeHead } from '../engine/audit/audit.ts'
import { startAudit } from '../engine/audit/audit-thread.ts'
import type { Clock } from '../engine/clock.ts'
import type { RecordedEvent } from '../engine/events/event.ts'
import { registry } from '../engine/events/registry.ts'
import type { ClockGuard } from '../engine/intake/clock-guard.ts'
import { guardClock } from '../engine/intake/clock-guard.ts'
import type { EngineIntake } from '../engine/intake/intake.ts'
import { createIntake } from '../engine/intake/intake.ts'
import type { Quarantine } from '../engine/intake/quarantine.ts'
import { openQuarantine } from '../engine/intake/quarantine.ts'
import { recall } from '../engine/intake/recall.ts'
import type { AtomicIntake, IntakeResult } from '../engine/intake/result.ts'
import type { Compression, EmbeddedLog } from '../engine/log/embedded/embedded.ts'
import { freshParts } from '../engine/privacy/fresh-parts.ts'
import { openKeyStore } from '../engine/privacy/key-store.ts'
import type { ErasingKeyStore } from '../engine/privacy/privacy.ts'
import { openEvent as open, reassemble } from '../engine/privacy/sealing.ts'
import type { BuildsMode } from '../engine/projector/builds.ts'
import type { AnyProjection } from '../engine/projector/projection.ts'
import type { Progress } from '../engine/projector/projector.ts'
import { StoreQueryError, type StoreReader } from '../engine/store/store.ts'
import { projections } from '../projections/catalog.ts'
import { makeDurably, writeDurably } from './backup/durable-files.ts'
import type { Duplicates } from './duplicates/duplicates.ts'
import { type DuplicatesSettings, keepDuplicates } from './duplicates/keep.ts'
import type { ErasingReads } from './erasing-reads.ts'
import { createErasures, type Erasures } from './erasure/erasures.ts'
import { openErasureRecords } from './erasure/operations-file.ts'
import type { ErasureStep } from './erasure/steps.ts'
import { failureText } from './failure-place.ts'
import { followLog } from './follow-log.ts'
import { publishedOf } from './history/configuration.ts'
import type { LiveRows } from './live-rows.ts'
import { type OpenedLog, openLog } from './open-log.ts'
import type { Pasts } from './past/past.ts'
import { createPasts } from './past/pasts.ts'
import { threadPastBuilder } from './past/thread-builder.ts'
import { type ServedProjections, servedProjections } from './served-projections.ts'
import { keysObjection } from './taking-over.ts'
import { createVersions, type Versions } from './versions/versions.ts'

/** Raise it when a data directory of the release before can't be opened any more as it is. */
export const DATA_FORMAT = 1

/** Stands for the format until a restore has applied every erasure: nothing may be served before. */
export const RESTORING = 'restoring'

interface EngineOptions extends DuplicatesSettings {
  readonly directory: string
  readonly workspace: string
  readonly masterKey: Uint8Array | undefined
  readonly clock: Clock
  readonly maxDepth: number
  readonly eventLimitBytes: number
  readonly queueEvents: number
  readonly queueBytes: number
  /** `embedded`, the default, or EventStoreDB's connection string. */
  readonly eventLog?: string | undefined
  readonly logCompression: Compression
  /** Default `auto`. */
  readonly builds?: BuildsMode | undefined
  /** Default: the log's own. */
  readonly indexMemoryBytes?: number | undefined
  /** Signs tree heads; else the data directory's own. */
  readonly auditKey?: string | undefined
  /** The log's name in tree heads; else `headwater/<workspace>`. */
  readonly auditOrigin?: string | undefined
  /** Told of every tree head that is signed, and of the last one at start. */
  readonly onTreeHead?: ((head: SignedTreeHead) => void) | undefined
  readonly onResult: (result: IntakeResult, durationMs: number) => void
  /** Told of every commit of the read models. */
  readonly onProgress: (progress: Progress) => void
  /** For tests of what a crash leaves: told of every step of an erasure. */
  readonly onErasureStep?: ((step: ErasureStep) => void) | undefined
  /** One line about what happens inside, for the operator's log; never personal data. */
  readonly onNotice: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** One workspace's engine, without its network sides. */
export interface Engine {
  readonly log: EmbeddedLog
  /** The same log where it lies in an EventStoreDB. */
  readonly mirror: OpenedLog['mirror']
  readonly keyStore: ErasingKeyStore
  readonly quarantine: Quarantine
  readonly intake: EngineIntake & AtomicIntake
  readonly store: StoreReader
  readonly liveRows: LiveRows
  /** As the code has them, by name; and as they are served. */
  readonly catalogue: ReadonlyMap<string, AnyProjection>
  readonly serving: ServedProjections
  readonly past: Pasts
  readonly versions: Versions
  /** undefined: nobody looks for them. */
  readonly duplicates: Duplicates | undefined
  readonly guard: ClockGuard
  readonly erasures: Erasures
  readonly audit: AuditThread
  /** What became of the last append: whether events can be taken. */
  writer(): 'running' | 'read_only' | 'stopped'
  /** How far the read models have got, and why they stopped if they did. */
  projected(): {
    readonly position: number
    readonly received: number
    readonly failure: string | undefined
    /** Builds are folded from the log's beginning before all that is wanted serves. */
    readonly isBuilding: boolean
    /** How far the log was read for them when that was last told. */
    readonly reading: number | undefined
  }
  stop(): Promise<void>
}

/** Why a data directory can't be opened; a whole sentence that says what to do. */
type EngineFailure = string

export async function openEngine(options: EngineOptions): Promise<E.Either<EngineFailure, Engine>> {
  const { directory } = options
  makeDurably(directory)
  const format = checkFormat(directory)
  if (format !== undefined) return E.left(format)
  // What they will hold is synced by those who write it; that they are there at all must survive a power cut too.
  for (const part of ['log', 'keys', 'quarantine']) makeDurably(join(directory, part))
  const opened = await openLog({
    ...options,
    objection: (remote, isUnknown) => keysObjection(remote, { ...options, isUnknown }),
  })
  if (E.isLeft(opened)) return opened
  try {
    return E.right(await assemble(options, opened.right))
  } catch (error) {
    return E.left(failureText(error))
  }
}

function checkFormat(directory: string): EngineFailure | undefined {
  const path = join(directory, 'FORMAT')
  // Killed while it made it, the release before left it empty.
  const stated = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
  if (stated === '') {
    writeDurably(path, `${DATA_FORMAT}\n`)
    return undefined
  }
  if (stated === RESTORING)
    return `${directory} holds a restore that was never finished: remove it, then restore again`
  const found = Number(stated)
  if (found === DATA_FORMAT) return undefined
  return `${directory} has data format ${found}, this release reads ${DATA_FORMAT}: use the release that wrote it, or a newer one`
}

interface Part {
  close(): Promise<void>
}

/** What is open so far, in the order in which it is closed: who sends first, what it is sent to last. */
type Parts = Partial<
  Record<
    | 'erasures'
    | 'intake'
    | 'audit'
    | 'past'
    | 'versions'
    | 'duplicates'
    | 'projector'
    | 'store'
    | 'quarantine'
    | 'keyStore'
    | 'log',
    Part
  >
>

async function closeAll(parts: Parts): Promise<void> {
  const { erasures, intake, audit, past, versions, duplicates, projector, store, quarantine, keyStore, log } =
    parts
  const failures: unknown[] = []
  const inOrder = [duplicates, versions, erasures, intake, audit, past, projector, store, quarantine]
  for (const part of [...inOrder, keyStore, log]) {
    // One that fails must not keep the others open.
    await part?.close().catch((error: unknown) => failures.push(error))
  }
  if (failures.length > 0) throw failures[0]
}

async function assemble(options: EngineOptions, opened: OpenedLog): Promise<Engine> {
  const parts: Parts = { log: opened.log }
  try {
    return await assembleInto(parts, options, opened)
  } catch (error) {
    await closeAll(parts).catch((failure: unknown) => options.onNotice('error', failureText(failure)))
    throw error
  }
}

async function assembleInto(parts: Parts, options: EngineOptions, opened: OpenedLog): Promise<Engine> {
  const { log, mirror } = opened
  const { directory, clock } = options
  const keysDirectory = join(directory, 'keys')
  const fresh = freshParts()
  const keyStore = openKeyStore(keysDirectory, {
    clock,
    masterKey: options.masterKey,
    create: log.head().position === 0,
    fresh,
  })
  parts.keyStore = keyStore
  const quarantine = openQuarantine(join(directory, 'quarantine'), keyStore, clock)
  parts.quarantine = quarantine
  const guard = guardClock(clock, log.head().received)
  let writer: ReturnType<Engine['writer']> = 'running'
  const intake = createIntake({
    ...options,
    onResult: (result, durationMs) => {
      writer = writerAfter(result, writer)
      options.onResult(result, durationMs)
    },
    log,
    keyStore,
    quarantine,
    registry,
    guard,
    reassemble: (event) => reassemble(event, keyStore),
  })
  parts.intake = intake
  for (const { message } of await recall(log, intake))
    options.onNotice(
      'error',
      `${message}. Events of sources whose defaults stand there are refused until the segment is restored from a backup or the source registered again`,
    )
  const storePath = join(directory, 'read-models.sqlite')
  let serving: ServedProjections | undefined
  const paths = { storePath, keysDirectory, fresh: fresh.shared }
  const projector = followLog(options, log, intake, paths, () => void serving?.refresh())
  parts.projector = { close: projector.stop }
  const { store, liveRows } = await projector.openReader()
  parts.store = store
  const catalogue = new Map(projections.map((projection) => [projection.name, projection]))
  const openEvent = (event: RecordedEvent) => open(event, keyStore, registry)
  serving = servedProjections({
    ...{ catalogue: projections, store, head: () => log.head() },
    published: publishedOf({ log, projections: catalogue, openEvent }),
    onFailure: (error) => {
      // Builds may be switched while it stops.
      if (error instanceof StoreQueryError && error.failure._tag === 'StoreClosed') return
      options.onNotice('warn', `what the read models show is not known: ${failureText(error)}`)
    },
  })
  await serving.refresh()
  const past = keepPasts(options, log, keysDirectory)
  parts.past = past
  const made = createVersions({
    ...{ data: directory, headSignal: log.headSignal, masterKey: options.masterKey },
    ...{ orders: projector.orders, intake, clock, onNotice: options.onNotice },
  })
  parts.versions = made
  const { onNotice } = options
  const duplicates = keepDuplicates(options, { storePath, log, keyStore, intake, store, clock, onNotice })
  if (duplicates !== undefined) parts.duplicates = duplicates
  const reads = forgetting(projector.erasing, [past, made])
  const audit = auditLog(options, log)
  parts.audit = audit
  const erasures = createErasures({
    audit,
    ...{ log, keyStore, quarantine, intake, store, clock },
    reads: duplicates?.erasing(reads) ?? reads,
    ...{ workspace: options.workspace, onStep: options.onErasureStep, onNotice: options.onNotice },
    records: openErasureRecords(directory),
  })
  parts.erasures = erasures
  const engine: Engine = {
    log,
    mirror,
    keyStore,
    quarantine,
    intake,
    store,
    versions: made.versions,
    duplicates,
    liveRows,
    catalogue,
    serving,
    past,
    guard,
    erasures,
    audit,
    writer: () => writerOf(writer, mirror),
    projected: projector.progress,
    stop: () => closeAll(parts),
  }
  await erasures.resume()
  return engine
}

function writerAfter(
  result: IntakeResult,
  before: ReturnType<Engine['writer']>,
): ReturnType<Engine['writer']> {
  if (result.status === 'appended') return 'running'
  if (result.status !== 'refused') return before
  const { code } = result.refusal
  return code === 'read_only' || code === 'stopped' ? code : before
}

/** What its EventStoreDB lets the log do is known before anybody appends. */
function writerOf(
  writer: ReturnType<Engine['writer']>,
  mirror: OpenedLog['mirror'],
): ReturnType<Engine['writer']> {
  const state = mirror?.mirror().state ?? 'writing'
  switch (state) {
    case 'writing':
      return writer
    case 'away':
      return 'read_only'
    case 'stopped':
      return 'stopped'
  }
}

/** Read models of past moments are nothing but a cache: whatever the run before left is gone. */
function keepPasts(
  { directory, masterKey, clock }: EngineOptions,
  log: EmbeddedLog,
  keysDirectory: string,
): Pasts {
  const builder = threadPastBuilder({
    logDirectory: join(directory, 'log'),
    headSignal: log.headSignal,
    ...{ keysDirectory, masterKey, projections },
    directory: join(directory, 'past'),
  })
  return createPasts({ log, clock, builder })
}

/** Keys were destroyed: what was built of the past before may hold what they sealed. */
function forgetting(reads: ErasingReads, others: readonly { forget(): Promise<unknown> }[]): ErasingReads {
  return {
    ...reads,
    async forget(owners) {
      await Promise.all([reads.forget(owners), ...others.map((other) => other.forget())])
    },
  }
}

/** A log whose history can't be proven any more still takes events: that is for an operator to decide. */
function auditLog(options: EngineOptions, log: EmbeddedLog): AuditThread {
  const { directory, workspace, auditKey, auditOrigin, onTreeHead, onNotice } = options
  let told = ''
  return startAudit({
    directory,
    headSignal: log.headSignal,
    origin: auditOrigin ?? `headwater/${workspace}`,
    signingKey: auditKey,
    onHead: (head) => onTreeHead?.(head),
    onRefusal: ({ message, signed, found }) => {
      const root = found?.root === undefined ? '' : ` ${Buffer.from(found.root).toString('base64')}`
      const heads = `signed: ${JSON.stringify(signed)}; found: ${found === undefined ? 'not known' : `${found.size} events${root}`}`
      const text = `audit: ${message} (${heads})`
      if (text !== told) onNotice('error', text)
      told = text
    },
    onFailure: (message) => onNotice('error', `audit: no tree head is signed any more: ${message}`),
  })
}
