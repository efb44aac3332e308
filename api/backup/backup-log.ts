import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { REBUILT_DIRECTORY, TILE_DIRECTORY } from '../../engine/audit/format.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import { COMPRESSED_SUFFIX, FORMAT_VERSION, SEGMENT_SUFFIX } from '../../engine/log/embedded/format.ts'
import { segmentName } from '../../engine/log/embedded/segment.ts'
import { syncDirectory } from '../../engine/privacy/master-key.ts'
import { markOf } from '../../engine/projector/mark.ts'
import { DATA_FORMAT } from '../engine.ts'
import { copyDurably, type Digest, digestOf, makeDurably, type OnBytes, UNFINISHED } from './durable-files.ts'
import { BackupRefused } from './failure.ts'
import { FORGOTTEN } from './forgotten.ts'
import { assertEnds, cutLog, type LogCut, type SegmentCut, walkSegment } from './log-cut.ts'
import { openPrefix } from './log-prefix.ts'
import {
  compactInstant,
  findManifest,
  type LogManifest,
  MANIFEST,
  manifestVersion,
  type StoredFile,
  writeManifest,
} from './manifest.ts'
import { copyDatabase } from './sqlite-copy.ts'
import { storedLog } from './stored-log.ts'

export interface LogBackupOptions {
  /** The engine's data directory. */
  readonly data: string
  readonly to: string
  readonly workspace: string
  readonly release: string
  readonly nowMs: number
  readonly files: Files
  /** Bytes read so far, of how many. */
  readonly onProgress: (doneBytes: number, ofBytes: number) => void
}

export interface LogBackupReport {
  readonly manifest: LogManifest
  readonly cut: LogCut
  readonly copiedFiles: number
  readonly copiedBytes: number
  /** Sealed segments that the backup had already. */
  readonly keptFiles: number
}

/** Sealed segments: they never change, so every backup after theirs refers to the same copy. */
const SEGMENTS = 'segments'

/**
 * Brings a backup of the log up to date. The manifest is replaced last, in one step: until then the directory holds the
 * former backup whole, since nothing that it refers to is touched. Throws `BackupRefused`, `LogDamaged`.
 *
 * What points into the log (tree heads, ops, marks of pulls) is copied before it, so that nothing says more than the log
 * has; what the log points to (quarantined bodies, keys) after it, so that everything it names is there.
 */
export async function backupLog(options: LogBackupOptions): Promise<LogBackupReport> {
  const { data, to, nowMs } = options
  const former = formerOf(to)
  makeDurably(join(to, SEGMENTS))
  const run = new Run(options, former, `at-${compactInstant(nowMs)}`)
  await run.copyPointers()
  const cut = cutLog(options.files, join(data, 'log'))
  await checkSuccession(options, former, cut)
  run.copySegments(cut)
  await run.copyDatabase('quarantine/quarantine.sqlite')
  const manifest: LogManifest = {
    backup: 'headwater-log',
    version: manifestVersion(),
    release: options.release,
    workspace: cut.workspace ?? options.workspace,
    logId: cut.logId ?? null,
    takenAt: new Date(nowMs).toISOString(),
    dataFormat: DATA_FORMAT,
    logFormat: FORMAT_VERSION,
    head: cut.head,
    files: run.stored,
  }
  writeManifest(to, manifest)
  removeUnreferenced(to, manifest)
  const { copiedFiles, copiedBytes, keptFiles } = run
  return { manifest, cut, copiedFiles, copiedBytes, keptFiles }
}

function formerOf(directory: string): LogManifest | undefined {
  const former = findManifest(directory)
  if (former === undefined || former.backup === 'headwater-log') return former
  throw new BackupRefused(`${directory} holds a backup of the key store: keep the two in separate places`)
}

/** A backup never forgets what it has: a log that lacks some of it goes elsewhere. */
async function checkSuccession(
  { to, data, files }: LogBackupOptions,
  former: LogManifest | undefined,
  cut: LogCut,
): Promise<void> {
  if (former === undefined || former.logId === null) return
  const { position, mark } = former.head
  if (cut.head.position < position) {
    throw new BackupRefused(
      `the log ends at position ${cut.head.position}, its backup in ${to} at ${position}: the log has lost its end. Back it up elsewhere, and keep that backup`,
    )
  }
  const log = openPrefix(files, join(data, 'log'), cut.head)
  try {
    const event = await log.at(position)
    if (cut.logId === former.logId && event !== undefined && markOf(event) === mark) return
  } finally {
    await log.close()
  }
  throw new BackupRefused(
    `${to} holds the backup of another log than that of ${data}: back this one up elsewhere`,
  )
}

class Run {
  readonly stored: StoredFile[] = []
  copiedFiles = 0
  copiedBytes = 0
  keptFiles = 0
  readonly #options: LogBackupOptions
  readonly #former: ReadonlyMap<string, StoredFile>
  /** Holds what changes from backup to backup. */
  readonly #folder: string
  #doneBytes = 0
  #ofBytes = 0

  constructor(options: LogBackupOptions, former: LogManifest | undefined, folder: string) {
    this.#options = options
    this.#former = new Map(former?.files.map((file) => [file.stored, file]))
    this.#folder = folder
  }

  /** What may not be ahead of the log. */
  async copyPointers(): Promise<void> {
    const { data } = this.#options
    for (const path of filesBelow(data, 'audit', AUDIT_REBUILDABLE)) this.#copy(path)
    for (const path of filesBelow(data, 'pulls', new Set())) this.#copy(path)
    if (existsSync(join(data, FORGOTTEN))) this.#copy(FORGOTTEN)
    await this.copyDatabase('ops.sqlite')
  }

  async copyDatabase(path: string): Promise<void> {
    const from = join(this.#options.data, path)
    if (!existsSync(from)) return
    const stored = this.#place(path)
    const to = join(this.#options.to, stored)
    await copyDatabase(from, to)
    this.#note({ path, stored, ...digestOf(to, () => {}) })
  }

  copySegments({ segments }: LogCut): void {
    const { data } = this.#options
    this.#ofBytes = segments.reduce((sum, { first, untilBytes }) => {
      return sum + (untilBytes ?? sizeOf(segmentPath(data, first)))
    }, 0)
    let last = 0
    for (const segment of segments) last = this.#segment(segment, last)
    syncDirectory(join(this.#options.to, SEGMENTS))
  }

  /** Answers its last position. */
  #segment(segment: SegmentCut, before: number): number {
    const { data } = this.#options
    try {
      return this.#segmentFrom(segmentPath(data, segment.first), segment, before)
    } catch (error) {
      // Compressed just now: the plain file is gone, and what it held has another name.
      if (!isAway(error)) throw error
      return this.#segmentFrom(segmentPath(data, segment.first), segment, before)
    }
  }

  #segmentFrom(from: string, { first, untilBytes }: SegmentCut, before: number): number {
    const { to } = this.#options
    const name = from.slice(from.lastIndexOf('/') + 1)
    const path = `log/${name}`
    const known = untilBytes === undefined ? this.#keptCopy(from, `${SEGMENTS}/${name}`) : undefined
    if (known?.last !== undefined) {
      this.stored.push({ ...known, path })
      this.keptFiles += 1
      return known.last
    }
    const stored = this.#segmentPlace(name, untilBytes)
    const digest = copyDurably(from, join(to, stored), this.#onBytes, untilBytes)
    const copied: StoredFile = { path, stored, ...digest, first }
    const last = this.#verified(copied, first, before)
    this.#note({ ...copied, last })
    return last
  }

  /** A copy that the backup has already, where its content is the source's. */
  #keptCopy(from: string, stored: string): StoredFile | undefined {
    const former = this.#former.get(stored)
    if (former === undefined || former.sizeBytes !== sizeOf(from)) return undefined
    if (sizeOf(join(this.#options.to, stored)) !== former.sizeBytes) return undefined
    const digest = digestOf(from, this.#onBytes)
    if (same(digest, former)) return former
    this.#doneBytes -= digest.sizeBytes
    return undefined
  }

  /** A copy that the former backup refers to stays as it is until the new manifest stands. */
  #segmentPlace(name: string, untilBytes: number | undefined): string {
    const place = `${SEGMENTS}/${name}`
    return untilBytes !== undefined || this.#former.has(place) ? this.#place(`log/${name}`) : place
  }

  /** Checks a copied segment's blocks, and that it follows the one before. */
  #verified(copied: StoredFile, first: number, before: number): number {
    const { files, to } = this.#options
    const walked = walkSegment(storedLog(files, to, [copied]), to, first)
    assertEnds(walked, first)
    if (walked.header.previous === before) return walked.last
    throw new BackupRefused(
      `the log lacks positions after ${before}, before its segment ${segmentName(first)}: restore that segment first; the former backup is untouched`,
    )
  }

  #copy(path: string): void {
    const { data, to } = this.#options
    const stored = this.#place(path)
    try {
      this.#note({ path, stored, ...copyDurably(join(data, path), join(to, stored), () => {}) })
    } catch (error) {
      // Replaced or taken away since it was listed.
      if (!isAway(error)) throw error
      rmSync(join(to, stored) + UNFINISHED, { force: true })
    }
  }

  /** Where a file that changes from backup to backup lies. */
  #place(path: string): string {
    const stored = `${this.#folder}/${path}`
    makeDurably(join(this.#options.to, stored, '..'))
    return stored
  }

  #note(file: StoredFile): void {
    const { to } = this.#options
    syncDirectory(join(to, file.stored, '..'))
    this.stored.push(file)
    this.copiedFiles += 1
    this.copiedBytes += file.sizeBytes
  }

  readonly #onBytes: OnBytes = (count) => {
    this.#doneBytes += count
    this.#options.onProgress(this.#doneBytes, this.#ofBytes)
  }
}

/** Made anew from the log. */
const AUDIT_REBUILDABLE: ReadonlySet<string> = new Set([TILE_DIRECTORY, REBUILT_DIRECTORY])

/** Paths of the files below a folder of the data directory, but those in folders that are left out. */
function filesBelow(data: string, folder: string, without: ReadonlySet<string>): readonly string[] {
  if (!existsSync(join(data, folder))) return []
  return readdirSync(join(data, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return without.has(entry.name) ? [] : filesBelow(data, path, without)
    return entry.isFile() && !UNFINISHED_NAME.test(entry.name) ? [path] : []
  })
}

const UNFINISHED_NAME = /\.(?:new|tmp)$/

/** A segment's file as it is now; where it is there plain and compressed, the plain one counts. */
function segmentPath(data: string, first: number): string {
  const plain = join(data, 'log', segmentName(first))
  return existsSync(plain) ? plain : plain.replace(SEGMENT_SUFFIX, COMPRESSED_SUFFIX)
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function same(a: Digest, b: Digest): boolean {
  return a.sizeBytes === b.sizeBytes && a.sha256 === b.sha256
}

function isAway(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** What older and unfinished backups left. */
function removeUnreferenced(to: string, manifest: LogManifest): void {
  const wanted = new Set(manifest.files.map(({ stored }) => stored))
  const folders = new Set(manifest.files.map(({ stored }) => stored.split('/')[0]))
  for (const name of readdirSync(to)) {
    if (/^at-\d{8}T\d{9}Z$/.test(name) && !folders.has(name)) rmSync(join(to, name), { recursive: true })
  }
  for (const name of readdirSync(join(to, SEGMENTS))) {
    if (/^\d{20}\.hwl/.test(name) && !wanted.has(`${SEGMENTS}/${name}`)) rmSync(join(to, SEGMENTS, name))
  }
  rmSync(join(to, MANIFEST + UNFINISHED), { force: true })
}
