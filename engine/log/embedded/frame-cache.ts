import { MIB } from './format.ts'

/** Decompressed frames that are kept. One larger frame may be kept instead. */
const CACHE_BYTES = 4 * MIB
const MOST_FRAMES = 2 ** 24
/** Compressed bytes up to this size are read into the same memory, one after the other. */
const SHARED_BYTES = MIB
/** What the memory of a frame of its own may be longer than the frame. */
const SLACK_BYTES = 64

/** Part of a compressed file. */
interface Fetched {
  readonly file: number
  readonly start: number
  readonly bytes: Buffer
}
const NOTHING_FETCHED: Fetched = { file: 0, start: 0, bytes: Buffer.alloc(0) }

/** Decompressed frames of all the files of one reader, those used last. */
export class FrameCache {
  readonly #frames = new Map<number, Buffer>()
  #sizeBytes = 0
  readonly #capacityBytes: number
  #shared: Buffer = Buffer.alloc(0)
  #fetched = NOTHING_FETCHED
  #files = 0

  constructor(capacityBytes: number = CACHE_BYTES) {
    this.#capacityBytes = capacityBytes
  }

  /** A number that tells a file's frames from those of others. */
  join(): number {
    this.#files++
    return this.#files
  }

  /** Its bytes are there until another frame is set. */
  get(file: number, frame: number): Buffer | undefined {
    const key = file * MOST_FRAMES + frame
    const plain = this.#frames.get(key)
    if (plain === undefined) return undefined
    this.#frames.delete(key)
    this.#frames.set(key, plain)
    return plain
  }

  has(file: number, frame: number): boolean {
    return this.#frames.has(file * MOST_FRAMES + frame)
  }

  /** One that isn't here. Takes it over: its memory is given back with the frame. */
  set(file: number, frame: number, plain: Buffer): void {
    this.#frames.set(file * MOST_FRAMES + frame, plain)
    this.#sizeBytes += plain.length
    for (const [key, oldest] of this.#frames) {
      if (this.#sizeBytes <= this.#capacityBytes || oldest === plain) return
      this.#frames.delete(key)
      this.#sizeBytes -= oldest.length
      release(oldest)
    }
  }

  /** Bytes of a compressed file that were read last, if these are among them. */
  fetched(file: number, start: number, end: number): Buffer | undefined {
    const { file: of, start: from, bytes } = this.#fetched
    if (of !== file || start < from || end > from + bytes.length) return undefined
    return bytes.subarray(start - from, end - from)
  }

  /** Tells what was read into `memory`. */
  fetch(file: number, start: number, bytes: Buffer): void {
    this.#fetched = { file, start, bytes }
  }

  /** Memory for compressed frames, until it is asked for again. */
  memory(sizeBytes: number): Buffer {
    this.#fetched = NOTHING_FETCHED
    if (sizeBytes > SHARED_BYTES) return Buffer.allocUnsafeSlow(sizeBytes)
    if (this.#shared.length < sizeBytes) this.#shared = Buffer.allocUnsafeSlow(sizeBytes)
    return this.#shared.subarray(0, sizeBytes)
  }
}

/**
 * Left to the collector, the memory of a few hundred frames makes it stop everybody else. Small frames share theirs with
 * whatever else took little (`Buffer.poolSize`).
 */
export function release({ buffer, byteOffset, length }: Buffer): void {
  const own = byteOffset === 0 && buffer.byteLength <= length + SLACK_BYTES
  if (own && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
