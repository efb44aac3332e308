/**
 * Theorem: however ids are asked for, kept, displaced and asked for again, the hash that the index enters an event under is
 * the hash that candidates are looked for under.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { halfSipHash } from '../../engine/keyed-hash.ts'
import { AskedIds } from '../../engine/log/embedded/index/asked-ids.ts'

const plain = halfSipHash(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]))
const source = fc.constantFrom('', 'a', 'ab', 'web')
/** Many end alike, so that they take places from each other. */
const id = fc.oneof(
  fc.constantFrom('', 'b', 'bc', 'abcd', 'xabcd', 'yabcd', `${'z'.repeat(70)}abcd`),
  fc.string({ unit: 'binary', maxLength: 80 }),
)

function hashed(hash: typeof plain, of: readonly [string, string]): readonly number[] {
  const out = new Uint32Array(2)
  hash(...of, out)
  return [...out]
}

test('a hash that was kept is the hash', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.tuple(source, id)), { maxLength: 60 })
  fc.assert(
    fc.property(steps, (taken) => {
      const asked = new AskedIds(plain)
      for (const [isAsked, key] of taken) {
        const hash = isAsked ? asked.ask.bind(asked) : asked.hash
        expect(hashed(hash, key)).toEqual(hashed(plain, key))
      }
    }),
    { numRuns: 300 },
  )
})

test('what was asked for is not hashed again', () => {
  let count = 0
  const asked = new AskedIds((...of) => {
    count++
    plain(...of)
  })
  const out = new Uint32Array(2)
  for (let i = 0; i < 1_000; i++) asked.ask('web', `order-${i}`, out)
  for (let i = 0; i < 1_000; i++) asked.hash('web', `order-${i}`, out)
  expect(count).toBeLessThan(1_300)
})

test('what was asked for and never appended hides nothing behind it', () => {
  let count = 0
  const asked = new AskedIds((...of) => {
    count++
    plain(...of)
  })
  const out = new Uint32Array(2)
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 1_000; i++) asked.ask('web', `order-${round}-${i}`, out)
    count = 0
    for (let i = 500; i < 1_000; i++) asked.hash('web', `order-${round}-${i}`, out)
    expect(count).toBeLessThan(20)
    // Nor does one that nobody asked for.
    for (let i = 0; i < 20; i++) asked.hash('web', `unasked-${round}-${i}`, out)
  }
})
