import assert from 'node:assert/strict'

/** Constants of the index files, shared by writer and reader. FORMAT.md of the folder above says what they mean. */

export const INDEX_VERSION = 1
export const INDEX_DIRECTORY = 'index'
/** The random key of all hashes in the index files. */
export const KEY_NAME = 'key'
export const SEGMENT_INDEX_SUFFIX = '.hwi'
export const KEY_RUN_SUFFIX = '.hwk'
/** A file under construction; whoever opens the log for writing removes it. */
export const UNFINISHED_INDEX_SUFFIX = '.new'

export const PAGE_BYTES = 4096
/** A page ends with the CRC-32 of these bytes, begun with the file's seed + the page's number. */
export const PAGE_PAYLOAD = PAGE_BYTES - 4

export const MAGIC = 'HWINDEX\n'

export const KIND = { SEGMENT: 1, KEYS: 2 } as const
export type Kind = (typeof KIND)[keyof typeof KIND]

/** Where things stand in the header page. */
export const HEADER = {
  VERSION: 8,
  KIND: 12,
  SEED: 16,
  LEVEL: 20,
  KEY_CHECK: 24,
  SECTIONS: 32,
  PAGES: 40,
  ENTRIES: 48,
} as const

/** Of a section's entry in the header: number, bytes of a record (0: a stream of bytes), first page, pages, records. */
export const ENTRY = { ID: 0, RECORD: 4, FIRST_PAGE: 8, PAGES: 16, COUNT: 24, BYTES: 32 } as const

export const SECTION = {
  COVER: 1,
  BLOCKS: 2,
  POSTINGS: 3,
  STREAMS: 10,
  IDENTITIES: 20,
  TYPES: 30,
  IDS: 40,
  HEADS: 50,
} as const

/** What is added to a table's section for its fences and its filter. */
export const FENCES = 1
export const FILTER = 2

/** A covered segment: five float 64, then its salt. */
export const COVER = {
  FIRST: 0,
  PREVIOUS: 8,
  LAST: 16,
  RECEIVED: 24,
  END: 32,
  EVENTS: 40,
  SALT: 48,
  BYTES: 52,
}

export const BLOCK_RECORD = { OFFSET: 0, FIRST: 8, COUNT: 16, SIZE: 20, BYTES: 24 } as const

/** Behind the key's words. */
export const POSTING_RECORD = { COUNT: 16, PLACE: 20, BYTES: 28 } as const
export const HEAD_RECORD = { POSITION: 16, REVISION: 24, BYTES: 32 } as const
export const ID_RECORD = { VALUE: 8, NARROW_BYTES: 12, WIDE_BYTES: 16 } as const

/** Words of 32 bits in the keys. */
export const ID_WORDS = 2
export const NAME_WORDS = 4

/** A key's share of a filter, and the filter's blocks. */
export const FILTER_BITS_PER_KEY = 12
export const FILTER_BLOCK_WORDS = 8

assert.equal(MAGIC.length, HEADER.VERSION)
assert.ok(HEADER.ENTRIES + 16 * ENTRY.BYTES <= PAGE_PAYLOAD, 'sixteen sections fit the header')
assert.ok(COVER.BYTES <= PAGE_PAYLOAD)
