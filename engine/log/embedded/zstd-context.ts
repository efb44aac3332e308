import { createZstdCompress, createZstdDecompress, constants as zlib } from 'node:zlib'

/**
 * zstd's compressor or decompressor, kept from one frame to the next. `zstdCompressSync` and `zstdDecompressSync` make
 * one each time, which takes longer than a small frame does: 8 KiB are restored in 7 µs here, by those in 26.
 *
 * It is the native part of Node's own stream, called as Node's synchronous functions call it. That part isn't documented:
 * a Node in which it looks otherwise has no context, and callers use the documented functions.
 */
export interface ZstdContext {
  /**
   * Turns all of `from` into bytes of `into`; answers how many, or undefined where that isn't possible. Then this
   * context must not be used again.
   */
  run(from: Uint8Array, into: Uint8Array): number | undefined
}

/** Arguments: operation; bytes to read, where from, how many; bytes to write, where to, how many there is room for. */
type WriteSync = (
  operation: number,
  from: Uint8Array,
  fromOffset: number,
  fromBytes: number,
  into: Uint8Array,
  intoOffset: number,
  intoBytes: number,
) => void

interface NativeHandle {
  writeSync: WriteSync
}

type ZstdStream = ReturnType<typeof createZstdCompress> | ReturnType<typeof createZstdDecompress>

/** Of which a native part has written nothing. */
const UNTOUCHED = 0xffff_ffff
/** Node's least; what is restored goes elsewhere. */
const CHUNK_BYTES = 64

export function zstdDecompressor(): ZstdContext | undefined {
  return contextOf(createZstdDecompress({ chunkSize: CHUNK_BYTES }), zlib.ZSTD_e_continue)
}

/** With content size and checksum. `level`: zstd's. */
export function zstdCompressor(level: number): ZstdContext | undefined {
  const params = {
    [zlib.ZSTD_c_compressionLevel]: level,
    [zlib.ZSTD_c_checksumFlag]: 1,
    [zlib.ZSTD_c_contentSizeFlag]: 1,
  }
  return contextOf(createZstdCompress({ chunkSize: CHUNK_BYTES, params }), zlib.ZSTD_e_end)
}

function contextOf(stream: ZstdStream, operation: number): ZstdContext | undefined {
  // An error is told by what wasn't written. After it Node has closed the native part.
  stream.on('error', () => {})
  const handle: unknown = Reflect.get(stream, '_handle')
  const left: unknown = Reflect.get(stream, '_writeState')
  if (!isNative(handle) || !(left instanceof Uint32Array) || left.length < 2) {
    stream.destroy()
    return undefined
  }
  return {
    run: (from, into) => {
      if (stream.destroyed) return undefined
      left.fill(UNTOUCHED)
      try {
        handle.writeSync(operation, from, 0, from.length, into, 0, into.length)
      } catch {
        // Of what isn't documented nobody knows what it throws. It is told as what it didn't write.
        left.fill(UNTOUCHED)
      }
      const [intoLeft = UNTOUCHED, fromLeft = UNTOUCHED] = left
      if (fromLeft === 0 && intoLeft <= into.length) return into.length - intoLeft
      stream.destroy()
      return undefined
    },
  }
}

function isNative(value: unknown): value is NativeHandle {
  return (
    typeof value === 'object' &&
    value !== null &&
    'writeSync' in value &&
    typeof value.writeSync === 'function' &&
    value.writeSync.length <= 7
  )
}
