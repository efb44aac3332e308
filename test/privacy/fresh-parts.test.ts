import { randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { freshParts } from '../../engine/privacy/fresh-parts.ts'

/**
 * What is found of a part sealed lately is its plaintext, byte for byte, or nothing: never another part's, never half of
 * one, however many were put since, also while another thread puts. After `clear` the memory holds none of it.
 */

const CONTEXT = Buffer.from('web 17 cdp.identify')

function blobOf(plaintext: Uint8Array): Uint8Array {
  return Buffer.concat([randomBytes(12), randomBytes(plaintext.length), randomBytes(16)])
}

describe('parts sealed lately', () => {
  it('are found as they were put, by any thread', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 40 }), (plaintexts) => {
        const parts = freshParts()
        const other = freshParts(parts.shared)
        const blobs = plaintexts.map(blobOf)
        for (const [i, blob] of blobs.entries()) parts.put(blob, plaintexts[i] as Uint8Array, CONTEXT)
        for (const [i, blob] of blobs.entries()) {
          const first = blob.subarray(0, 2).join()
          // The table has one place for the blobs that begin alike.
          const isLast = blobs.findLastIndex((each) => each.subarray(0, 2).join() === first) === i
          expect(other.get(blob, CONTEXT)).toEqual(isLast ? plaintexts[i] : undefined)
        }
        expect(other.get(blobOf(Buffer.from('another')), CONTEXT)).toBeUndefined()
      }),
      { numRuns: 20 },
    )
  })

  it('are nobody else’s: nonce, tag, length and associated data must be theirs', () => {
    const parts = freshParts()
    const plaintext = Buffer.from('jane@example.com')
    const blob = blobOf(plaintext)
    parts.put(blob, plaintext, CONTEXT)
    for (const at of [2, 11, blob.length - 16, blob.length - 1]) {
      const changed = Uint8Array.from(blob)
      changed[at] = (changed[at] as number) ^ 1
      expect(parts.get(changed, CONTEXT)).toBeUndefined()
    }
    expect(parts.get(blob.subarray(0, blob.length - 1), CONTEXT)).toBeUndefined()
    expect(parts.get(blob.subarray(0, 5), CONTEXT)).toBeUndefined()
    expect(parts.get(blob, Buffer.from('web 18 cdp.identify'))).toBeUndefined()
    expect(parts.get(blob, CONTEXT.subarray(1))).toBeUndefined()
    expect(parts.get(blob, CONTEXT)).toEqual(Uint8Array.from(plaintext))
  })

  it('are overwritten by later ones, round and round, and then not found', () => {
    const parts = freshParts()
    const old = blobOf(Buffer.alloc(10_000, 1))
    parts.put(old, Buffer.alloc(10_000, 1), CONTEXT)
    const plaintext = Buffer.alloc(9_000, 2)
    const newest: Uint8Array[] = []
    for (let i = 0; i < 6_000; i++) {
      const blob = blobOf(plaintext)
      blob[0] = 255
      parts.put(blob, plaintext, CONTEXT)
      newest.push(blob)
    }
    expect(parts.get(old, CONTEXT)).toBeUndefined()
    expect(parts.get(newest.at(-1) as Uint8Array, CONTEXT)).toEqual(Uint8Array.from(plaintext))
  })

  it('leave nothing behind when they are cleared, and large ones were never kept', () => {
    const parts = freshParts()
    const secret = Buffer.from('a name that nobody shall find')
    const blob = blobOf(secret)
    parts.put(blob, secret, CONTEXT)
    const large = Buffer.alloc(20_000, 7)
    const largeBlob = blobOf(large)
    parts.put(largeBlob, large, CONTEXT)
    expect(parts.get(largeBlob, CONTEXT)).toBeUndefined()
    expect(Buffer.from(parts.shared).includes(secret)).toBe(true)
    parts.clear()
    expect(Buffer.from(parts.shared).includes(secret)).toBe(false)
    expect(parts.get(blob, CONTEXT)).toBeUndefined()
    parts.put(blob, secret, CONTEXT)
    expect(parts.get(blob, CONTEXT)).toEqual(Uint8Array.from(secret))
  })

  it('are whole or not found while another thread puts', async () => {
    const parts = freshParts()
    const url = new URL('../../engine/privacy/fresh-parts.ts', import.meta.url).href
    // Puts parts whose bytes all tell their number, in blobs that everybody can make: nonce and tag are that number.
    const worker = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads')
       import(${JSON.stringify(url)}).then(({ freshParts }) => {
         const parts = freshParts(workerData)
         for (let n = 0; n < 60_000; n++) {
           const byte = n & 255
           const plaintext = new Uint8Array(2_000 + byte).fill(byte)
           const blob = new Uint8Array(plaintext.length + 28).fill(byte)
           parts.put(blob, plaintext, new Uint8Array(0))
         }
         parentPort.postMessage('done')
       })`,
      { eval: true, workerData: parts.shared },
    )
    let found = 0
    let done = false
    worker.on('message', () => {
      done = true
    })
    while (!done) {
      for (let byte = 0; byte < 256; byte++) {
        const plaintext = parts.get(new Uint8Array(2_000 + byte + 28).fill(byte), new Uint8Array(0))
        if (plaintext === undefined) continue
        found += 1
        if (!plaintext.every((each) => each === byte)) expect.unreachable('half of a part')
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    await worker.terminate()
    expect(found).toBeGreaterThan(0)
  })
})
