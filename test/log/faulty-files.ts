import type { Files, LogFile } from '../../engine/log/embedded/files.ts'

/** What a test lets a disk do. */
export interface Faults {
  /** Bytes that files may still grow by. A write beyond it is short first, then fails with ENOSPC. */
  roomBytes: number
  /** Longest write that is done at once. */
  longestWriteBytes: number
  /** Calls of this kind fail with this code. */
  failing: { readonly call: 'write' | 'sync' | 'create' | 'rename'; readonly code: string } | undefined
}

export function noFaults(): Faults {
  return {
    roomBytes: Number.POSITIVE_INFINITY,
    longestWriteBytes: Number.POSITIVE_INFINITY,
    failing: undefined,
  }
}

class DiskError extends Error {
  readonly code: string
  constructor(code: string) {
    super(`${code}: made for a test`)
    this.code = code
  }
}

/** `files` with faults, which the test may change at any time. */
export function faultyFiles(files: Files, faults: Faults): Files {
  const check = (call: NonNullable<Faults['failing']>['call']): void => {
    if (faults.failing?.call === call) throw new DiskError(faults.failing.code)
  }
  const wrap = (file: LogFile): LogFile => ({
    ...file,
    write: (bytes, offset) => {
      check('write')
      const sizeBytes = file.sizeBytes()
      const end = Math.min(offset + bytes.length, sizeBytes + faults.roomBytes)
      const count = Math.min(end - offset, faults.longestWriteBytes)
      if (count <= 0) throw new DiskError('ENOSPC')
      faults.roomBytes -= Math.max(0, offset + count - sizeBytes)
      return file.write(bytes.subarray(0, count), offset)
    },
    sync: () => {
      check('sync')
      file.sync()
    },
    truncate: (sizeBytes) => {
      faults.roomBytes += file.sizeBytes() - sizeBytes
      file.truncate(sizeBytes)
    },
  })
  return {
    ...files,
    openWrite: (path) => wrap(files.openWrite(path)),
    create: (path) => {
      check('create')
      return wrap(files.create(path))
    },
    rename: (from, to) => {
      check('rename')
      files.rename(from, to)
    },
  }
}
