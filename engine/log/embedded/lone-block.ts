import { Block } from './block-decoder.ts'
import { readBlockHeader } from './block-header.ts'
import { needColumns } from './block-layout.ts'
import type { Columns } from './columns.ts'
import { UnreadableBytes, type VerifiedParts } from './files.ts'
import type { Payload } from './payload-reader.ts'
import type { SegmentReader } from './segment-reader.ts'
import { type PayloadSource, StoredEvent } from './stored-event.ts'
import { MalformedError } from './unpack.ts'

/** Single events are taken from it. */
export interface EventBlock {
  readonly first: number
  event(index: number): StoredEvent
}

/**
 * A block in a file of parts that are verified by themselves: its columns, then of each event just the parts that hold
 * its names and its payload. The block's own checksum, which needs all of it, isn't looked at. Throws `LogDamaged`,
 * also where a payload is decoded.
 */
export class LoneBlock implements EventBlock, PayloadSource {
  readonly first: number
  readonly received: number
  readonly columns: Columns
  readonly #segment: SegmentReader
  readonly #at: number
  readonly #bytes: Buffer
  readonly #parts: VerifiedParts
  readonly #offset: number
  readonly #firstPart: number
  /** Of each part that the block has bytes of, 1 if they are here. */
  readonly #here: Uint8Array
  /** Bytes that were asked for last, to the ends of their parts: what follows is mostly among them. */
  #readyFrom = 0
  #readyUntil = 0
  readonly #block: Block

  /** `bytes`: as long as the block; whatever it holds is overwritten. `whole`: all parts are read at once. */
  constructor(segment: SegmentReader, at: number, parts: VerifiedParts, bytes: Buffer, whole: boolean) {
    const offset = segment.place(at)?.offset ?? 0
    this.#segment = segment
    this.#at = at
    this.#bytes = bytes
    this.#parts = parts
    this.#offset = offset
    this.#firstPart = parts.indexOf(offset)
    this.#here = new Uint8Array(parts.indexOf(offset + bytes.length - 1) + 1 - this.#firstPart)
    this.#block = this.#orDamaged(() => {
      if (whole) this.#need(0, bytes.length)
      else parts.fetch(offset, offset + bytes.length)
      needColumns(bytes, this.#need)
      if (!this.#isPlaced()) throw new MalformedError('another block', offset)
      return new Block(bytes)
    })
    this.first = this.#block.first
    this.received = this.#block.received
    this.columns = this.#block.columns
  }

  /** Whether the block is the one that is looked for. */
  #isPlaced(): boolean {
    const header = readBlockHeader(this.#bytes, 0)
    const place = this.#segment.place(this.#at)
    if (header === undefined || place === undefined) return false
    return (
      header.sizeBytes === place.sizeBytes &&
      header.first === place.first &&
      header.first + header.count - 1 === place.last
    )
  }

  event(index: number): StoredEvent {
    const { stream, id, causation, correlation, identities } = this.columns
    return this.#orDamaged(() => {
      for (const column of [stream, id, causation, correlation, identities]) {
        const bytes = column?.bytesOf(index)
        if (bytes === undefined || bytes.length === 0) continue
        const from = bytes.byteOffset - this.#bytes.byteOffset
        this.#need(from, from + bytes.length)
      }
      return new StoredEvent(this, index)
    })
  }

  payload(index: number): Payload {
    return this.#orDamaged(() => {
      const [from, until] = this.#block.payloadRange(index)
      this.#need(from, until)
      return this.#block.payload(index)
    })
  }

  /** Reads the parts that hold these bytes, and aren't here. */
  readonly #need = (from: number, until: number): void => {
    if (from >= until || (from >= this.#readyFrom && until <= this.#readyUntil)) return
    const parts = this.#parts
    this.#readyUntil = 0
    const last = parts.indexOf(this.#offset + until - 1) - this.#firstPart
    const first = parts.indexOf(this.#offset + from) - this.#firstPart
    for (let part = first; part <= last; part++) {
      let next = part
      while (next <= last && this.#here[next] === 0) next++
      if (next === part) continue
      this.#read(part, next)
      part = next
    }
    this.#readyFrom = parts.start(this.#firstPart + first) - this.#offset
    this.#readyUntil = parts.start(this.#firstPart + last + 1) - this.#offset
  }

  #read(part: number, next: number): void {
    const from = Math.max(0, this.#parts.start(this.#firstPart + part) - this.#offset)
    const until = Math.min(this.#bytes.length, this.#parts.start(this.#firstPart + next) - this.#offset)
    const into = this.#bytes.subarray(from, until)
    if (this.#segment.file.read(into, this.#offset + from) < into.length) {
      throw new MalformedError('the file ends', this.#offset + from)
    }
    this.#here.fill(1, part, next)
  }

  #orDamaged<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      const broken = error instanceof UnreadableBytes || error instanceof MalformedError
      if (broken || error instanceof RangeError) throw this.#segment.damageAt(this.#at, error.message)
      throw error
    }
  }
}
