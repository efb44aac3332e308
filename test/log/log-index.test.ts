import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Identity } from '../../engine/events/identity.ts'
import { BlockEncoder } from '../../engine/log/embedded/block-encoder.ts'
import { identityWords, indexKeys } from '../../engine/log/embedded/index/index-keys.ts'
import { SegmentMemory } from '../../engine/log/embedded/index/segment-memory.ts'
import { PostingLists } from '../../engine/log/embedded/posting-lists.ts'
import { anEvent, identityId } from './events.ts'

// Theorem: the index answers as Maps of arrays do, whatever streams are called, however far apart positions are and even
// if all names have one hash; and it takes at most 21 bytes of each event of a known stream and identity, and 190 of each
// event of new ones.

interface Indexed {
  readonly stream: string
  readonly identities: readonly Identity[]
}

const KEYS = indexKeys(Buffer.from('0123456789abcdef'))

const name = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom(
    'deal-1',
    'deal-12',
    'deal-é',
    'deal-\ufffd',
    'deal-\ud800',
    '__proto__',
    '',
    'x'.repeat(70_000),
  ),
)
const identities = fc
  .array(fc.nat(4), { maxLength: 3 })
  .map((numbers) => numbers.map((number) => ({ namespace: 'user', id: identityId(number) })))

/** Blocks with the gap before each. */
const blocks = fc.array(
  fc.record({
    gap: fc.oneof(fc.nat(3), fc.constantFrom(126, 127, 128, 2 ** 14, 2 ** 31 - 2, 2 ** 32, 2 ** 45)),
    events: fc.array(fc.record({ stream: name.filter((text) => text.isWellFormed()), identities }), {
      maxLength: 20,
    }),
  }),
  { maxLength: 12 },
)

function blockOf(first: number, events: readonly Indexed[], revisionOf: (stream: string) => number) {
  const revisions = events.map(({ stream }) => revisionOf(stream))
  return {
    first,
    count: events.length,
    streamAt: (at: number) => events[at]?.stream ?? '',
    revisionAt: (at: number) => revisions[at] ?? 0,
    sourceAt: () => 'crm',
    idAt: (at: number) => `${first + at}`,
    identitiesAt: (at: number) => events[at]?.identities ?? [],
  }
}

/** What is asked of both. */
class Model {
  readonly streams = new Map<string, number[]>()
  readonly identities = new Map<string, number[]>()

  add(position: number, { stream, identities }: Indexed): void {
    this.streams.set(stream, [...(this.streams.get(stream) ?? []), position])
    for (const id of new Set(identities.map((identity) => identity.id)))
      this.identities.set(id, [...(this.identities.get(id) ?? []), position])
  }
}

describe('the index', () => {
  it('answers as maps of arrays do', () => {
    fc.assert(
      fc.property(blocks, fc.array(name, { maxLength: 5 }), (added, asked) => {
        const index = new SegmentMemory(KEYS)
        const model = new Model()
        let position = 0
        for (const { gap, events } of added) {
          const first = position + 1 + gap
          index.add(blockOf(first, events, (stream) => model.streams.get(stream)?.length ?? 0))
          for (const [at, event] of events.entries()) model.add(first + at, event)
          position = first + events.length
        }
        for (const stream of [...model.streams.keys(), ...asked]) {
          expect(index.streamPositions(stream)).toEqual(model.streams.get(stream) ?? [])
          expect(index.slot(stream) === undefined).toBe(!model.streams.has(stream))
        }
        for (let number = 0; number < 6; number++) {
          const id = identityId(number)
          expect(index.identityPositions(id)).toEqual(model.identities.get(id) ?? [])
        }
      }),
      { numRuns: 150 },
    )
  })

  it('knows the head of a stream by its slot, and of one that was only made none', () => {
    const index = new SegmentMemory(KEYS)
    const made = index.makeSlot('deal-1', undefined)
    expect(index.head(made)).toBeUndefined()
    index.add(
      blockOf(
        7,
        [
          { stream: 'deal-2', identities: [] },
          { stream: 'deal-1', identities: [] },
        ],
        () => 4,
      ),
    )
    expect(index.head(made)).toEqual({ position: 8, revision: 4 })
    expect(index.makeSlot('deal-1', undefined)).toBe(made)
    expect(index.streamPositions('deal-1')).toEqual([8])
  })

  it('takes of a block that is written the same identities as of one that is read', () => {
    const hexadecimal = fc.string({
      unit: fc.constantFrom(...'0123456789abcdef'),
      minLength: 32,
      maxLength: 32,
    })
    fc.assert(
      fc.property(
        fc.array(fc.array(hexadecimal, { maxLength: 3 }), { minLength: 1, maxLength: 4 }),
        (all) => {
          const encoder = new BlockEncoder()
          for (const ids of all)
            encoder.add(anEvent({ identities: ids.map((id) => ({ namespace: 'user', id })) }), 0)
          const { words, ends } = encoder.identities()
          const word = new Uint32Array(4)
          const expected = all.flat().flatMap((id) => (identityWords(id, word) ? [...word] : []))
          expect([...words]).toEqual(expected)
          expect([...ends]).toEqual(all.map((_, i) => all.slice(0, i + 1).flat().length))
        },
      ),
      { numRuns: 50 },
    )
  })

  it('answers for ids that are none', () => {
    const index = new SegmentMemory(KEYS)
    index.add(blockOf(1, [{ stream: 's', identities: [{ namespace: 'user', id: hashedId(1) }] }], () => 0))
    for (const id of ['', 'x', hashedId(1).toUpperCase(), '\ud800', 'f'.repeat(100_000)])
      expect(index.identityPositions(id)).toEqual([])
  })

  it('takes 21 bytes of an event of known names, 190 of one of new names', () => {
    const index = new SegmentMemory(KEYS)
    const people = 1_000
    const add = (
      from: number,
      until: number,
      stream: (at: number) => string,
      id: (at: number) => number,
    ): number => {
      const before = index.sizeBytes
      for (let first = from; first < until; first += 1_000) {
        const events = Array.from({ length: 1_000 }, (_, at) => ({
          stream: stream(first + at),
          identities: [{ namespace: 'user', id: hashedId(id(first + at)) }],
        }))
        index.add(blockOf(first + 1, events, () => first))
      }
      return (index.sizeBytes - before) / (until - from)
    }
    const person = (at: number) => (at * 7_919) % people
    const known = (at: number) => `visit-${hashedId(person(at))}`
    add(0, 20_000, known, person)
    expect(add(20_000, 220_000, known, person)).toBeLessThan(21)
    expect(
      add(
        220_000,
        240_000,
        (at) => `order-${at}`,
        (at) => at,
      ),
    ).toBeLessThan(190)
  })
})

/** Looks as random as ids are. */
function hashedId(number: number): string {
  let id = ''
  for (let word = 1; word <= 4; word++)
    id += (Math.imul(number + word * 77_777, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')
  return id
}

describe('lists of names that have one hash', () => {
  it('are kept apart', () => {
    const lists = new PostingLists((_name, out) => out.fill(0xffff_ffff))
    for (let at = 0; at < 300; at++) lists.add(lists.makeSlot(`name-${at % 30}`), at + 1, at)
    for (let number = 0; number < 30; number++) {
      const expected = Array.from({ length: 10 }, (_, round) => round * 30 + number + 1)
      expect(lists.list(`name-${number}`)).toEqual(expected)
      expect(lists.note(lists.makeSlot(`name-${number}`))).toBe(270 + number)
    }
    expect(lists.list('name-30')).toEqual([])
  })

  it('are read back however long they are', () => {
    const lists = new PostingLists((_name, out) => out.fill(1))
    const slot = lists.makeSlot('company')
    const expected: number[] = []
    for (let at = 0, position = 0; at < 30_000; at++) {
      position += 1 + ((at * at) % 20_000)
      lists.add(slot, position, 0)
      expected.push(position)
    }
    expect(lists.list('company')).toEqual(expected)
  })
})
