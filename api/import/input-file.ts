import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import { readCsv } from './csv.ts'
import type { Mapping } from './mapping-codec.ts'
import { readNdjson } from './ndjson.ts'

/** Why a file can't be read at all, or no further. Rows that were handed out before it stand. */
export interface InputFailure {
  readonly reason:
    | 'not_readable'
    | 'not_utf8'
    | 'corrupt_gzip'
    | 'no_header'
    | 'missing_column'
    | 'duplicate_column'
    | 'record_too_long'
    | 'not_csv'
  readonly message: string
}

/** A row as it stands in the file, or why it can't be taken as one. */
export type InputItem =
  | {
      readonly _tag: 'Row'
      /** Physical line where it begins, from 1. */
      readonly line: number
      /** In the order of the columns asked for; '' for an optional column that isn't there. */
      readonly cells: readonly string[]
    }
  | {
      readonly _tag: 'BadRow'
      readonly line: number
      /** Last line, where the row spans several. */
      readonly endLine: number
      readonly reason:
        | 'ragged_row'
        | 'invalid_utf8'
        | 'quote_not_closed'
        | 'not_json'
        | 'missing_column'
        | 'row_too_long'
      readonly message: string
    }
  | { readonly _tag: 'Failed'; readonly failure: InputFailure }

/** What to read and how; `columns` are required, `optional` may be absent. */
export type InputFormat = Pick<Mapping['input'], 'format' | 'columns' | 'optional' | 'delimiter'>

/** Tells files from each other at a glance: size and the SHA-256 of the first MiB. Who goes on within a file needs a `Prefix`. */
export interface Fingerprint {
  readonly sizeBytes: number
  readonly sha256: string
}

/** The beginning of a file: how many bytes, and their SHA-256. */
export interface Prefix {
  readonly bytes: number
  readonly sha256: string
}

export const NO_BYTES: Prefix = { bytes: 0, sha256: createHash('sha256').digest('hex') }

const FINGERPRINT_BYTES = 1024 * 1024
const CHUNK_BYTES = 256 * 1024
const GZIP_MAGIC = [0x1f, 0x8b] as const

/** A file whose head was looked at. It is read in pieces, never whole. */
export interface InputFile {
  readonly path: string
  readonly fingerprint: Fingerprint
  /** Compressed with gzip, told by its first bytes. */
  readonly gzip: boolean
  /** Only so many bytes of it are read; absent: all. */
  readonly endByte?: number | undefined
}

export async function openInput(path: string): Promise<Either<InputFailure, InputFile>> {
  try {
    const handle = await open(path)
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) return E.left({ reason: 'not_readable', message: `${path} is not a file` })
      const head = Buffer.alloc(Math.min(FINGERPRINT_BYTES, stats.size))
      const { bytesRead } = await handle.read(head, 0, head.length, 0)
      const sha256 = createHash('sha256').update(head.subarray(0, bytesRead)).digest('hex')
      const gzip = head[0] === GZIP_MAGIC[0] && head[1] === GZIP_MAGIC[1]
      return E.right({ path, fingerprint: { sizeBytes: stats.size, sha256 }, gzip })
    } finally {
      await handle.close()
    }
  } catch (error) {
    return E.left({ reason: 'not_readable', message: `${path} can't be read: ${messageOf(error)}` })
  }
}

/** True if a file still begins with what was read of it before. */
export async function beginsWith(path: string, { bytes, sha256 }: Prefix): Promise<boolean> {
  if (bytes === 0) return true
  const hash = createHash('sha256')
  let found = 0
  try {
    const chunks = createReadStream(path, { end: bytes - 1, highWaterMark: CHUNK_BYTES })
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      hash.update(chunk)
      found += chunk.length
    }
  } catch {
    // Whoever reads it next is told why it can't be read.
    return false
  }
  return found === bytes && hash.digest('hex') === sha256
}

/**
 * The rows of a file, in order. `onRead` hears what of the file itself (compressed, if it is) was read, always at least all
 * that the rows handed out came from. The last item may be a failure; nothing comes after it.
 */
export async function* readInput(
  file: InputFile,
  format: InputFormat,
  onRead: (read: Prefix) => void = () => {},
): AsyncGenerator<InputItem> {
  const end = file.endByte === undefined ? {} : { end: file.endByte - 1 }
  const raw = createReadStream(file.path, { highWaterMark: CHUNK_BYTES, ...end })
  const bytes = tellBytes(raw, onRead)
  let inflated: Readable = bytes
  if (file.gzip) {
    // The error reaches whoever reads; the callback is only there because pipeline asks for it.
    inflated = pipeline(bytes, createGunzip(), () => {})
  }
  try {
    yield* format.format === 'csv' ? readCsv(inflated, format) : readNdjson(inflated, format)
  } catch (error) {
    yield { _tag: 'Failed', failure: streamFailure(file, error) }
  } finally {
    raw.destroy()
  }
}

function tellBytes(raw: Readable, onRead: (read: Prefix) => void): Readable {
  const hash = createHash('sha256')
  let bytes = 0
  return Readable.from(
    (async function* () {
      for await (const chunk of raw as AsyncIterable<Buffer>) {
        bytes += chunk.length
        hash.update(chunk)
        onRead({ bytes, sha256: hash.copy().digest('hex') })
        yield chunk
      }
    })(),
    { objectMode: false, highWaterMark: CHUNK_BYTES },
  )
}

function streamFailure(file: InputFile, error: unknown): InputFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code.startsWith('Z_')) {
    return { reason: 'corrupt_gzip', message: `${file.path} is not intact gzip: ${messageOf(error)}` }
  }
  // Errors of the operating system carry a code; anything else is a bug and must surface as one.
  if (code === '') throw error
  return { reason: 'not_readable', message: `${file.path} can't be read: ${messageOf(error)}` }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
