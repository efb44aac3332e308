import { strict as assert } from 'node:assert'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'

/**
 * A file of messages encoded beforehand, so that a measured window pays for sending only. A frame is one batch:
 * length of its JSON (u32, little endian), number of events (u32), length of each event's JSON (u32 each), and the JSON
 * text of the batch, `[event,event,…]`.
 */
export interface TapeWriter {
  write(events: readonly string[]): void
  close(): void
}

/** A batch as it is sent, and each of its events as it would be sent alone. Both share memory. */
export interface Frame {
  readonly events: number
  readonly batch: Uint8Array
  event(index: number): Uint8Array
}

export interface TapeReader {
  /** The next batch; undefined at the end. */
  next(): Frame | undefined
  rewind(): void
  close(): void
}

const WRITE_BYTES = 4 * 1024 * 1024
/** Small, so that a read doesn't hold up the sending. */
const READ_BYTES = 256 * 1024
const HEADER_BYTES = 8

export function createTape(path: string): TapeWriter {
  const file = openSync(path, 'wx', 0o600)
  let frames: Buffer[] = []
  let waiting = 0
  const flush = (): void => {
    if (waiting === 0) return
    const bytes = Buffer.concat(frames)
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
    frames = []
    waiting = 0
  }
  return {
    write(events) {
      const frame = encode(events)
      frames.push(frame)
      waiting += frame.length
      if (waiting >= WRITE_BYTES) flush()
    },
    close() {
      flush()
      closeSync(file)
    },
  }
}

function encode(events: readonly string[]): Buffer {
  const json = Buffer.from(`[${events.join(',')}]`)
  const head = Buffer.alloc(HEADER_BYTES + 4 * events.length)
  head.writeUInt32LE(json.length, 0)
  head.writeUInt32LE(events.length, 4)
  for (const [at, event] of events.entries())
    head.writeUInt32LE(Buffer.byteLength(event), HEADER_BYTES + 4 * at)
  return Buffer.concat([head, json])
}

export function openTape(path: string): TapeReader {
  const file = openSync(path, 'r')
  let unread = Buffer.alloc(0)
  let offset = 0
  /** Makes at least `size` bytes unread; false at the end of the file. What was handed out stays as it is. */
  const need = (size: number): boolean => {
    if (unread.length >= size) return true
    const grown = Buffer.allocUnsafeSlow(Math.max(READ_BYTES, size))
    const kept = unread.copy(grown)
    const read = readSync(file, grown, kept, grown.length - kept, offset)
    offset += read
    unread = grown.subarray(0, kept + read)
    return unread.length >= size
  }
  return {
    next() {
      if (!need(HEADER_BYTES)) {
        assert.equal(unread.length, 0, 'the tape ends within a frame')
        return undefined
      }
      const events = unread.readUInt32LE(4)
      const start = HEADER_BYTES + 4 * events
      const size = start + unread.readUInt32LE(0)
      assert.ok(need(size), 'the tape ends within a frame')
      const frame = unread.subarray(0, size)
      unread = unread.subarray(size)
      return frameOf(frame, events, start)
    },
    rewind() {
      unread = Buffer.alloc(0)
      offset = 0
    },
    close: () => closeSync(file),
  }
}

function frameOf(frame: Buffer, events: number, start: number): Frame {
  let indexed = 0
  // Behind the opening bracket.
  let from = start + 1
  return {
    events,
    batch: frame.subarray(start),
    /** Asked for in ascending order. */
    event(index) {
      assert.ok(index >= indexed && index < events, 'events of a frame are taken in order')
      for (; indexed < index; indexed++) from += frame.readUInt32LE(HEADER_BYTES + 4 * indexed) + 1
      return frame.subarray(from, from + frame.readUInt32LE(HEADER_BYTES + 4 * index))
    },
  }
}
