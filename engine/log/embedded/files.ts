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

/** What the log asks of an open file. Failures throw errors with the system's `code`, as Node's do. */
export interface LogFile {
  /** Fills `into` from `offset` on; answers the bytes read, fewer only at the end of the file. */
  read(into: Uint8Array, offset: number): number
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

/** The system's code of a failure (`ENOSPC`), or '' where it has none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
