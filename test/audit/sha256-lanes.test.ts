// Theorem: four lanes hash what node:crypto hashes, whatever the messages' lengths and wherever they stand; and an
// event's entry and leaf are those of the offline verifier, however long the event is and however many a block holds.
import { hash } from 'node:crypto'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EntryHasher } from '../../engine/audit/entries.ts'
import {
  BLOCK_BYTES,
  FREE_AT,
  openLanes,
  pad,
  paddedBlocks,
  plainLanes,
  type Sha256Lanes,
  vectorLanes,
} from '../../engine/audit/sha256-lanes.ts'
import { entryOf, leafHash } from '../../engine/audit/verify.ts'
import { eventBytes } from '../../engine/log/embedded/event-bytes.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import { anEvent, appends } from '../log/events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from '../log/support.ts'

const SIZE = 64 * 1024
const LONGEST = 1_000
const EVERY = LONGEST + 2 * BLOCK_BYTES

/** Four messages of as many blocks. */
const messages = fc.integer({ min: 1, max: paddedBlocks(LONGEST) }).chain((blocks) => {
  const most = Math.min(LONGEST, blocks * BLOCK_BYTES - 9)
  const least = Math.max(0, (blocks - 1) * BLOCK_BYTES - 8)
  const message = fc.uint8Array({ minLength: least, maxLength: most, size: 'max' })
  return fc.tuple(message, message, message, message)
})

function digests(lanes: Sha256Lanes, four: readonly Uint8Array[], shift: number): string[] {
  const bytes = Buffer.from(lanes.memory)
  const view = new DataView(lanes.memory)
  const [a = 0, b = 0, c = 0, d = 0] = four.map((_, lane) => FREE_AT + lane * EVERY + shift * lane)
  const out = FREE_AT + 4 * EVERY + 4 * shift
  const blocks = four.map((message, lane) => {
    const from = [a, b, c, d][lane] ?? 0
    // What stood there before must not matter.
    bytes.fill(0xa5, from, from + EVERY)
    bytes.set(message, from)
    return pad(bytes, view, from, from + message.length)
  })
  lanes.hash4(blocks[0] ?? 0, a, b, c, d, out, out + 32, out + 64, out + 96)
  return four.map((_, lane) => bytes.toString('hex', out + 32 * lane, out + 32 * lane + 32))
}

describe.each([
  ['in vectors', vectorLanes],
  ['by node:crypto', plainLanes],
])('%s', (_, open) => {
  const lanes = open(SIZE)

  test('any four messages', () => {
    fc.assert(
      fc.property(messages, fc.nat(63), (four, shift) => {
        expect(digests(lanes, four, shift)).toEqual(four.map((message) => hash('sha256', message, 'hex')))
      }),
      { numRuns: 300 },
    )
  })

  test('every length around the edges of blocks', () => {
    for (let length = 0; length <= 4 * BLOCK_BYTES; length++) {
      const four = [1, 2, 3, 4].map((seed) => Uint8Array.from({ length }, (_, at) => at * seed * 31 + seed))
      expect(digests(lanes, four, 1)).toEqual(four.map((message) => hash('sha256', message, 'hex')))
    }
  })
})

test('what the specification gives as an example', () => {
  const abc = Buffer.from('abc')
  expect(digests(openLanes(SIZE), [abc, abc, abc, abc], 0)[3]).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  )
})

test('the vectors are what is used here', () => {
  expect(openLanes(SIZE).hash4).not.toBe(plainLanes(SIZE).hash4)
  expect(openLanes(SIZE).hash4.name).toBe(vectorLanes(SIZE).hash4.name)
})

describe('events', () => {
  let directory: TemporaryDirectory
  beforeEach(() => {
    directory = temporaryDirectory()
  })
  afterEach(() => directory.remove())

  test('of all lengths together in blocks, up to the longest that the log takes', async () => {
    const lengths = [
      ...Array.from({ length: 600 }, (_, i) => i * 3),
      40_000,
      250_000,
      700_000,
      5,
      900_000,
      0,
      1,
    ]
    const log = await opened(directory.path, { files: unsyncedFiles })
    const events = lengths.map((length, i) =>
      anEvent({ id: `e-${i}`, stream: `deal-${i % 7}`, data: { text: 'x'.repeat(length) } }),
    )
    await log.append(events.flatMap((event) => appends(event)))
    const reader = openEmbeddedReader(directory.path)
    const hasher = new EntryHasher()
    let seen = 0
    for (const block of reader.blocks(1)) {
      let index = 0
      hasher.visit(block, 1, Number.POSITIVE_INFINITY, (entry, leaf) => {
        const expected = entryOf(block.first + index, eventBytes(block, index))
        expect(entry.equals(expected) && leaf.equals(leafHash(expected))).toBe(true)
        index += 1
        seen += 1
      })
    }
    expect(seen).toBe(lengths.length)
    await reader.close()
    await log.close()
  })
})
