import { join } from 'node:path'
import { LogDamaged } from '../log.ts'
import { isZeroFrom } from './block-search.ts'
import { withCompressed } from './compressed-files.ts'
import type { Files } from './files.ts'
import { isDiskError, UnreadableBytes } from './files.ts'
import { IndexDamaged } from './index/index-file.ts'
import { INDEX_DIRECTORY, KEY_RUN_SUFFIX } from './index/index-format.ts'
import { type IndexKeys, readIndexKeys } from './index/index-keys.ts'
import { KeyRun } from './index/key-run.ts'
import { SegmentIndex } from './index/segment-index.ts'
import { type KeyCounts, verifySegmentIndex } from './index/verify-index.ts'
import { segmentName } from './segment.ts'
import { SegmentList } from './segment-list.ts'
import { type SegmentReader, UnsupportedFormat } from './segment-reader.ts'
import { Window } from './window.ts'

export type LogFinding =
  /** Events that can't be read. */
  | { readonly _tag: 'Damaged'; readonly damage: LogDamaged }
  /** The segment doesn't follow the one before it: it repeats positions, or some are missing. */
  | { readonly _tag: 'Chain'; readonly segment: string; readonly after: number; readonly previous: number }
  | { readonly _tag: 'UnsupportedFormat'; readonly segment: string; readonly version: number }
  /** The index file says something else than the segment, or is damaged. Removing it while the engine is stopped mends it. */
  | { readonly _tag: 'Index'; readonly path: string; readonly why: string }
  /** The last segment ends in an unfinished block, never acknowledged; the next start cuts it. */
  | { readonly _tag: 'TornTail'; readonly segment: string; readonly offset: number }

export interface VerifyProgress {
  /** Of the log's bytes, before compression. */
  readonly doneBytes: number
  readonly totalBytes: number
  readonly segment: string
  readonly events: number
  /** The last position read. */
  readonly position: number
  /** What was found since the last step. */
  readonly findings: readonly LogFinding[]
}

const READ_BYTES = 1024 * 1024
const STEP_BYTES = 4 * READ_BYTES

/**
 * Reads and checks every block of every segment, and the index files against them; changes nothing, and may run beside
 * the engine, of whose log it checks what was there when it began. Yields some hundred times a gigabyte.
 */
export function* verifyLog(disk: Files, directory: string): Generator<VerifyProgress> {
  const files = withCompressed(disk)
  const segments = new SegmentList(files, directory)
  const keys = readIndexKeys(files, join(directory, INDEX_DIRECTORY))
  const state = { doneBytes: 0, totalBytes: 0, events: 0, position: 0 }
  const counts = new Map<number, KeyCounts>()
  try {
    state.totalBytes = totalBytes(segments)
    for (const [i, first] of segments.firsts.entries()) {
      const findings: LogFinding[] = []
      const before = state.doneBytes
      for (const _ of checkSegment(segments, i, state, findings)) {
        yield { ...state, segment: segmentName(first), findings: findings.splice(0) }
      }
      state.doneBytes = before + sizeOf(segments, i)
      checkIndex(files, directory, { first, keys, last: state.position }, findings, counts)
      yield { ...state, segment: segmentName(first), findings }
    }
    const findings = checkRuns(files, directory, keys, counts)
    if (findings.length > 0) yield { ...state, segment: '', findings }
  } finally {
    segments.close()
  }
}

function totalBytes(segments: SegmentList): number {
  let sum = 0
  for (const i of segments.firsts.keys()) sum += sizeOf(segments, i)
  return sum
}

/** 0 for one that can't be opened: whoever checks it says so. */
function sizeOf(segments: SegmentList, at: number): number {
  try {
    return segments.at(at)?.file.sizeBytes() ?? 0
  } catch {
    return 0
  }
}

interface Walked {
  doneBytes: number
  events: number
  position: number
}

function* checkSegment(
  segments: SegmentList,
  at: number,
  state: Walked,
  findings: LogFinding[],
): Generator<undefined> {
  const segment = openSegment(segments, at, findings)
  if (segment === undefined) return
  const { previous } = segment.header
  if (previous !== state.position) {
    findings.push({ _tag: 'Chain', segment: segment.name, after: state.position, previous })
  }
  const before = state.doneBytes
  segment.extend(Number.POSITIVE_INFINITY)
  const window = new Window(segment.file, READ_BYTES)
  let told = 0
  for (let i = 0; i < segment.blockCount; i++) {
    checkBlock(segment, i, window, state, findings)
    const place = segment.place(i)
    state.doneBytes = before + (place?.offset ?? 0) + (place?.sizeBytes ?? 0)
    if (state.doneBytes - before - told < STEP_BYTES) continue
    told = state.doneBytes - before
    yield
  }
  state.position = Math.max(state.position, segment.last)
  if (isZeros(segment)) return
  if (at === segments.firsts.length - 1) {
    findings.push({ _tag: 'TornTail', segment: segment.name, offset: segment.end })
    return
  }
  const until = segments.firsts[at + 1]
  const why = 'no whole block begins there'
  const damage = new LogDamaged(segment.name, segment.end, segment.last + 1, until, why)
  findings.push({ _tag: 'Damaged', damage })
  // What is missing was told of.
  state.position = Math.max(state.position, (until ?? 0) - 1)
}

function openSegment(segments: SegmentList, at: number, findings: LogFinding[]): SegmentReader | undefined {
  try {
    return segments.at(at)
  } catch (error) {
    if (error instanceof LogDamaged) findings.push({ _tag: 'Damaged', damage: error })
    else if (error instanceof UnsupportedFormat)
      findings.push({ _tag: 'UnsupportedFormat', segment: error.segment, version: error.version })
    else throw error
    return undefined
  }
}

function checkBlock(
  segment: SegmentReader,
  index: number,
  window: Window,
  state: Walked,
  findings: LogFinding[],
): void {
  const hole = segment.damageBefore(index)
  if (hole !== undefined) findings.push({ _tag: 'Damaged', damage: hole })
  try {
    const block = segment.block(index, window)
    state.events += block.count
  } catch (error) {
    if (!(error instanceof LogDamaged)) throw error
    findings.push({ _tag: 'Damaged', damage: error })
  }
}

function isZeros(segment: SegmentReader): boolean {
  try {
    return isZeroFrom(segment.file, segment.end)
  } catch (error) {
    if (error instanceof UnreadableBytes) return false
    throw error
  }
}

function checkIndex(
  files: Files,
  directory: string,
  segment: { readonly first: number; readonly last: number; readonly keys: IndexKeys | undefined },
  findings: LogFinding[],
  counts: Map<number, KeyCounts>,
): void {
  let index: SegmentIndex | undefined
  try {
    index = SegmentIndex.open(files, directory, segment.first)
    // One under a key that was lost serves nobody, and is made anew at the next start.
    const ours = segment.keys?.check.every((byte, i) => index?.keyCheck[i] === byte) === true
    if (ours && segment.keys !== undefined) {
      counts.set(segment.first, verifySegmentIndex(files, directory, index, segment.keys))
    }
  } catch (error) {
    if (error instanceof IndexDamaged) findings.push({ _tag: 'Index', path: error.path, why: error.message })
    // A segment that can't be read was told of.
    else if (!(error instanceof LogDamaged) && !isDiskError(error)) throw error
  } finally {
    index?.close()
  }
}

function checkRuns(
  files: Files,
  directory: string,
  keys: IndexKeys | undefined,
  counts: ReadonlyMap<number, KeyCounts>,
): LogFinding[] {
  const findings: LogFinding[] = []
  for (const name of namesOf(files, join(directory, INDEX_DIRECTORY))) {
    if (!name.endsWith(KEY_RUN_SUFFIX)) continue
    let run: KeyRun | undefined
    try {
      run = KeyRun.open(files, directory, name)
      run.verify()
      const events = run.covers.reduce((sum, { first }) => sum + (counts.get(first)?.events ?? Number.NaN), 0)
      if (keys !== undefined && !Number.isNaN(events) && run.ids.count !== events)
        throw new IndexDamaged(run.path, `${run.ids.count} ids of ${events} events`)
    } catch (error) {
      if (error instanceof IndexDamaged)
        findings.push({ _tag: 'Index', path: error.path, why: error.message })
      else if (!isDiskError(error)) throw error
    } finally {
      run?.close()
    }
  }
  return findings
}

function namesOf(files: Files, directory: string): readonly string[] {
  try {
    return files.list(directory)
  } catch (error) {
    if (isDiskError(error)) return []
    throw error
  }
}
