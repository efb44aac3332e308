import assert from 'node:assert/strict'
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'

/**
 * Bytes of a compressed file that can't be restored. They are neither zeros nor the end of the file: whoever meets
 * this error knows nothing of them.
 */
export class UnreadableBytes extends Error {
  /** Where they begin, in the file as it was before compression. */
  readonly from: number
  /** Where they end; infinity where that is unknown. */
  readonly until: number
  constructor(from: number, until: number, why: string) {
    super(why)
    this.name = 'UnreadableBytes'
    this.from = from
    this.until = until
  }
}

/** Parts of a file, each verified by itself whenever it is read. They follow each other without gaps. */
export interface VerifiedParts {
  /** The part that holds a byte; the number of parts where there is none. */
  indexOf(offset: number): number
  /** Where a part begins, and the one before it ends; infinity beyond the end of the last part. */
  start(index: number): number
  /** Parts that hold these bytes will be read one after the other, and no others: to be fetched at once. */
  fetch(from: number, until: number): void
}

/** What the log asks of an open file. Failures throw errors with the system's `code`, as Node's do. */
export interface LogFile {
  /**
   * Fills `into` from `offset` on; answers the bytes read, fewer only at the end of the file. Throws
   * `UnreadableBytes` when it can't give all that is asked for.
   */
  read(into: Uint8Array, offset: number): number
  /** Undefined where whoever reads has to verify what he read. Whole parts are read at the least cost. */
  parts?(): VerifiedParts | undefined
  /** Answers the bytes written, which may be fewer. */
  write(bytes: Uint8Array, offset: number): number
  /** Makes content and size durable. */
  sync(): void
  truncate(sizeBytes: number): void
  sizeBytes(): number
  close(): void
}

/** What the log asks of a disk: so little that a fake one with faults can stand behind it. */
export interface Files {
  /** Creates the directory and those above it. */
  makeDirectory(directory: string): void
  list(directory: string): readonly string[]
  openRead(path: string): LogFile
  openWrite(path: string): LogFile
  /** A new file, empty; whatever had this name is replaced. */
  create(path: string): LogFile
  rename(from: string, to: string): void
  remove(path: string): void
  /** Makes the names in a directory durable. */
  syncDirectory(directory: string): void
}

export const systemFiles: Files = {
  makeDirectory: (directory) => {
    mkdirSync(directory, { recursive: true })
  },
  list: (directory) => readdirSync(directory),
  openRead: (path) => systemFile(openSync(path, 'r')),
  openWrite: (path) => systemFile(openSync(path, 'r+')),
  create: (path) => systemFile(openSync(path, 'w+')),
  rename: (from, to) => renameSync(from, to),
  remove: (path) => unlinkSync(path),
  syncDirectory: (directory) => {
    const fd = openSync(directory, 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  },
}

function systemFile(fd: number): LogFile {
  return {
    read: (into, offset) => readFully(fd, into, offset),
    write: (bytes, offset) => writeSync(fd, bytes, 0, bytes.length, offset),
    sync: () => fdatasyncSync(fd),
    truncate: (sizeBytes) => ftruncateSync(fd, sizeBytes),
    sizeBytes: () => fstatSync(fd).size,
    close: () => closeSync(fd),
  }
}

function readFully(fd: number, into: Uint8Array, offset: number): number {
  let done = 0
  while (done < into.length) {
    const count = readSync(fd, into, done, into.length - done, offset + done)
    if (count === 0) break
    done += count
  }
  return done
}

/** Writes all of `bytes`, in as many writes as the system makes of it. */
export function writeFully(file: LogFile, bytes: Uint8Array, offset: number): void {
  let done = 0
  while (done < bytes.length) {
    const count = file.write(bytes.subarray(done), offset + done)
    assert.ok(count > 0, 'a write wrote nothing')
    done += count
  }
}

/** Whether it is a disk that failed, and not us. */
export function isDiskError(error: unknown): error is Error {
  return errorCode(error) !== '' && !(error instanceof assert.AssertionError)
}

/** The system's code of a failure (`ENOSPC`), or '' where it has none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
