import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import type { FailedImport } from '../import/import.ts'
import { type InputFile, messageOf, openInput } from '../import/input-file.ts'
import { type Complete, completeLines } from './complete-lines.ts'
import { type FileMark, type Marks, readMarks, writeMarks } from './mark-file.ts'
import type { FolderPull, PullIssue, PullMark, PullRun } from './pull.ts'
import { importInput, marksOf, type PullContext, RunTotals } from './run-import.ts'

/** One run over a folder: what is new in its files, file by file in the order of their names. */

interface Found {
  readonly name: string
  /** Without links. */
  readonly path: string
  /** A link that leads out of the folder: whoever may drop files must not have others read for them. */
  readonly isOutside: boolean
  readonly inode: string
  readonly sizeBytes: number
  readonly modifiedMs: number
}

/** More files than this in one folder are not looked at: a run must end. */
const MAX_FILES = 10_000
/** Names that programs give to files that they are still writing. */
const UNFINISHED = /^\.|~$|\.(?:tmp|temp|part|partial|filepart|crdownload|new)$/i

export async function pullFolder(pull: FolderPull, context: PullContext): Promise<PullRun> {
  const totals = new RunTotals()
  let found: readonly Found[]
  try {
    found = await filesIn(pull)
  } catch (error) {
    return totals.end('failed', { error: `the folder can't be read (${codeOf(error)})` })
  }
  const marks = await readMarks(context.marksFile, marksOf(pull, context))
  const forgot = forgetMissing(marks, found)
  const byInode = new Map([...marks.files.values()].map((mark) => [mark.inode, mark]))
  const keeper = keepMarks(marks, context, forgot)
  try {
    return await pullFiles({ pull, context, marks, byInode, totals }, found, keeper.changed)
  } finally {
    await keeper.write()
  }
}

async function pullFiles(
  work: Work,
  found: readonly Found[],
  changed: () => Promise<void>,
): Promise<PullRun> {
  const { context, marks, totals } = work
  let unreadable = 0
  for (const file of found) {
    if (context.signal.aborted) return totals.end('interrupted')
    const after = await pullFile(work, file)
    if (after === undefined) continue
    if ('ended' in after) return after.ended
    if (after.failed !== undefined) unreadable += 1
    const renamed = work.byInode.get(file.inode)
    if (renamed !== undefined && marks.files.get(renamed.name)?.inode === file.inode) {
      marks.files.delete(renamed.name)
    }
    marks.files.set(file.name, after)
    await changed()
  }
  if (unreadable > 0) return totals.end('partial')
  return totals.end(totals.imported ? 'imported' : 'nothing_new')
}

/** Losing a second of marks costs a second of duplicates. */
const WRITE_EVERY_MS = 1_000

/** Writes marks now and then while a run goes on, and at its end; nothing where nothing changed. */
function keepMarks(marks: Marks, { marksFile, clock }: PullContext, changed: boolean) {
  let [dirty, lastMs] = [changed, clock.monotonicMs()]
  const write = async (): Promise<void> => {
    if (!dirty) return
    await writeMarks(marksFile, marks)
    dirty = false
    lastMs = clock.monotonicMs()
  }
  return {
    write,
    changed: async () => {
      dirty = true
      if (clock.monotonicMs() - lastMs >= WRITE_EVERY_MS) await write()
    },
  }
}

/** How far it has got, as the marks say. */
export async function folderMark(pull: FolderPull, context: PullContext): Promise<PullMark> {
  const { files } = await readMarks(context.marksFile, marksOf(pull, context))
  const all = [...files.values()]
  const sum = (of: (mark: FileMark) => number) => all.reduce((total, mark) => total + of(mark), 0)
  return {
    kind: 'folder',
    files: all.length,
    rows: sum(({ rows }) => rows),
    waitingBytes: sum((mark) => (mark.failed === undefined ? mark.sizeBytes - mark.doneBytes : 0)),
    unreadable: all.flatMap((mark) => (mark.failed === undefined ? [] : [issueOf(mark.name, mark.failed)])),
  }
}

function issueOf(file: string, failed: NonNullable<FileMark['failed']>): PullIssue {
  return { kind: 'unreadable', file, ...failed }
}

async function filesIn({ folder, files }: FolderPull): Promise<readonly Found[]> {
  const names = (await readdir(folder)).filter((name) => files.test(name) && !UNFINISHED.test(name)).sort()
  const found: Found[] = []
  const inside = join(await realpath(folder), sep)
  for (const name of names.slice(0, MAX_FILES)) {
    // Gone again since, or a link to nowhere: not ours to mind.
    const file = await fileAt(name, join(folder, name), inside).catch(() => undefined)
    if (file !== undefined) found.push(file)
  }
  return found
}

async function fileAt(name: string, link: string, inside: string): Promise<Found | undefined> {
  const path = await realpath(link)
  const isOutside = !path.startsWith(inside)
  const stats = await stat(path, { bigint: true })
  if (!stats.isFile()) return undefined
  // Of what lies elsewhere nothing is told, not even its size.
  const { ino, size, mtimeMs } = isOutside ? await lstat(link, { bigint: true }) : stats
  const [sizeBytes, modifiedMs] = [Number(size), Number(mtimeMs)]
  return { name, path, isOutside, inode: String(ino), sizeBytes, modifiedMs }
}

/** Marks of files that are there no more, but for those that may have been renamed. True if there were any. */
function forgetMissing(marks: Marks, found: readonly Found[]): boolean {
  const known = marks.files.size
  const names = new Set(found.map(({ name }) => name))
  const inodes = new Set(found.map(({ inode }) => inode))
  for (const mark of marks.files.values()) {
    if (!names.has(mark.name) && !inodes.has(mark.inode)) marks.files.delete(mark.name)
  }
  return marks.files.size < known
}

interface Work {
  readonly pull: FolderPull
  readonly context: PullContext
  readonly marks: Marks
  /** As they were when the run began, so that a renamed file is known again. */
  readonly byInode: ReadonlyMap<string, FileMark>
  readonly totals: RunTotals
}

/** The file's mark afterwards; undefined: nothing about it has changed. */
async function pullFile(
  work: Work,
  file: Found,
): Promise<FileMark | { readonly ended: PullRun } | undefined> {
  const { marks, context, pull } = work
  const own = marks.files.get(file.name)
  const rested = pull.finalLineAfterMs !== undefined && restedMs(file, context) >= pull.finalLineAfterMs
  const same = own !== undefined && unchanged(own, file)
  // What kept it from being opened (its permissions, say) may have gone without any change to the file itself.
  const shut = same && own.failed?.reason === 'not_readable'
  if (same && !shut && (!rested || own.failed !== undefined || own.doneBytes === own.sizeBytes))
    return undefined
  const before = work.byInode.get(file.inode) ?? own
  if (file.isOutside) return failed(work, file, undefined, OUTSIDE)
  const opened = await openInput(file.path)
  if (E.isLeft(opened)) return shut ? undefined : failed(work, file, before, opened.left)
  if (opened.right.gzip) return importWhole(work, file, opened.right)
  try {
    const complete = await completeLines(
      file.path,
      file.sizeBytes,
      pull.mapping.mapping.input,
      prefixOf(before),
    )
    return await importComplete(work, file, opened.right, { complete, before, rested })
  } catch (error) {
    // Errors of the operating system carry a code; anything else is a bug and must surface as one.
    if (codeOf(error) === '') throw error
    return failed(work, file, before, { reason: 'not_readable', message: messageOf(error) })
  }
}

const OUTSIDE = { reason: 'outside_folder', message: 'is a link that leads out of the folder' } as const

function restedMs(file: Found, { clock }: PullContext): number {
  return clock.nowMs() - file.modifiedMs
}

function unchanged(mark: FileMark, file: Found): boolean {
  return mark.inode === file.inode && mark.sizeBytes === file.sizeBytes && mark.modifiedMs === file.modifiedMs
}

function prefixOf(mark: FileMark | undefined) {
  return mark === undefined ? undefined : { bytes: mark.doneBytes, sha256: mark.sha256 }
}

/** Compressed files are written once: one that changed is read anew, one that isn't whole waits for its next change. */
function importWhole(work: Work, file: Found, input: InputFile) {
  const { sizeBytes, sha256 } = input.fingerprint
  return importUpTo(
    work,
    file,
    { ...input, endByte: sizeBytes },
    { bytes: sizeBytes, sha256, known: undefined },
  )
}

interface Looked {
  readonly complete: Complete
  readonly before: FileMark | undefined
  readonly rested: boolean
}

async function importComplete(
  work: Work,
  file: Found,
  input: InputFile,
  { complete, before, rested }: Looked,
) {
  const { bytes, sha256 } = rested ? complete.all : complete.whole
  const known = complete.continues ? before : undefined
  if (bytes === 0 || (known !== undefined && bytes === known.doneBytes)) {
    return markOf(file, { ...(known ?? NOTHING_DONE), doneBytes: bytes, sha256 })
  }
  const part = { ...input, endByte: bytes, fingerprint: { sizeBytes: bytes, sha256 } }
  return importUpTo(work, file, part, { bytes, sha256, known })
}

interface UpTo {
  readonly bytes: number
  readonly sha256: string
  /** What was imported of the same beginning before. */
  readonly known: FileMark | undefined
}

async function importUpTo(work: Work, file: Found, input: InputFile, { bytes, sha256, known }: UpTo) {
  const { pull, context, totals } = work
  const acknowledgedRow = known?.rows ?? 0
  const imported = await importInput(pull, context, { input, acknowledgedRow })
  const report = E.isRight(imported) ? imported.right : imported.left.report
  totals.add(report, known, file.name)
  work.marks.position = Math.max(work.marks.position, report.position)
  const { rows, refusedRows } = report
  if (E.isRight(imported)) return markOf(file, { doneBytes: bytes, sha256, rows, refusedRows })
  return notImported(work, file, known, imported.left)
}

/** A file that can't be read stands in nobody's way; an engine that takes nothing ends the run. */
function notImported(work: Work, file: Found, known: FileMark | undefined, { failure }: FailedImport) {
  switch (failure._tag) {
    case 'Interrupted':
      return { ended: work.totals.end('interrupted') }
    case 'Unreachable':
    case 'Rejected':
    case 'Unwritable':
      return { ended: work.totals.end('failed', { error: failure.why }) }
    case 'Unreadable':
      return failed(work, file, known, { reason: failure.reason, message: failure.why })
  }
}

/** Told once, and tried again when the file changes. */
function failed(
  { totals }: Work,
  file: Found,
  before: FileMark | undefined,
  why: NonNullable<FileMark['failed']>,
): FileMark {
  const { reason, message } = why
  totals.note(issueOf(file.name, { reason, message }))
  return { ...markOf(file, before ?? NOTHING_DONE), failed: { reason, message } }
}

type Done = Pick<FileMark, 'doneBytes' | 'sha256' | 'rows' | 'refusedRows'>

const NOTHING_DONE: Done = { doneBytes: 0, sha256: '', rows: 0, refusedRows: 0 }

function markOf(file: Found, { doneBytes, sha256, rows, refusedRows }: Done): FileMark {
  const { name, inode, sizeBytes, modifiedMs } = file
  return { name, inode, sizeBytes, modifiedMs, doneBytes, sha256, rows, refusedRows }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
