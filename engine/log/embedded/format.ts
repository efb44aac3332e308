import assert from 'node:assert/strict'

/** Constants of the segment format, shared by writer and reader. FORMAT.md beside this file says what they mean. */

export const FORMAT_VERSION = 1
export const SEGMENT_MAGIC = 'headwater-log'
export const SEGMENT_SUFFIX = '.hwl'
/** A segment under construction; whoever opens the log for writing removes it. */
export const UNFINISHED_SUFFIX = '.hwl.new'
/** A sealed segment, compressed; see seekable-zstd.ts. */
export const COMPRESSED_SUFFIX = '.hwl.zst'
/** A compressed segment under construction; whoever opens the log for writing removes it. */
export const UNFINISHED_COMPRESSED_SUFFIX = '.hwl.zst.new'
export const SEGMENT_NAME_DIGITS = 20

/** First bytes of the MessagePack encodings that stand in the fixed-width headers. */
export const UINT32 = 0xce
export const UINT64 = 0xcf
export const FLOAT64 = 0xcb
export const BIN8 = 0xc4
export const BIN16 = 0xc5
export const BIN32 = 0xc6
export const STR8 = 0xd9
export const STR16 = 0xda
export const STR32 = 0xdb
export const ARRAY16 = 0xdc
export const ARRAY32 = 0xdd
export const MAP16 = 0xde
export const MAP32 = 0xdf
export const NIL = 0xc0
export const FALSE = 0xc2
export const TRUE = 0xc3
export const FIXSTR = 0xa0
export const FIXARRAY = 0x90
export const FIXMAP = 0x80

/** Where each element's encoding begins in a segment header; the workspace's name, a str 8, ends it. */
export const SEGMENT = {
  ELEMENTS: 8,
  MAGIC: 1,
  VERSION: 15,
  CHECKSUM: 20,
  FIRST: 25,
  PREVIOUS: 34,
  CREATED: 43,
  SALT: 52,
  WORKSPACE: 57,
  MAX_BYTES: 59 + 255,
} as const

/** Where each element's encoding begins in a block; the columns follow. */
export const BLOCK = {
  ELEMENTS: 10,
  MARKER: 1,
  LENGTH: 6,
  CHECKSUM: 11,
  FIRST: 16,
  COUNT: 25,
  RECEIVED: 30,
  PREVIOUS: 39,
  COLUMNS: 48,
} as const

const BLOCK_MARKER = 'HWB1'

/** The bytes that every block begins with, up to its length. */
export const BLOCK_PREFIX: Buffer = Buffer.concat([
  Buffer.from([FIXARRAY | BLOCK.ELEMENTS, FIXSTR | BLOCK_MARKER.length]),
  Buffer.from(BLOCK_MARKER, 'latin1'),
  Buffer.from([UINT32]),
])

export const KIB = 1024
export const MIB = 1024 * KIB

export const MAX_BLOCK_BYTES = 16 * MIB
export const MAX_EVENT_BYTES = MIB
export const MAX_BATCH_BYTES = 8 * MIB
/** A block that reached this size is closed; the next event begins another one. */
export const BLOCK_TARGET_BYTES = MIB
/** What an event adds to a block at most besides its strings, identities and payload. */
export const EVENT_FIXED_BYTES = 128
export const IDENTITY_BYTES = 16
export const KEY_ID_BYTES = 16
/** An identity in the columns: its id, its namespace's index, its share of the ends. */
export const IDENTITY_COLUMN_BYTES = IDENTITY_BYTES + 8

/** The header's array, the column names and the lists around them. */
export const BLOCK_OVERHEAD_BYTES = 4 * KIB

const WIDTHS = [0, 1, 2, 4, 8] as const
export type Width = (typeof WIDTHS)[number]

assert.equal(BLOCK_PREFIX.length, BLOCK.LENGTH + 1, 'the prefix ends where the length begins')
assert.equal(SEGMENT.MAGIC + 1 + SEGMENT_MAGIC.length, SEGMENT.VERSION)
assert.equal(SEGMENT.VERSION + 5, SEGMENT.CHECKSUM)
assert.equal(SEGMENT.CHECKSUM + 5, SEGMENT.FIRST)
assert.equal(SEGMENT.FIRST + 9, SEGMENT.PREVIOUS)
assert.equal(SEGMENT.PREVIOUS + 9, SEGMENT.CREATED)
assert.equal(SEGMENT.CREATED + 9, SEGMENT.SALT)
assert.equal(SEGMENT.SALT + 5, SEGMENT.WORKSPACE)
assert.equal(BLOCK.MARKER + 1 + BLOCK_MARKER.length, BLOCK.LENGTH)
assert.equal(BLOCK.LENGTH + 5, BLOCK.CHECKSUM)
assert.equal(BLOCK.CHECKSUM + 5, BLOCK.FIRST)
assert.equal(BLOCK.FIRST + 9, BLOCK.COUNT)
assert.equal(BLOCK.COUNT + 5, BLOCK.RECEIVED)
assert.equal(BLOCK.RECEIVED + 9, BLOCK.PREVIOUS)
assert.equal(BLOCK.PREVIOUS + 9, BLOCK.COLUMNS)
assert.ok(BLOCK.ELEMENTS < 16 && SEGMENT.ELEMENTS < 16, 'both headers are fixarrays')
assert.ok(MAX_EVENT_BYTES <= BLOCK_TARGET_BYTES)
assert.ok(BLOCK_TARGET_BYTES + MAX_EVENT_BYTES + BLOCK_OVERHEAD_BYTES <= MAX_BLOCK_BYTES)
assert.ok(MAX_BATCH_BYTES + BLOCK_OVERHEAD_BYTES <= MAX_BLOCK_BYTES, 'an atomic batch fits one block')
assert.equal(String(Number.MAX_SAFE_INTEGER).length <= SEGMENT_NAME_DIGITS, true)
