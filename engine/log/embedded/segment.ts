import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { ByteSink } from './byte-sink.ts'
import {
  FIXARRAY,
  FIXSTR,
  FORMAT_VERSION,
  SEGMENT,
  SEGMENT_MAGIC,
  SEGMENT_NAME_DIGITS,
  SEGMENT_SUFFIX,
  STR8,
  UINT32,
} from './format.ts'
import { MalformedError, Unpacker } from './unpack.ts'

export interface SegmentHeader {
  readonly version: number
  readonly workspace: string
  /** Position of its first event; also its name. */
  readonly first: number
  /** The last position before it, 0 for none. */
  readonly previous: number
  /** `received` of its first event. */
  readonly created: number
  /** Random; seeds the checksums of its blocks, so that a block is whole in its own segment only. */
  readonly salt: number
  /** The header's size; blocks follow. */
  readonly sizeBytes: number
}

export function segmentName(first: number): string {
  assert.ok(Number.isSafeInteger(first) && first >= 1)
  return String(first).padStart(SEGMENT_NAME_DIGITS, '0') + SEGMENT_SUFFIX
}

/** The first position that a file name states; undefined for other files. */
export function parseSegmentName(name: string): number | undefined {
  if (!/^\d{20}\.hwl$/.test(name)) return undefined
  const first = Number(name.slice(0, SEGMENT_NAME_DIGITS))
  return Number.isSafeInteger(first) && first >= 1 ? first : undefined
}

export function writeSegmentHeader(header: Omit<SegmentHeader, 'version' | 'sizeBytes'>): Buffer {
  const workspace = Buffer.from(header.workspace)
  assert.ok(workspace.length > 0 && workspace.length <= 255, 'a workspace name has 1 to 255 bytes')
  const sink = ByteSink.ofCapacity(SEGMENT.MAX_BYTES)
  sink.byte(FIXARRAY | SEGMENT.ELEMENTS)
  sink.string(SEGMENT_MAGIC)
  sink.wide32(FORMAT_VERSION)
  sink.wide32(0)
  sink.wide64(header.first)
  sink.wide64(header.previous)
  sink.wide64(header.created)
  sink.wide32(header.salt)
  sink.byte(STR8)
  sink.byte(workspace.length)
  sink.raw(workspace)
  const bytes = sink.bytes.subarray(0, sink.length)
  bytes.writeUInt32BE(headerChecksum(bytes), SEGMENT.CHECKSUM + 1)
  return bytes
}

/** Of the whole header but the checksum itself. */
function headerChecksum(bytes: Buffer): number {
  return crc32(bytes.subarray(SEGMENT.FIRST), crc32(bytes.subarray(0, SEGMENT.CHECKSUM)))
}

/** `bytes`: the beginning of a segment. Throws `MalformedError`. The header is laid out alike in all versions. */
export function readSegmentHeader(bytes: Buffer): SegmentHeader {
  const prefix = Buffer.from([FIXARRAY | SEGMENT.ELEMENTS, FIXSTR | SEGMENT_MAGIC.length])
  const checked = bytes[SEGMENT.CHECKSUM] === UINT32
  const named = bytes.subarray(SEGMENT.MAGIC + 1, SEGMENT.VERSION).toString('latin1') === SEGMENT_MAGIC
  if (bytes.length < SEGMENT.WORKSPACE + 2 || !bytes.subarray(0, 2).equals(prefix) || !named || !checked) {
    throw new MalformedError('no segment header', 0)
  }
  const unpacker = new Unpacker(bytes)
  const sizeBytes = SEGMENT.WORKSPACE + 2 + bytes.readUInt8(SEGMENT.WORKSPACE + 1)
  const version = bytes.readUInt32BE(SEGMENT.VERSION + 1)
  const whole = bytes.subarray(0, sizeBytes)
  if (whole.length < sizeBytes || headerChecksum(whole) !== bytes.readUInt32BE(SEGMENT.CHECKSUM + 1)) {
    throw new MalformedError('a segment header whose checksum is wrong', 0)
  }
  return {
    version,
    workspace: whole.toString('utf8', SEGMENT.WORKSPACE + 2),
    first: unpacker.wide64At(SEGMENT.FIRST),
    previous: unpacker.wide64At(SEGMENT.PREVIOUS),
    created: unpacker.wide64At(SEGMENT.CREATED),
    salt: bytes.readUInt32BE(SEGMENT.SALT + 1),
    sizeBytes,
  }
}
