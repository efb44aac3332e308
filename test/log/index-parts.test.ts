import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IndexFile } from '../../engine/log/embedded/index/index-file.ts'
import { IndexFileWriter } from '../../engine/log/embedded/index/index-file-writer.ts'
import { KIND } from '../../engine/log/embedded/index/index-format.ts'
import { addToFilter, filterWords, mayContain } from '../../engine/log/embedded/index/key-filter.ts'
import { PageCache } from '../../engine/log/embedded/index/page-cache.ts'
import { PostingTable, writePostings, writePostingTable } from '../../engine/log/embedded/index/postings.ts'
import { PostingsCollector } from '../../engine/log/embedded/index/postings-collector.ts'
import { sortedOrder } from '../../engine/log/embedded/index/sorted-order.ts'
import { temporaryDirectory, unsyncedFiles } from './support.ts'

// Theorem: a filter never says no to a key that was added, and hardly ever yes to another; keys are sorted as whole numbers
// are, in the order in which equal ones came; and a table of postings, over however many pages, gives each list as it was
// collected, also of keys that agree in all but their last word.

const word = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0, 1, 2 ** 32 - 1))

describe('a filter', () => {
  it('never says no to a key that was added', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 300 }), (keys) => {
        const filter = new Uint32Array(filterWords(keys.length))
        for (const [a, b] of keys) addToFilter(filter, a, b)
        expect(keys.every(([a, b]) => mayContain(filter, a, b))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('says yes to fewer than one in a hundred others, at 1.5 bytes a key', () => {
    const count = 50_000
    const filter = new Uint32Array(filterWords(count))
    expect(filter.byteLength / count).toBeLessThan(1.51)
    const hash = (n: number, salt: number) => Math.imul(Math.imul(n + 1, 0x9e3779b1) ^ (n >>> 7), salt) >>> 0
    for (let n = 0; n < count; n++) addToFilter(filter, hash(n, 0x85ebca6b), hash(n, 0xc2b2ae35))
    let wrong = 0
    for (let n = count; n < 3 * count; n++)
      if (mayContain(filter, hash(n, 0x85ebca6b), hash(n, 0xc2b2ae35))) wrong += 1
    expect(wrong / (2 * count)).toBeLessThan(0.01)
  })
})

describe('the order of keys', () => {
  it('is that of their words, and stable', () => {
    const few = fc.oneof(word, fc.integer({ min: 0, max: 3 }))
    fc.assert(
      fc.property(fc.array(fc.tuple(few, few, few), { maxLength: 200 }), (keys) => {
        const words = [0, 1, 2].map((at) => Uint32Array.from(keys, (key) => key[at] ?? 0))
        const expected = keys
          .map((key, i) => ({ key, i }))
          .sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1] || a.key[2] - b.key[2] || a.i - b.i)
        expect([...sortedOrder(words, keys.length)]).toEqual(expected.map(({ i }) => i))
      }),
      { numRuns: 200 },
    )
  })
})

describe('a table of postings', () => {
  it('gives each list as it was collected', () => {
    const directory = temporaryDirectory()
    const path = `${directory.path}/table`
    const key = fc.tuple(fc.nat(2), fc.constantFrom(0, 7), fc.constantFrom(0, 2 ** 32 - 1), fc.nat(400))
    const gap = fc.oneof(fc.nat(200), fc.constantFrom(127, 128, 2 ** 31, 2 ** 35))
    fc.assert(
      fc.property(fc.array(fc.tuple(key, gap), { maxLength: 1_500 }), fc.array(key), (added, asked) => {
        const collected = new PostingsCollector()
        const model = new Map<string, number[]>()
        let value = 0
        for (const [words, by] of added) {
          value += by
          collected.add(Uint32Array.from(words), value)
          const list = model.get(words.join()) ?? []
          if (list.at(-1) !== value) list.push(value)
          model.set(words.join(), list)
        }
        const file = new IndexFileWriter(unsyncedFiles, path, {
          kind: KIND.SEGMENT,
          level: 0,
          keyCheck: Buffer.alloc(8),
        })
        file.begin(3, 0)
        const order = collected.order()
        const postings = writePostings(file, collected, order, { bytes: 0 })
        writePostingTable(file, 10, collected, order, postings)
        file.finish()
        const opened = IndexFile.open(unsyncedFiles, path, KIND.SEGMENT, new PageCache(3 * 4096))
        const table = new PostingTable(opened, 10, 3)
        for (const filtered of [false, true]) {
          if (filtered) table.table.loadFilter()
          for (const words of [...added.map(([each]) => each), ...asked])
            expect(table.list(Uint32Array.from(words))).toEqual(model.get(words.join()) ?? [])
        }
        opened.close()
      }),
      { numRuns: 30 },
    )
    directory.remove()
  })
})
