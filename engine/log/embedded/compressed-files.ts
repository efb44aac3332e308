import assert from 'node:assert/strict'
import { basename, dirname, join } from 'node:path'
import { errorCode, type Files, type LogFile, writeFully } from './files.ts'
import { COMPRESSED_SUFFIX, SEGMENT_SUFFIX, UNFINISHED_SUFFIX } from './format.ts'
import { FrameCache } from './frame-cache.ts'
import { MAX_FRAME_BYTES } from './seekable-zstd.ts'
import { openSeekable } from './seekable-zstd-reader.ts'
import { parseSegmentName } from './segment.ts'

/** What a compressed segment's name adds to the plain one's. */
const ADDED_SUFFIX = COMPRESSED_SUFFIX.slice(SEGMENT_SUFFIX.length)
/**
 * A directory with fewer names is listed in one system call (32 KiB of entries), between two changes of it. In a larger
 * one a segment that is compressed meanwhile can be missed under both names.
 */
const LISTED_AT_ONCE = 256

/** A plain segment that is open for reading; replaced by its compressed copy when it was removed. */
interface OpenPlain {
  readonly path: string
  /** Unless the copy isn't whole. */
  replace(compressed: LogFile): void
}

const underlying = new WeakMap<Files, Files>()

/** The disk itself, behind `withCompressed`. */
export function plainFiles(files: Files): Files {
  return underlying.get(files) ?? files
}

/**
 * `files`, with compressed segments under their plain names: listed so, and restored while they are read. Where both
 * copies exist the plain one counts. A plain one that stays open while another thread compresses it is exchanged for
 * the compressed copy at the next `list`, which gives its room on the disk back. Opening a compressed segment for
 * writing restores the plain one.
 */
export function withCompressed(files: Files): Files {
  if (underlying.has(files)) return files
  const cache = new FrameCache()
  const openPlains = new Set<OpenPlain>()
  const wrapped: Files = {
    ...files,
    list: (directory) => {
      const names = listAll(files, directory)
      exchangeRemoved(directory, names, openPlains, (path) => openCompressed(files, path, cache))
      return [...new Set([...names].map(plainName))]
    },
    openRead: (path) => {
      if (!isSegment(path)) return files.openRead(path)
      return orElse(
        () => trackPlain(path, files.openRead(path), openPlains),
        () => openCompressed(files, path, cache),
      )
    },
    openWrite: (path) => {
      if (!isSegment(path)) return files.openWrite(path)
      return orElse(
        () => files.openWrite(path),
        () => {
          restorePlain(files, path, openCompressed(files, path, cache))
          return files.openWrite(path)
        },
      )
    },
  }
  underlying.set(wrapped, files)
  return wrapped
}

function isSegment(path: string): boolean {
  return parseSegmentName(basename(path)) !== undefined
}

function plainName(name: string): string {
  const plain = name.slice(0, -ADDED_SUFFIX.length)
  return name.endsWith(COMPRESSED_SUFFIX) && isSegment(plain) ? plain : name
}

function listAll(files: Files, directory: string): ReadonlySet<string> {
  const names = files.list(directory)
  return new Set(names.length < LISTED_AT_ONCE ? names : [...names, ...files.list(directory)])
}

/** Does `second` where `first` finds no such file. */
function orElse<T>(first: () => T, second: () => T): T {
  try {
    return first()
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    try {
      return second()
    } catch (other) {
      throw errorCode(other) === 'ENOENT' ? error : other
    }
  }
}

function openCompressed(files: Files, path: string, cache: FrameCache): LogFile {
  return openSeekable(files.openRead(path + ADDED_SUFFIX), cache)
}

function trackPlain(path: string, file: LogFile, openPlains: Set<OpenPlain>): LogFile {
  let current = file
  const entry: OpenPlain = {
    path,
    replace: (compressed) => {
      const whole = compressed.sizeBytes() === current.sizeBytes()
      const dropped = whole ? current : compressed
      if (whole) current = compressed
      dropped.close()
    },
  }
  openPlains.add(entry)
  return {
    read: (into, offset) => current.read(into, offset),
    parts: () => current.parts?.(),
    write: (bytes, offset) => current.write(bytes, offset),
    sync: () => current.sync(),
    truncate: (sizeBytes) => current.truncate(sizeBytes),
    sizeBytes: () => current.sizeBytes(),
    close: () => {
      openPlains.delete(entry)
      current.close()
    },
  }
}

function exchangeRemoved(
  directory: string,
  names: ReadonlySet<string>,
  openPlains: Set<OpenPlain>,
  open: (path: string) => LogFile,
): void {
  for (const plain of openPlains) {
    const name = basename(plain.path)
    if (plain.path !== join(directory, name)) continue
    if (names.has(name) || !names.has(name + ADDED_SUFFIX)) continue
    plain.replace(open(plain.path))
    openPlains.delete(plain)
  }
}

/** Makes the plain file anew, whole or not at all. The compressed one stays; it no longer counts. */
function restorePlain(files: Files, path: string, compressed: LogFile): void {
  const unfinished = path.replace(/\.hwl$/, UNFINISHED_SUFFIX)
  try {
    const file = files.create(unfinished)
    try {
      copyTo(file, compressed)
      file.sync()
    } finally {
      file.close()
    }
    files.rename(unfinished, path)
    files.syncDirectory(dirname(path))
  } finally {
    compressed.close()
  }
}

function copyTo(file: LogFile, from: LogFile): void {
  const bytes = Buffer.allocUnsafeSlow(MAX_FRAME_BYTES)
  for (let at = 0; ; ) {
    const count = from.read(bytes, at)
    writeFully(file, bytes.subarray(0, count), at)
    at += count
    if (count < bytes.length) return
  }
}

assert.ok(COMPRESSED_SUFFIX.startsWith(SEGMENT_SUFFIX))
