import { constants as zlib, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { type ZstdContext, zstdCompressor, zstdDecompressor } from './zstd-context.ts'
import { isOneFrame } from './zstd-frame.ts'

/** Least of what Node's functions take. */
const LEAST_OUTPUT_BYTES = 64

/** What a thread keeps. `undefined`: none was made yet, or the last one failed; `none`: this Node has none. */
type Kept = ZstdContext | 'none' | undefined

let decompressor: Kept
const compressors = new Map<number, Exclude<Kept, undefined>>()

/** One frame with content size and checksum. `level`: zstd's. */
export function compressFrame(plain: Uint8Array, level: number): Buffer {
  const context = compressors.get(level) ?? proven(zstdCompressor(level), (each) => compresses(each, level))
  compressors.set(level, context)
  const frame = context === 'none' ? undefined : compressedBy(context, plain)
  if (frame !== undefined) return frame
  compressors.set(level, 'none')
  return compressAlone(plain, level)
}

function compressAlone(plain: Uint8Array, level: number): Buffer {
  return zstdCompressSync(plain, {
    params: {
      [zlib.ZSTD_c_compressionLevel]: level,
      [zlib.ZSTD_c_checksumFlag]: 1,
      [zlib.ZSTD_c_contentSizeFlag]: 1,
    },
    pledgedSrcSize: plain.length,
  })
}

/** `ZSTD_compressBound`, and a little. */
function compressedBy(context: ZstdContext, plain: Uint8Array): Buffer | undefined {
  const frame = Buffer.allocUnsafe(plain.length + (plain.length >> 8) + LEAST_OUTPUT_BYTES + 512)
  const count = context.run(plain, frame)
  const written = count === undefined ? undefined : frame.subarray(0, count)
  return written !== undefined && isOneFrame(written, plain.length) ? written : undefined
}

/** Restores a frame into `into`; false unless it is whole, sound and fills `into` exactly. */
export function restoreFrame(frame: Buffer, into: Uint8Array): boolean {
  // A frame that didn't end with its bytes would be taken for sound without its checksum being looked at.
  if (!isOneFrame(frame, into.length)) return false
  decompressor ??= proven(zstdDecompressor(), decompresses)
  if (decompressor !== 'none') {
    if (decompressor.run(frame, into) === into.length) return true
    // The frame is damaged or the context is: the documented function tells. The next frame gets another context.
    decompressor = undefined
  }
  const plain = restoredAlone(frame, into.length)
  if (plain?.length === into.length) into.set(plain)
  return plain?.length === into.length
}

function restoredAlone(frame: Buffer, plainBytes: number): Buffer | undefined {
  const maxOutputLength = Math.max(LEAST_OUTPUT_BYTES, plainBytes)
  try {
    // One byte is left: of a chunk that gets full zlib makes another.
    return zstdDecompressSync(frame, { chunkSize: maxOutputLength + 1, maxOutputLength })
  } catch {
    return undefined
  }
}

const SAMPLE = Buffer.from(
  'what a context does is what Node’s documented functions do, twice the same. '.repeat(9),
)

function proven(
  context: ZstdContext | undefined,
  works: (context: ZstdContext) => boolean,
): ZstdContext | 'none' {
  return context !== undefined && works(context) && works(context) ? context : 'none'
}

function compresses(context: ZstdContext, level: number): boolean {
  return compressedBy(context, SAMPLE)?.equals(compressAlone(SAMPLE, level)) === true
}

function decompresses(context: ZstdContext): boolean {
  const into = Buffer.alloc(SAMPLE.length)
  return context.run(compressAlone(SAMPLE, 1), into) === into.length && into.equals(SAMPLE)
}

/** Whether this Node's contexts are kept, which everything that is measured relies on. */
export function keepsContexts(): boolean {
  const frame = compressFrame(SAMPLE, 1)
  const restored = restoreFrame(frame, Buffer.alloc(SAMPLE.length))
  return restored && decompressor !== 'none' && decompressor !== undefined && compressors.get(1) !== 'none'
}
