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
    const units = source.length + id.length
    const words = 2 + (units >>> 1)
    let word = 0
    // The next unit of each; read here and not in a function of its own, which takes a third longer.
    let inSource = 0
    let inId = 0
    let v0 = k0
    let v1 = k1 ^ 0xee
    let v2 = 0x6c796765 ^ k0
    let v3 = 0x74656462 ^ k1
    for (let step = 0; step < words; step++) {
      if (step === 0) {
        word = source.length
      } else if (inSource + 1 < source.length) {
        word = source.charCodeAt(inSource) | (source.charCodeAt(inSource + 1) << 16)
        inSource += 2
      } else if (inSource < source.length && inId < id.length) {
        word = source.charCodeAt(inSource++) | (id.charCodeAt(inId++) << 16)
      } else if (inId + 1 < id.length) {
        word = id.charCodeAt(inId) | (id.charCodeAt(inId + 1) << 16)
        inId += 2
      } else {
        // The last word carries the length in bytes modulo 256, as SipHash ends every message.
        word = (4 + 2 * units) << 24
        if (inSource < source.length) word |= source.charCodeAt(inSource)
        else if (inId < id.length) word |= id.charCodeAt(inId)
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
    v2 ^= 0xee
    for (let step = 0; step < 2 * FINAL_ROUNDS; step++) {
      if (step === FINAL_ROUNDS) {
        out[0] = v1 ^ v3
        v1 ^= 0xdd
      }
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
    }
    out[1] = v1 ^ v3
  }
}
