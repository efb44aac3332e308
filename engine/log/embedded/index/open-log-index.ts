import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Files } from '../files.ts'
import type { SegmentList } from '../segment-list.ts'
import { INDEX_DIRECTORY } from './index-format.ts'
import { type IndexKeys, indexKeys, makeIndexKeys, readIndexKeys } from './index-keys.ts'
import { IndexSet } from './index-set.ts'
import { LogIndex } from './log-index.ts'

const GIB = 1024 ** 3
/** Reading so much and making its index takes some seconds. */
const LONG_BYTES = GIB / 4

export interface OpenIndex {
  readonly index: LogIndex
  readonly set: IndexSet
  readonly keys: IndexKeys
}

/** The index of a log whose segments nobody else writes to, with the files that are there and sound. */
export function openLogIndex(
  files: Files,
  logDirectory: string,
  segments: SegmentList,
  options: { readonly memoryBytes: number; readonly onNotice: (message: string) => void },
): OpenIndex {
  const { memoryBytes, onNotice } = options
  const set = new IndexSet(files, logDirectory, memoryBytes)
  const keys = openKeys(files, join(logDirectory, INDEX_DIRECTORY), onNotice)
  try {
    set.open(keys, segments)
  } catch (error) {
    set.close()
    onNotice(`the index files of the log can't be read, and are made anew: ${messageOf(error)}`)
  }
  const index = new LogIndex({ files, logDirectory, keys, set, onNotice })
  tellOfLongWork(segments, index, onNotice)
  return { index, set, keys }
}

/** A log of the release before has no index files, and opens when they are made. */
function tellOfLongWork(segments: SegmentList, index: LogIndex, onNotice: (message: string) => void): void {
  let sizeBytes = 0
  for (const [i, first] of segments.firsts.slice(0, -1).entries()) {
    if (index.trusted(first) === undefined) sizeBytes += sizeOf(segments, i)
  }
  if (sizeBytes < LONG_BYTES) return
  const gigabytes = (sizeBytes / GIB).toFixed(1)
  onNotice(
    `the log's index is missing for ${gigabytes} GB and is made before the log opens: up to ten seconds a GB`,
  )
}

/** One that can't be opened is told of by those who read it. */
function sizeOf(segments: SegmentList, at: number): number {
  try {
    return segments.at(at)?.file.sizeBytes() ?? 0
  } catch {
    return 0
  }
}

/** A log without room for its index opens all the same: what isn't in files is in memory. */
function openKeys(files: Files, directory: string, onNotice: (message: string) => void): IndexKeys {
  const known = readIndexKeys(files, directory)
  if (known !== undefined) return known
  const secret = randomBytes(16)
  try {
    files.makeDirectory(directory)
    return makeIndexKeys(files, directory, secret)
  } catch (error) {
    onNotice(`the key of the log's index can't be written: ${messageOf(error)}`)
    return indexKeys(secret)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
