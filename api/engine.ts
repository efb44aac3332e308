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
import { openEmbeddedLog } from '../engine/log/embedded/embedded.ts'
import type { OpenFailure } from '../engine/log/embedded/recovery.ts'
import { freshParts } from '../engine/privacy/fresh-parts.ts'
import { openKeyStore } from '../engine/privacy/key-store.ts'
import type { ErasingKeyStore } from '../engine/privacy/privacy.ts'
import { openEvent as open, reassemble } from '../engine/privacy/sealing.ts'
import type { BuildsMode } from '../engine/projector/builds.ts'
import type { AnyProjection } from '../engine/projector/projection.ts'
import type { Progress } from '../engine/projector/projector.ts'
import { openSqliteReader } from '../engine/store/sqlite-reader.ts'
import { StoreQueryError, type StoreReader } from '../engine/store/store.ts'
import { projections } from '../projections/catalog.ts'
import { makeDurably, writeDurably } from './backup/durable-files.ts'
import type { Duplicates } from './duplicates/duplicates.ts'
import { type DuplicatesSettings, keepDuplicates } from './duplicates/keep.ts'
import { createErasingReads, type ErasingReads } from './erasing-reads.ts'
import { createErasures, type Erasures } from './erasure/erasures.ts'
import { openErasureRecords } from './erasure/operations-file.ts'
import type { ErasureStep } from './erasure/steps.ts'
import { failureText } from './failure-place.ts'
import { publishedOf } from './history/configuration.ts'
import { createLiveRows, type LiveRows } from './live-rows.ts'
import type { Pasts } from './past/past.ts'
import { createPasts } from './past/pasts.ts'
import { threadPastBuilder } from './past/thread-builder.ts'
import { watchPressure } from './pressure.ts'
import { startProjector } from './projector-thread.ts'
import { readSpecs, type ServedProjections, servedProjections } from './served-projections.ts'
import { createVersionOrders } from './versions/orders.ts'
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
  const opened = await openEmbeddedLog(join(directory, 'log'), {
    workspace: options.workspace,
    compression: options.logCompression,
    indexMemoryBytes: options.indexMemoryBytes,
    onNotice: (message) => options.onNotice('warn', message),
  })
  if (E.isLeft(opened)) return E.left(explainOpen(opened.left))
  const log = opened.right
  const torn = log.tornTail
  if (torn !== undefined) {
    const { segment, offset, position } = torn
    options.onNotice(
      'warn',
      `the log ended in an unfinished block, never acknowledged: ${segment} was cut at byte ${offset}, after position ${position}`,
    )
  }
  try {
    return E.right(await assemble(options, log))
  } catch (error) {
    return E.left(failureText(error))
  }
}

function explainOpen(failure: OpenFailure): EngineFailure {
  switch (failure._tag) {
    case 'AlreadyOpen':
      return `${failure.directory} is open in another process: stop that one first, or use another HEADWATER_DATA`
    case 'Damaged':
      return `${failure.damage.message}. Nothing was changed; restore the segment from a backup`
    case 'SegmentMissing':
      return `the log lacks the positions between ${failure.after} and ${failure.before} (before ${failure.next}): a segment is missing; restore it from a backup`
    case 'SegmentDuplicated':
      return `the log segment ${failure.segment} repeats positions from ${failure.first}: it is a copy of another; take it out`
    case 'UnsupportedFormat':
      return `the log segment ${failure.segment} has format ${failure.version}, which this release doesn't read: use a newer one`
    case 'OtherWorkspace':
      return `the log belongs to the workspace ${failure.found}, not ${failure.expected}: check HEADWATER_WORKSPACE`
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

async function assemble(options: EngineOptions, log: EmbeddedLog): Promise<Engine> {
  const parts: Parts = { log }
  try {
    return await assembleInto(parts, options, log)
  } catch (error) {
    await closeAll(parts).catch((failure: unknown) => options.onNotice('error', failureText(failure)))
    throw error
  }
}

async function assembleInto(parts: Parts, options: EngineOptions, log: EmbeddedLog): Promise<Engine> {
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
    writer: () => writer,
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

function followLog(
  options: EngineOptions,
  log: EmbeddedLog,
  intake: EngineIntake,
  paths: { readonly storePath: string; readonly keysDirectory: string; readonly fresh: SharedArrayBuffer },
  onServing: () => void,
) {
  let progress: Progress = { position: 0, received: 0, nextDue: undefined, events: 0, commitMs: 0 }
  let isBuilding = false
  let failure: string | undefined
  let reading: number | undefined
  let reader: StoreReader | undefined
  let live: ReturnType<typeof createLiveRows> | undefined
  const ready = Promise.withResolvers<void>()
  const deadline = deadlineTimer(options.clock, intake)
  const pressure = watchPressure()
  const thread = startProjector(
    {
      logDirectory: join(options.directory, 'log'),
      headSignal: log.headSignal,
      storePath: paths.storePath,
      keysDirectory: paths.keysDirectory,
      fresh: paths.fresh,
      masterKey: options.masterKey,
      pressure: pressure.shared,
      builds: options.builds ?? 'auto',
    },
    (message) => {
      switch (message.kind) {
        case 'building':
        case 'progress':
          isBuilding = message.kind === 'building'
          progress = message.progress
          options.onProgress(progress)
          ready.resolve()
          reader?.notifyPosition(progress.position)
          deadline.at(progress.nextDue)
          break
        case 'reading':
          reading = message.position
          break
        case 'read':
          live?.answered(message.id, message.found)
          break
        case 'forgot':
        case 'erased':
          erasing.answered(message)
          break
        case 'order_progress':
        case 'ordered':
          ordering.answered(message)
          break
        case 'build':
          if (message.state === 'serving') onServing()
          options.onNotice(
            message.state === 'foreign' ? 'warn' : 'info',
            message.state === 'foreign'
              ? 'the read models do not follow from this log: they are folded anew'
              : `read model ${message.build}: ${message.state}`,
          )
          break
        case 'notice':
          options.onNotice('warn', message.message)
          break
        case 'failed':
          failure = message.message
          options.onNotice('error', `the projector has stopped: ${message.message}`)
          erasing.end(`the projector has stopped: ${message.message}`)
          ordering.end(`the projector has stopped: ${message.message}`)
          ready.resolve()
          break
      }
    },
  )
  const erasing = createErasingReads((order) => thread.tell(order))
  const ordering = createVersionOrders((order) => thread.tell(order))
  return {
    orders: ordering.orders,
    erasing: erasing.reads,
    progress: () => ({
      ...{ position: progress.position, received: progress.received, failure, reading },
      isBuilding,
    }),
    async openReader(): Promise<Pick<Engine, 'store' | 'liveRows'>> {
      // The file and its tables are there once the projector has reported for the first time.
      await ready.promise
      reader = openSqliteReader(paths.storePath, {
        specs: readSpecs(projections),
        onWait: (position) => thread.tell({ kind: 'hurry', position }),
      })
      live = createLiveRows({
        store: reader,
        committed: () => progress.position,
        ask: (order) => thread.tell(order),
      })
      return { store: reader, liveRows: live.rows }
    },
    async stop(): Promise<void> {
      deadline.at(undefined)
      erasing.end('the engine is stopping')
      ordering.end('the engine is stopping')
      pressure.close()
      await thread.stop()
    },
  }
}

/** On an idle log nothing moves now(P) past a deadline, so the engine itself appends a tick. */
function deadlineTimer(clock: Clock, intake: EngineIntake) {
  let timer: NodeJS.Timeout | undefined
  let wanted: number | undefined
  const wait = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void tick(), Math.min(Math.max(ms, 0), MAX_TIMER_MS))
    timer.unref()
  }
  const tick = async (): Promise<void> => {
    const due = wanted
    if (due === undefined) return
    if (clock.nowMs() < due) return wait(due - clock.nowMs())
    const { status } = await intake.record({ type: 'clock.advanced', id: `clock-${due}`, data: {} })
    // Refused for now (a full disk, a clock that jumped): the deadline stays due.
    if (status === 'refused' && wanted === due) wait(RETRY_TICK_MS)
  }
  return {
    at(due: number | undefined): void {
      wanted = due
      if (due === undefined) clearTimeout(timer)
      else wait(due - clock.nowMs())
    },
  }
}

/** The longest that Node's timers can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1
const RETRY_TICK_MS = 1_000
