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

/** Identifies the content of a file well enough to resume: its size and the SHA-256 of its first MiB. */
export interface Fingerprint {
  readonly sizeBytes: number
  readonly sha256: string
}

const FINGERPRINT_BYTES = 1024 * 1024
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

/**
 * The rows of a file, in order. `onBytes` hears how much of the file itself (compressed, if it is) was read. The last item
 * may be a failure; nothing comes after it.
 */
export async function* readInput(
  file: InputFile,
  format: InputFormat,
  onBytes: (bytesRead: number) => void = () => {},
): AsyncGenerator<InputItem> {
  const end = file.endByte === undefined ? {} : { end: file.endByte - 1 }
  const raw = createReadStream(file.path, { highWaterMark: 256 * 1024, ...end })
  const bytes = countBytes(raw, onBytes)
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

function countBytes(raw: Readable, onBytes: (bytesRead: number) => void): Readable {
  let bytesRead = 0
  return Readable.from(
    (async function* () {
      for await (const chunk of raw as AsyncIterable<Buffer>) {
        bytesRead += chunk.length
        onBytes(bytesRead)
        yield chunk
      }
    })(),
    { objectMode: false, highWaterMark: 256 * 1024 },
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
