import assert from 'node:assert/strict'
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { Block } from '../../engine/log/embedded/block-decoder.ts'
import { blockChecksum, readBlockHeader } from '../../engine/log/embedded/block-header.ts'
import type { EmbeddedLogOptions } from '../../engine/log/embedded/embedded.ts'
import { BLOCK, SEGMENT_SUFFIX } from '../../engine/log/embedded/format.ts'
import { readSegmentHeader, segmentName, writeSegmentHeader } from '../../engine/log/embedded/segment.ts'
import { openCheckedLog } from '../log/checked-log.ts'
import { BATCH_EVENTS, type BenchEvent, type EventMaker } from '../log/events.ts'

const ID_BYTES = 36
const STREAM_BYTES = 17
/** Of an id and of a stream's name: digits that tell copies apart. */
const ID_DIGITS = { at: 0, count: 4 } as const
const STREAM_DIGITS = { at: 'session-'.length, count: 4 } as const
const MAX_COPIES = 9_999
/** More than a segment's events are apart. */
const COPY_MS = 600_000

export interface Fabricated {
  readonly segments: number
  readonly events: number
  readonly bytes: number
}

/** Where ids and names begin in a block of the original. */
interface Original {
  readonly bytes: Buffer
  readonly count: number
  readonly idsAt: number
  readonly streamsAt: number
}

/**
 * A log of at least so many bytes: one segment written by the log itself, then copies of it that follow on, each with
 * other positions, ids and streams and the checksums that go with them. People are the same in all of them.
 */
export async function fabricateLog(
  directory: string,
  maker: EventMaker,
  wantedBytes: number,
  onSegment: () => Promise<void>,
  writing: Pick<EmbeddedLogOptions, 'segmentBytes'> = {},
): Promise<Fabricated> {
  const originals = await writeOriginal(directory, maker, writing)
  let events = originals.reduce((sum, { count }) => sum + count, 0)
  const segmentBytes = originals.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const perSegment = events
  const segments = Math.max(2, Math.ceil(wantedBytes / segmentBytes))
  assert(segments <= MAX_COPIES, 'copies can be told apart')
  for (let copy = 1; copy < segments; copy++) {
    writeCopy(directory, originals, copy, events)
    events += perSegment
    await onSegment()
  }
  const fd = openSync(directory, 'r')
  fsyncSync(fd)
  closeSync(fd)
  return { segments, events, bytes: segments * segmentBytes }
}

/** The blocks of the first segment. What comes behind it, and its index, is taken away again. */
async function writeOriginal(
  directory: string,
  maker: EventMaker,
  writing: Pick<EmbeddedLogOptions, 'segmentBytes'>,
): Promise<readonly Original[]> {
  const log = await openCheckedLog(directory, { ...writing, compression: 'off' })
  try {
    for (let k = 0; segmentsOf(directory).length < 2; k += BATCH_EVENTS) {
      const batch = maker.batch(k)
      await log.append(
        batch.map((event) => sameReceived(event, batch)),
        0,
      )
    }
  } finally {
    await log.close()
  }
  const [first = '', ...others] = segmentsOf(directory)
  for (const name of others) rmSync(join(directory, name))
  rmSync(join(directory, 'index'), { recursive: true, force: true })
  return blocksOf(readFileSync(join(directory, first)))
}

/** A block whose events share their `received` states it in its header alone, where a copy changes it. */
function sameReceived(event: BenchEvent, batch: readonly BenchEvent[]): BenchEvent {
  return { ...event, received: batch.at(-1)?.received ?? event.received }
}

function segmentsOf(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(SEGMENT_SUFFIX))
    .sort()
}

function blocksOf(segment: Buffer): readonly Original[] {
  const originals: Original[] = []
  let at = readSegmentHeader(segment).sizeBytes
  for (;;) {
    const header = readBlockHeader(segment, at)
    if (header === undefined) return originals
    const bytes = segment.subarray(at, at + header.sizeBytes)
    const block = new Block(bytes)
    const idsAt = bytes.indexOf(block.idAt(0), BLOCK.COLUMNS)
    const streamsAt = bytes.indexOf(block.streamAt(0), BLOCK.COLUMNS)
    assert(block.columns.received === undefined && idsAt > 0 && streamsAt > 0, 'a block that can be copied')
    originals.push({ bytes, count: header.count, idsAt, streamsAt })
    at += header.sizeBytes
  }
}

function writeCopy(directory: string, originals: readonly Original[], copy: number, before: number): void {
  const first = before + 1
  const created = receivedOf(originals[0], copy)
  const salt = copy
  const parts: Buffer[] = [
    writeSegmentHeader({ workspace: 'default', first, previous: before, created, salt }),
  ]
  let position = first
  for (const original of originals) {
    parts.push(copyOf(original, copy, position, salt))
    position += original.count
  }
  const fd = openSync(join(directory, segmentName(first)), 'wx')
  for (const part of parts) assert.equal(writeSync(fd, part), part.length)
  fdatasyncSync(fd)
  closeSync(fd)
}

/** Later than in the copy before: `received` never decreases. */
function receivedOf(original: Original | undefined, copy: number): number {
  assert(original !== undefined)
  return (readBlockHeader(original.bytes, 0)?.received ?? 0) + copy * COPY_MS
}

function copyOf(original: Original, copy: number, position: number, salt: number): Buffer {
  const bytes = Buffer.from(original.bytes)
  bytes.writeBigUInt64BE(BigInt(position), BLOCK.FIRST + 1)
  bytes.writeBigUInt64BE(BigInt(receivedOf(original, copy)), BLOCK.RECEIVED + 1)
  bytes.writeBigUInt64BE(BigInt(position - 1), BLOCK.PREVIOUS + 1)
  const digits = Buffer.from(String(copy).padStart(4, '0'))
  for (let i = 0; i < original.count; i++) {
    bytes.set(digits, original.idsAt + i * ID_BYTES + ID_DIGITS.at)
    bytes.set(digits, original.streamsAt + i * STREAM_BYTES + STREAM_DIGITS.at)
  }
  bytes.writeUInt32BE(blockChecksum(bytes, salt), BLOCK.CHECKSUM + 1)
  return bytes
}
