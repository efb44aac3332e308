import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../../engine/clock.ts'
import {
  createDelivery,
  DEFAULT_LIMITS,
  type Delivery,
  type DeliveryFailure,
  type DeliveryLimits,
  type SettledEvent,
} from './delivery.ts'
import {
  beginsWith,
  type InputFailure,
  type InputFile,
  type InputItem,
  openInput,
  readInput,
} from './input-file.ts'
import { type Issue, type IssueList, openIssueList } from './issues.ts'
import type { CompiledMapping, Mapper, OutgoingEvent } from './mapper.ts'
import { mappingHash } from './mapping-codec.ts'
import { type ImportIdentity, NO_TALLY, readProgress, removeProgress, sameImport } from './progress-file.ts'
import { createProgressKeeper, type ProgressKeeper } from './progress-keeper.ts'
import { type ImportReport, newRun, note, type Resumed, type Run, reportOf } from './run.ts'
import type { Sender } from './sender.ts'

export interface ImportOptions {
  readonly mapping: CompiledMapping
  readonly file: string
  /** What to read of it, where that isn't all of it as it stands. */
  readonly input?: InputFile | undefined
  /** Rows up to this one were acknowledged by an earlier import of the same beginning; there is no later progress. */
  readonly acknowledgedRow?: number | undefined
  readonly sender: Sender
  readonly clock: Clock
  readonly limits?: Partial<DeliveryLimits> | undefined
  /** Keeps how far the import has got, so that the same call goes on from there; absent: it always begins anew. */
  readonly progressFile?: string | undefined
  /** Begins with the first row whatever the progress file says. */
  readonly restart?: boolean | undefined
  /** Every issue, as NDJSON. */
  readonly reportFile?: string | undefined
  /** Aborted: reading stops, batches under way are awaited, progress is kept. */
  readonly signal?: AbortSignal | undefined
  /** Every readable row, those of an earlier run included; cells in the order of the mapping's columns. */
  readonly onRow?: ((cells: readonly string[]) => void) | undefined
  readonly onProgress?: ((status: ImportStatus) => void) | undefined
  /** Something that doesn't stop the import: progress can't be kept, or isn't of the file as it is now. */
  readonly onWarning?: ((message: string) => void) | undefined
}

export interface ImportStatus {
  readonly bytesRead: number
  readonly sizeBytes: number
  readonly rows: number
  readonly events: number
  readonly acknowledgedRow: number
  /** Why nothing moves, while nothing moves. */
  readonly waiting: string | undefined
}

type ImportFailure =
  | DeliveryFailure
  | { readonly _tag: 'Unreadable'; readonly why: string; readonly reason: InputFailure['reason'] }
  /** The report file can't be written. */
  | { readonly _tag: 'Unwritable'; readonly why: string }

/** What had been done when it failed. Calling again goes on from there, if a progress file was named. */
export interface FailedImport {
  readonly failure: ImportFailure
  readonly report: ImportReport
}

/**
 * Sends a file's events to an engine, each acknowledged before this counts it, in bounded memory. The engine may be
 * killed and started meanwhile. Repeating an import does no harm: the same rows give the same ids.
 */
export async function importFile(options: ImportOptions): Promise<Either<FailedImport, ImportReport>> {
  const startedMs = options.clock.monotonicMs()
  const opened = options.input === undefined ? await openInput(options.file) : E.right(options.input)
  if (E.isLeft(opened)) {
    return E.left({ failure: unreadable(opened.left), report: nothingDone() })
  }
  const identity = {
    fingerprint: opened.right.fingerprint,
    mappingHash: mappingHash(options.mapping.mapping),
    target: options.sender.target,
  }
  const { progressFile } = options
  let resume = (await keptOf(options, identity)) ?? startOf(options)
  for (;;) {
    const issues = openIssueList(options.reportFile, resume !== undefined)
    if ('why' in issues) {
      return E.left({ failure: { _tag: 'Unwritable', why: issues.why }, report: nothingDone() })
    }
    const keeper = createProgressKeeper(progressFile, identity, options.clock)
    const run = newRun(resume)
    const failure = await runOnce({ options, file: opened.right, run, issues, keeper, resume })
    const unsaved = await keeper.close()
    if (unsaved !== undefined) options.onWarning?.(unsaved)
    issues.close()
    if (failure === 'OtherLog') {
      resume = undefined
      continue
    }
    const report = reportOf(run, issues.first, resume, options.clock.monotonicMs() - startedMs)
    if (failure !== undefined) return E.left({ failure, report })
    if (progressFile !== undefined) await removeProgress(progressFile)
    return E.right(report)
  }
}

/**
 * Where an interrupted import of this file goes on; undefined: there was none. Rows are counted, so what they were read from must
 * stand there still: the file may have been replaced meanwhile.
 */
async function keptOf(options: ImportOptions, identity: ImportIdentity): Promise<Resumed | undefined> {
  const { progressFile, restart, file, onWarning } = options
  const kept = progressFile === undefined || restart ? undefined : await readProgress(progressFile)
  if (kept === undefined || !sameImport(identity, kept)) return undefined
  if (await beginsWith(file, kept.read)) return kept
  onWarning?.(`${file} is another since the import was interrupted: it begins with the first row`)
  return undefined
}

/** Where an import without progress of its own begins; undefined: at the first row. */
function startOf({ acknowledgedRow = 0 }: ImportOptions): Resumed | undefined {
  return acknowledgedRow === 0 ? undefined : { acknowledgedRow, tally: NO_TALLY }
}

interface Pass {
  readonly options: ImportOptions
  readonly file: InputFile
  readonly run: Run
  readonly issues: IssueList
  readonly keeper: ProgressKeeper
  readonly resume: Resumed | undefined
}

/** `OtherLog`: the log doesn't hold what the progress file says was acknowledged; begin anew. */
type PassEnd = ImportFailure | 'OtherLog' | undefined

async function runOnce(pass: Pass): Promise<PassEnd> {
  const { options, run, resume } = pass
  const mapper = options.mapping.createMapper()
  if (resume === undefined && mapper.prelude.length > 0) {
    const failure = await sendPrelude(pass, mapper.prelude)
    if (failure !== undefined) return failure
  }
  const skipTo = resume?.acknowledgedRow ?? 0
  const probe: OutgoingEvent[] = []
  let delivery = skipTo === 0 ? newDelivery(pass) : undefined
  const { input } = options.mapping.mapping
  const items = readInput(pass.file, input, (read) => {
    run.read = read
  })
  for await (const item of items) {
    if (item._tag === 'Failed') return (await delivery?.finish()) ?? unreadable(item.failure)
    run.rows++
    if (item._tag === 'Row') options.onRow?.(item.cells)
    const events = mapItem(pass, mapper, item, run.rows > skipTo)
    if (run.rows <= skipTo) {
      remember(probe, events)
      continue
    }
    if (delivery === undefined) {
      const known = await confirmsProbe(pass, probe)
      if (known !== undefined) return known
      delivery = newDelivery(pass)
    }
    const taken = await delivery.offer({ row: run.rows, line: item.line, events })
    if (run.rows % STATUS_EVERY_ROWS === 0) tell(pass)
    if (!taken || options.signal?.aborted) break
  }
  return finish(pass, delivery, probe)
}

const STATUS_EVERY_ROWS = 100

async function finish(
  pass: Pass,
  delivery: Delivery | undefined,
  probe: readonly OutgoingEvent[],
): Promise<PassEnd> {
  // The file ends at or before the row that was acknowledged last: all that is left is to see that it is so.
  if (delivery === undefined) return confirmsProbe(pass, probe)
  const failure = await delivery.finish()
  tell(pass)
  if (failure !== undefined) return failure
  return pass.options.signal?.aborted ? { _tag: 'Interrupted', why: 'interrupted' } : undefined
}

/** The events of a row; none, and an issue, if it is refused. */
function mapItem(
  pass: Pass,
  mapper: Mapper,
  item: Exclude<InputItem, { _tag: 'Failed' }>,
  isNew: boolean,
): readonly OutgoingEvent[] {
  const { run, issues } = pass
  const mapped =
    item._tag === 'BadRow'
      ? E.left({ reason: item.reason, message: item.message })
      : mapper.map({ row: run.rows, line: item.line, cells: item.cells })
  if (E.isRight(mapped)) {
    run.events += isNew ? mapped.right.length : 0
    return mapped.right
  }
  run.refusedRows++
  const endLine = item._tag === 'BadRow' && item.endLine > item.line ? item.endLine : undefined
  const { reason, message } = mapped.left
  const issue: Issue = { kind: 'row_refused', row: run.rows, line: item.line, endLine, reason, message }
  // The run before has reported the rows that it got through.
  if (isNew) issues.add(issue)
  return []
}

function newDelivery(pass: Pass): Delivery {
  const { run, issues, keeper } = pass
  return deliveryOf(pass, (throughRow, settled) => {
    for (const event of settled) note(run, issues, event)
    run.acknowledgedRow = throughRow
    const { read, tally } = run
    keeper.save({ acknowledgedRow: throughRow, read, tally })
  })
}

function deliveryOf(
  pass: Pass,
  onAcknowledged: (throughRow: number, settled: readonly SettledEvent[]) => void,
): Delivery {
  const { options, run } = pass
  return createDelivery({
    sender: options.sender,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    clock: options.clock,
    signal: options.signal,
    onWaiting: (why) => {
      run.waiting = why
      tell(pass)
    },
    onAcknowledged,
  })
}

/** Definitions come first: they are acknowledged before the first row is sent. */
async function sendPrelude(pass: Pass, events: readonly OutgoingEvent[]): Promise<ImportFailure | undefined> {
  pass.run.events += events.length
  const delivery = deliveryOf(pass, (_row, settled) => {
    for (const event of settled) note(pass.run, pass.issues, { ...event, row: 0 })
  })
  await delivery.offer({ row: 1, line: 0, events })
  return delivery.finish()
}

/** The first and the last event that were acknowledged: a log that was restored from a backup may lack the last. */
function remember(probe: OutgoingEvent[], events: readonly OutgoingEvent[]): void {
  const last = events.at(-1)
  if (last !== undefined) probe[probe.length === 0 ? 0 : 1] = last
}

/** Sends what should be there already; undefined if it is. */
async function confirmsProbe(pass: Pass, probe: readonly OutgoingEvent[]): Promise<PassEnd> {
  let appended = false
  const delivery = deliveryOf(pass, (_row, settled) => {
    appended ||= settled.some(({ result }) => result.status === 'appended')
  })
  await delivery.offer({ row: 1, line: 0, events: probe })
  const failure = await delivery.finish()
  return failure ?? (appended ? 'OtherLog' : undefined)
}

function tell({ options, file, run }: Pass): void {
  options.onProgress?.({
    bytesRead: run.read.bytes,
    sizeBytes: file.fingerprint.sizeBytes,
    rows: run.rows,
    events: run.events,
    acknowledgedRow: run.acknowledgedRow,
    waiting: run.waiting,
  })
}

function nothingDone(): ImportReport {
  return reportOf(newRun(), [], undefined, 0)
}

function unreadable(failure: InputFailure): ImportFailure {
  return { _tag: 'Unreadable', why: failure.message, reason: failure.reason }
}
