import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncDirectory } from '../../engine/privacy/master-key.ts'

/** What a backup says of each file's content. */
export interface Digest {
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
}

/** Told of bytes as they are read. */
export type OnBytes = (count: number) => void

/** A file under construction; one that is found was left by a crash and holds nothing. */
export const UNFINISHED = '.new'

const PIECE_BYTES = 1024 * 1024

/** Of the bytes before `untilBytes`. */
export function digestOf(path: string, onBytes: OnBytes, untilBytes = Number.POSITIVE_INFINITY): Digest {
  return withFile(openSync(path, 'r'), (file) => pass(file, untilBytes, onBytes, () => {}))
}

/**
 * Copies the bytes before `untilBytes`, and makes them durable before the copy gets its name. The directory's entry is
 * durable after `syncDirectory`.
 */
export function copyDurably(
  from: string,
  to: string,
  onBytes: OnBytes,
  untilBytes = Number.POSITIVE_INFINITY,
): Digest {
  const unfinished = to + UNFINISHED
  const digest = withFile(openSync(from, 'r'), (source) =>
    withFile(openSync(unfinished, 'w', 0o600), (target) => {
      const copied = pass(source, untilBytes, onBytes, (piece) => writeFully(target, piece))
      fsyncSync(target)
      return copied
    }),
  )
  renameSync(unfinished, to)
  return digest
}

/** Replaces a small file in one step, durably. */
export function writeDurably(path: string, content: string | Uint8Array): void {
  const unfinished = path + UNFINISHED
  withFile(openSync(unfinished, 'w', 0o600), (file) => {
    writeFully(file, typeof content === 'string' ? Buffer.from(content) : content)
    fsyncSync(file)
  })
  renameSync(unfinished, path)
  syncDirectory(dirname(path))
}

/** Makes a directory and those above it, for its owner only, with durable names. */
export function makeDurably(directory: string): void {
  const first = mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = directory; made.length >= first.length; made = dirname(made)) syncDirectory(dirname(made))
}

export function syncFile(path: string): void {
  withFile(openSync(path, 'r'), (file) => fsyncSync(file))
}

function withFile<T>(file: number, work: (file: number) => T): T {
  try {
    return work(file)
  } finally {
    closeSync(file)
  }
}

function pass(
  file: number,
  untilBytes: number,
  onBytes: OnBytes,
  onPiece: (piece: Uint8Array) => void,
): Digest {
  const hash = createHash('sha256')
  const memory = Buffer.allocUnsafeSlow(PIECE_BYTES)
  let sizeBytes = 0
  while (sizeBytes < untilBytes) {
    const wanted = Math.min(PIECE_BYTES, untilBytes - sizeBytes)
    const count = readSync(file, memory, 0, wanted, sizeBytes)
    if (count === 0) break
    const piece = memory.subarray(0, count)
    hash.update(piece)
    onPiece(piece)
    onBytes(count)
    sizeBytes += count
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}

/** A write may take only a part, and reports no error then. */
function writeFully(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
}
