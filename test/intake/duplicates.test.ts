/**
 * Theorem: after any additions, every event's position is among the candidates of its (source, id), collisions or not, and
 * checked against the log the answer is that of a Map; an id costs at most 17 bytes.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createDuplicates, findDuplicate } from '../../engine/intake/duplicates.ts'
import type { Hash64 } from '../../engine/keyed-hash.ts'
import { halfSipHash } from '../../engine/keyed-hash.ts'

interface Key {
  readonly source: string
  readonly id: string
}

/** Hashes that put everything in one place, at the end of a partition, or into few slots. */
const BAD_HASHES: readonly (readonly [string, Hash64])[] = [
  ['all alike', (_source, _id, out) => out.fill(0)],
  ['all at the last slot', (_source, _id, out) => out.fill(0xffff_ffff)],
  [
    'by length alone',
    (source, id, out) => {
      out[0] = 0
      out[1] = (source.length + id.length) * 0x1000_0000
    },
  ],
]
const HASHES = [...BAD_HASHES, ['keyed', halfSipHash(Buffer.from('12345678'))] as const]

describe.each(HASHES)('with a hash that is %s', (_name, hash) => {
  test('it answers as a Map does', async () => {
    const text = fc.string({ maxLength: 4, unit: fc.constantFrom('a', 'b', '\ud800', '\u0000') })
    const key = fc.record({ source: text, id: text })
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { maxLength: 120 }),
        fc.array(key, { maxLength: 20 }),
        async (added, asked) => {
          const duplicates = createDuplicates({ hash })
          const oracle = new Map<string, number>()
          const log = new Map<number, Key & { readonly position: number }>()
          const at = async (position: number) => log.get(position)
          for (const [index, one] of added.entries()) {
            const known = await findDuplicate(duplicates, one, at)
            expect(known?.position).toBe(oracle.get(JSON.stringify(one)))
            if (known !== undefined) continue
            const position = 3 * index + 1
            duplicates.add(one.source, one.id, position)
            oracle.set(JSON.stringify(one), position)
            log.set(position, { ...one, position })
          }
          expect(duplicates.size).toBe(oracle.size)
          for (const one of [...added, ...asked]) {
            const found = await findDuplicate(duplicates, one, at)
            expect(found?.position).toBe(oracle.get(JSON.stringify(one)))
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})

test('200,000 ids of the usual kinds: each found, hardly a false candidate, at most 11 bytes each', async () => {
  const count = 200_000
  const name = (index: number) => (index % 2 === 0 ? `order-${index}` : `0f8fad5b-d9cb-469f-a165-${index}`)
  const duplicates = createDuplicates()
  async function* scan() {
    for (let from = 0; from < count; from += 10_000) {
      yield Array.from({ length: 10_000 }, (_, at) => ({
        source: 'erp',
        id: name(from + at),
        position: from + at + 1,
      }))
    }
  }
  await duplicates.addMany(scan())
  expect(duplicates.size).toBe(count)
  let wrong = 0
  let strangers = 0
  for (let index = 0; index < count; index++) {
    const candidates = duplicates.candidates('erp', name(index))
    if (!candidates.includes(index + 1)) wrong += 1
    strangers += candidates.length - 1 + duplicates.candidates('crm', name(index)).length
  }
  expect(wrong).toBe(0)
  expect(strangers).toBeLessThan(20)
  expect(duplicates.sizeBytes / count).toBeLessThanOrEqual(11)
})

test('a position beyond 2^32 is among the candidates, with those that it could be instead; no position is refused', () => {
  const duplicates = createDuplicates({ expected: 1_000 })
  duplicates.add('a', 'b', 2 ** 32 + 7)
  expect(duplicates.candidates('a', 'b')).toEqual([7, 2 ** 32 + 7])
  duplicates.add('a', 'late', 2 ** 33 + 9)
  expect(duplicates.candidates('a', 'b')).toEqual([7, 2 ** 32 + 7, 2 ** 33 + 7])
  expect(duplicates.candidates('a', 'late')).toEqual([9, 2 ** 32 + 9, 2 ** 33 + 9])
  for (const position of [0, -1, 1.5, Number.NaN, 2 ** 53])
    expect(() => duplicates.add('a', 'c', position)).toThrow()
})

describe('the keyed hash', () => {
  const hashed = (key: string, source: string, id: string) => {
    const out = new Uint32Array(2)
    halfSipHash(Buffer.from(key))(source, id, out)
    return `${out[0]} ${out[1]}`
  }

  test('depends on the key, on each character and on where the source ends', () => {
    const keys = ['12345678', '12345679', '02345678']
    const pairs = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc', ''],
      ['', 'abc'],
      ['ab', 'd'],
      ['ab', 'c\u0000'],
      ['ab', 'C'],
      ['ab', '\u0163'],
    ]
    const all = keys.flatMap((key) => pairs.map(([source = '', id = '']) => hashed(key, source, id)))
    expect(new Set(all).size).toBe(keys.length * pairs.length)
    expect(hashed('12345678', 'ab', 'c')).toBe(hashed('12345678', 'ab', 'c'))
  })

  test('is what the reference implementation gives', () => {
    // The message of ten bytes that (source '', id 'abc') stands for: 00000000 610062006300.
    expect(hashed('\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007', '', 'abc')).toBe(
      reference(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]), Buffer.from('00000000610062006300', 'hex')),
    )
    expect(hashed('\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007', 'web', 'x1')).toBe(
      reference(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]), Buffer.from('0300000077006500620078003100', 'hex')),
    )
  })

  test('spreads consecutive ids evenly over the partitions', () => {
    const hash = halfSipHash(Buffer.from('abcdefgh'))
    const out = new Uint32Array(2)
    const counts = new Array<number>(256).fill(0)
    for (let index = 0; index < 256_000; index++) {
      hash('erp', String(index), out)
      const partition = (out[0] ?? 0) >>> 24
      counts[partition] = (counts[partition] ?? 0) + 1
    }
    // 1,000 each with a standard deviation of 32: six of them on either side.
    expect(Math.min(...counts)).toBeGreaterThan(800)
    expect(Math.max(...counts)).toBeLessThan(1_200)
  })
})

/** HalfSipHash-1-3-64 as its authors' C code has it, byte by byte, in BigInt. */
function reference(key: Buffer, message: Buffer): string {
  const mask = 0xffff_ffffn
  const rotl = (x: bigint, by: bigint) => ((x << by) | (x >> (32n - by))) & mask
  const k0 = BigInt(key.readUInt32LE(0))
  const k1 = BigInt(key.readUInt32LE(4))
  let [v0, v1, v2, v3] = [k0, k1 ^ 0xeen, 0x6c796765n ^ k0, 0x74656462n ^ k1]
  const round = () => {
    v0 = (v0 + v1) & mask
    v1 = rotl(v1, 5n) ^ v0
    v0 = rotl(v0, 16n)
    v2 = (v2 + v3) & mask
    v3 = rotl(v3, 8n) ^ v2
    v0 = (v0 + v3) & mask
    v3 = rotl(v3, 7n) ^ v0
    v2 = (v2 + v1) & mask
    v1 = rotl(v1, 13n) ^ v2
    v2 = rotl(v2, 16n)
  }
  const padded = Buffer.alloc((Math.floor(message.length / 4) + 1) * 4)
  message.copy(padded)
  padded[padded.length - 1] = message.length & 0xff
  for (let at = 0; at < padded.length; at += 4) {
    const word = BigInt(padded.readUInt32LE(at))
    v3 ^= word
    round()
    v0 ^= word
  }
  v2 ^= 0xeen
  for (let i = 0; i < 3; i++) round()
  const low = v1 ^ v3
  v1 ^= 0xddn
  for (let i = 0; i < 3; i++) round()
  return `${low} ${v1 ^ v3}`
}
