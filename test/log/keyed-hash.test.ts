import { describe, expect, test } from 'vitest'
import { halfSipHash } from '../../engine/keyed-hash.ts'

// Theorem: the keyed hash is HalfSipHash-1-3-64 of an unambiguous encoding of (source, id): what two of them share is
// chance.

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
