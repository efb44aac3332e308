import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NewEvent, RecordedEvent } from '../../engine/events/event.ts'
import { Block } from '../../engine/log/embedded/block-decoder.ts'
import { BlockEncoder } from '../../engine/log/embedded/block-encoder.ts'
import { ByteSink } from '../../engine/log/embedded/byte-sink.ts'
import { eventBytes } from '../../engine/log/embedded/event-bytes.ts'
import { StoredBytes } from '../../engine/log/embedded/stored-bytes.ts'
import { anEvent, appends, collect, eventArbitrary, identityId, present, T0 } from './events.ts'
import { opened, type TemporaryDirectory, temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: a segment is read by any MessagePack decoder and the tables of FORMAT.md alone, and what it then holds is
// what was appended. The code below shares nothing with the engine's reader.

const decoder = new Unpackr({ useRecords: false, int64AsType: 'number' })

type Cell = number | string | undefined | null
interface RawBlock {
  readonly first: number
  readonly count: number
  readonly received: number
  readonly columns: Record<string, never>
  readonly shapes: [string[], string[]][]
  readonly payloads: Buffer[]
}

function unsigned(bytes: Buffer, i: number, count: number): number {
  const width = bytes.length / count
  return width === 0 ? 0 : bytes.readUIntLE(i * width, width)
}

function isPresent(presence: Buffer | undefined, i: number): boolean {
  return presence === undefined || (((presence[i >> 3] ?? 0) >> (i % 8)) & 1) === 1
}

function numberCell(column: [number, Buffer, Buffer?] | undefined, i: number, count: number): Cell {
  if (column === undefined || !isPresent(column[2], i)) return undefined
  const [base, bytes] = column
  return bytes.length / count === 8 ? bytes.readDoubleLE(i * 8) : base + unsigned(bytes, i, count)
}

function textCell(column: [Buffer, Buffer, Buffer?] | undefined, i: number, count: number): Cell {
  if (column === undefined || !isPresent(column[2], i)) return undefined
  const [ends, bytes] = column
  return bytes.toString('utf8', i === 0 ? 0 : unsigned(ends, i - 1, count), unsigned(ends, i, count))
}

function entryCell(column: [Buffer, Cell[]] | undefined, i: number, count: number): Cell {
  return column === undefined ? undefined : column[1][unsigned(column[0], i, count)]
}

function identitiesCell(column: [Buffer, Buffer, [Buffer, Cell[]]] | undefined, i: number, count: number) {
  if (column === undefined) return []
  const [ends, ids, namespaces] = column
  const total = ids.length / 16
  const from = i === 0 ? 0 : unsigned(ends, i - 1, count)
  return Array.from({ length: unsigned(ends, i, count) - from }, (_, k) => ({
    id: ids.toString('hex', (from + k) * 16, (from + k + 1) * 16),
    namespace: entryCell(namespaces, from + k, total),
  }))
}

/** As FORMAT.md tells, with the names of the envelope. */
function plainEvent(block: RawBlock, i: number): Record<string, unknown> {
  const { columns: c, count } = block
  const [dataKeys, normalisedKeys] = block.shapes[
    c.shape === undefined ? 0 : unsigned(c.shape, i, count)
  ] ?? [[], []]
  const values = decoder.unpack(block.payloads[i] ?? Buffer.alloc(0)) as unknown[]
  const sealed = values.length > dataKeys.length + normalisedKeys.length ? (values.at(-1) as Buffer[][]) : []
  const event = {
    position: block.first + i,
    revision: numberCell(c.revision, i, count) ?? 0,
    stream: textCell(c.stream, i, count),
    id: textCell(c.id, i, count),
    source: entryCell(c.source, i, count),
    type: entryCell(c.type, i, count),
    schema: numberCell(c.schema, i, count) ?? 1,
    time: numberCell(c.time, i, count),
    received: numberCell(c.received, i, count) ?? block.received,
    sequence: numberCell(c.sequence, i, count),
    identities: identitiesCell(c.identities, i, count),
    actor: entryCell(c.actor, i, count) ?? undefined,
    origin: entryCell(c.origin, i, count) ?? undefined,
    causation: textCell(c.causation, i, count),
    correlation: textCell(c.correlation, i, count),
    basedOn: numberCell(c.based_on, i, count),
    originalTime: numberCell(c.original_time, i, count),
    sentTime: numberCell(c.sent_time, i, count),
    data: Object.fromEntries(dataKeys.map((key, k) => [key, values[k]])),
    normalised: Object.fromEntries(normalisedKeys.map((key, k) => [key, values[dataKeys.length + k]])),
    normaliser: numberCell(c.normaliser, i, count) ?? 0,
    sealed: sealed.map(([keyId, blob]) => ({
      keyId: keyId?.toString('hex'),
      blob: new Uint8Array(blob ?? []),
    })),
  }
  return Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined))
}

function readByHand(directory: string): Record<string, unknown>[] {
  const events: Record<string, unknown>[] = []
  for (const name of readdirSync(directory).filter((each) => each.endsWith('.hwl'))) {
    const [header, ...blocks] = decoder.unpackMultiple(readFileSync(join(directory, name))) as unknown[][]
    expect(header?.slice(0, 2)).toEqual(['headwater-log', 1])
    expect(Number(header?.[3])).toBe(Number(name.slice(0, 20)))
    expect(header?.[7]).toBe('default')
    for (const value of blocks as unknown[]) {
      if (value === 0) continue
      const [marker, , , first, count, received, , columns, shapes, payloads] = value as never[]
      expect(marker).toBe('HWB1')
      if (first === undefined || count === undefined || received === undefined) throw new Error('a block')
      const block = { first, count, received, columns, shapes, payloads } as unknown
      const own = Array.from({ length: count }, (_, i) => plainEvent(block as RawBlock, i))
      expect(received).toBe(own.at(-1)?.received)
      events.push(...own)
    }
    const begun = events.find((event) => event.position === header?.[3])
    if (begun !== undefined) expect(header?.[5]).toBe(begun.received)
  }
  return events
}

describe('the format', () => {
  let directory: TemporaryDirectory
  beforeEach(() => {
    directory = temporaryDirectory()
  })
  afterEach(() => directory.remove())

  it('is read by a MessagePack decoder and plain code', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(eventArbitrary, { minLength: 1, maxLength: 12 })),
        async (commits) => {
          const scratch = temporaryDirectory()
          const small = { segmentBytes: 6000, chunkBytes: 1000, files: unsyncedFiles }
          const log = await opened(scratch.path, small)
          try {
            const expected: RecordedEvent[] = []
            let received = T0
            for (const made of commits) {
              const commit = made.map((event) => ({ ...event, received: received++ }))
              for (const [i, result] of (await log.append(appends(...commit))).entries()) {
                const event = commit[i]
                if (result._tag === 'Left' || event === undefined) throw new Error('not appended')
                expected.push(present({ ...event, ...result.right }))
              }
            }
            expect(await collect(log.read())).toStrictEqual(expected)
            await log.close()
            expect(readByHand(scratch.path)).toStrictEqual(expected)
          } finally {
            scratch.remove()
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  it('says so in bytes: a header and a block of one event', async () => {
    const log = await opened(directory.path, { chunkBytes: 1024, files: unsyncedFiles })
    await log.append(appends(anEvent({ id: 'e-1', data: { a: 'b' } })))
    await log.close()
    const bytes = readFileSync(join(directory.path, '00000000000000000001.hwl'))
    expect(bytes.length).toBe(1024)
    expect(bytes.toString('latin1', 0, 15)).toBe('\x98\xadheadwater-log')
    expect([15, 20, 25, 34, 43, 52, 57].map((at) => bytes[at])).toEqual([
      0xce, 0xce, 0xcf, 0xcf, 0xcf, 0xce, 0xd9,
    ])
    const block = 59 + 'default'.length
    expect(bytes.toString('latin1', block, block + 6)).toBe('\x9a\xa4HWB1')
    expect([6, 11, 16, 25, 30, 39].map((at) => bytes[block + at])).toEqual([
      0xce, 0xce, 0xcf, 0xce, 0xcf, 0xcf,
    ])
    expect(bytes.readBigUInt64BE(block + 17)).toBe(1n)
    expect(bytes.readUInt32BE(block + 26)).toBe(1)
    expect(bytes.readBigUInt64BE(block + 31)).toBe(BigInt(T0))
    const end = block + 11 + bytes.readUInt32BE(block + 7)
    expect(bytes.subarray(end).every((byte) => byte === 0)).toBe(true)
    expect(bytes.subarray(end - 3, end).toString('latin1')).toBe('\x91\xa1b')
  })
})

describe('`received` in the headers', () => {
  let directory: TemporaryDirectory
  beforeEach(() => {
    directory = temporaryDirectory()
  })
  afterEach(() => directory.remove())

  const large = { data: { text: 'x'.repeat(1024 * 1024) } }

  it("is the first event's in a segment's, the last one's in a block's", async () => {
    const log = await opened(directory.path, { files: unsyncedFiles })
    await log.append(appends(anEvent({ received: T0 + 1 }), anEvent({ received: T0 + 9 })))
    await log.close()
    expect(readByHand(directory.path)).toHaveLength(2)
    const [header] = decoder.unpackMultiple(
      readFileSync(join(directory.path, '00000000000000000001.hwl')),
    ) as unknown[][]
    expect(header?.[5]).toBe(T0 + 1)
  })

  it.each([false, true])('is never that of an event that was refused (atomic: %s)', async (atomic) => {
    const log = await opened(directory.path, { files: unsyncedFiles })
    const underWay = log.append(appends(anEvent({ received: T0 + 1 })))
    const refused = log.append(appends(anEvent({ ...large, received: T0 + 50 })), { atomic })
    const thrown = log.append(appends(anEvent({ stream: '\ud800', received: T0 + 60 })), { atomic })
    await expect(thrown).rejects.toThrow(/surrogate/)
    await Promise.all([underWay, refused])
    const head = { position: 1, received: T0 + 1 }
    expect(log.head()).toEqual(head)
    await log.close()
    expect(readByHand(directory.path)).toMatchObject([head])
    const again = await opened(directory.path, { files: unsyncedFiles })
    expect(again.head()).toEqual(head)
    await again.close()
  })
})

function blockOf(events: readonly NewEvent[], revisions: readonly number[], first = 1): Block {
  const encoder = new BlockEncoder()
  events.forEach((event, i) => {
    encoder.add(event, revisions[i] ?? 0)
  })
  return new Block(encoder.finish(first, first - 1, new ArrayBuffer(encoder.sizeBytes)))
}

/** Without what most events don't have. */
const BARE = {
  sequence: undefined,
  basedOn: undefined,
  originalTime: undefined,
  sentTime: undefined,
  actor: undefined,
  origin: undefined,
  causation: undefined,
  correlation: undefined,
}
/** One shape and several normalisers; one normaliser and several shapes. */
const OTHERWISE = [{}, { data: { a: 1 }, normalised: {} }, { normaliser: 2 }, {}]

describe('the stored bytes of an event', () => {
  it('are the array that FORMAT.md lists', () => {
    const event = anEvent({
      identities: [{ id: identityId(255), namespace: 'user' }],
      actor: '',
      data: { a: 1 },
      normalised: { 'a.b': 'c' },
      time: -1,
    })
    const bytes = eventBytes(blockOf([event], [3]), 0)
    const values = decoder.unpack(bytes) as unknown[]
    const { stream, id, source, type, schema, time, received } = event
    const identities = [['user', Buffer.from(identityId(255), 'hex')]]
    const payload = Buffer.from([0x92, 1, 0xa1, 0x63])
    expect(values).toEqual([
      ...[stream, id, source, type, schema, time, received, 3, identities],
      ...[null, null, null, null, '', null, null, null, 1],
      ...[['a'], ['a.b'], payload],
    ])
  })

  it('are the same in any block', () => {
    fc.assert(
      fc.property(fc.array(eventArbitrary, { minLength: 2, maxLength: 8 }), fc.nat(), (events, pick) => {
        const revisions = events.map((_, i) => i)
        const index = pick % events.length
        const event = events[index] ?? anEvent()
        const alone = eventBytes(blockOf([event], [index], 100), 0)
        expect(eventBytes(blockOf(events, revisions), index).equals(alone)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('are the same written without decoding, from blocks of like and of unlike events', () => {
    const like = fc.record({ event: eventArbitrary, count: fc.integer({ min: 1, max: 4 }) })
    fc.assert(
      fc.property(fc.array(like, { minLength: 1, maxLength: 4 }), fc.nat(3), (parts, plain) => {
        const events = parts.flatMap(({ event, count }) =>
          new Array<NewEvent>(count).fill({
            ...event,
            ...(plain > 0 ? BARE : {}),
            ...OTHERWISE[plain],
          }),
        )
        const block = blockOf(
          events,
          events.map((_, i) => i),
        )
        const stored = new StoredBytes(block)
        for (let i = 0; i < events.length; i++) {
          const sink = ByteSink.ofCapacity(16)
          stored.write(sink, i)
          expect(eventBytes(block, i).equals(sink.bytes.subarray(0, sink.length))).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  })
})
