import { strict as assert } from 'node:assert'

/** 64 bits of hash of a (source, id) in two halves; written to `out`, so that nothing is allocated. */
export type Hash64 = (source: string, id: string, out: Uint32Array) => void

const FINAL_ROUNDS = 3

/**
 * HalfSipHash-1-3 with 64 bits of output (https://github.com/veorq/SipHash) under a key of 8 bytes, over: length of the
 * source (u32), source and id as UTF-16, all little-endian. Who doesn't know the key can't make ids collide.
 */
export function halfSipHash(key: Uint8Array): Hash64 {
  assert.equal(key.length, 8)
  const view = new DataView(key.buffer, key.byteOffset, 8)
  const k0 = view.getInt32(0, true)
  const k1 = view.getInt32(4, true)
  return (source, id, out) => {
    const words = wordCount(source, id)
    let v0 = k0
    let v1 = k1 ^ 0xee
    let v2 = 0x6c796765 ^ k0
    let v3 = 0x74656462 ^ k1
    // The final rounds are rounds with an empty word, so that the round stands here only once.
    for (let step = 0; step < words + 2 * FINAL_ROUNDS; step++) {
      const word = step < words ? wordAt(source, id, step) : 0
      if (step === words) v2 ^= 0xee
      if (step === words + FINAL_ROUNDS) {
        out[0] = v1 ^ v3
        v1 ^= 0xdd
      }
      v3 ^= word
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= word
    }
    out[1] = v1 ^ v3
  }
}

/** The source's length, the pairs of UTF-16 units, and the last word. */
function wordCount(source: string, id: string): number {
  return 2 + ((source.length + id.length) >>> 1)
}

function wordAt(source: string, id: string, at: number): number {
  if (at === 0) return source.length
  const units = source.length + id.length
  const unit = (at - 1) * 2
  if (unit + 1 < units) return unitAt(source, id, unit) | (unitAt(source, id, unit + 1) << 16)
  // The last word carries the length in bytes modulo 256, as SipHash ends every message.
  return (unit < units ? unitAt(source, id, unit) : 0) | ((4 + 2 * units) << 24)
}

function unitAt(source: string, id: string, at: number): number {
  return at < source.length ? source.charCodeAt(at) : id.charCodeAt(at - source.length)
}
