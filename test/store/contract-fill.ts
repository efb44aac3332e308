import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BuildWrite, StoreWriter } from '../../engine/store/store.ts'
import type { Harness, OpenHarness } from './contract.ts'
import { commitOf, DAILY, PERSON, rowsOf, SPECS, stateOf, THING, walk } from './tables.ts'

/** What filling a new build must come to: what ordinary commits do, in whatever pieces, and whoever asks meanwhile. */
export function fillContract(name: string, open: OpenHarness): void {
  describe(`${name}: filling a build`, () => {
    let store: Harness
    let writer: StoreWriter
    beforeEach(() => {
      store = open()
      writer = store.writer
      for (const made of SPECS) writer.createBuild(made)
    })
    afterEach(() => store.close())

    test('comes to what ordinary commits come to, and goes on as any build', async () => {
      const plain = open()
      for (const made of SPECS) plain.writer.createBuild(made)
      for (const part of PARTS) {
        plain.writer.commit(commitOf({ builds: [], position: 0, writes: [part] }))
        writer.commit(commitOf({ builds: [], position: 0, writes: [{ ...part, areNew: true }] }))
        // Asked for in between, nothing may be remembered as absent.
        for (const key of KEYS) writer.state(THING.build, key)
      }
      for (const each of [plain.writer, writer]) {
        each.commit(commitOf({ position: 5 }))
        for (const { build } of SPECS) each.serve(build)
        each.commit(commitOf({ position: 6, writes: LATER }))
      }
      expect(await answersOf(store)).toEqual(await answersOf(plain))
      await plain.close()
    })

    test('knows the keys that have a state, in order, a page at a time', () => {
      for (const part of PARTS) writer.commit(commitOf({ builds: [], position: 0, writes: [part] }))
      expect(writer.keys(THING.build, undefined, 2)).toEqual(['', 'a'])
      expect(writer.keys(THING.build, 'a', 2)).toEqual(['b', 'z'])
      expect(writer.keys(THING.build, 'z', 2)).toEqual(['\uffee', '😀'])
      expect(writer.keys(THING.build, '😀', 2)).toEqual([])
      expect(writer.keys(PERSON.build, '\uffee', 1)).toEqual([])
    })

    test('cut off leaves a build that can be dropped and made again', async () => {
      const [first] = PARTS
      writer.commit(commitOf({ builds: [], position: 0, writes: [{ ...first, areNew: true }] }))
      writer.dropBuild(THING.build)
      writer.createBuild(THING)
      for (const part of PARTS)
        writer.commit(commitOf({ builds: [], position: 0, writes: [{ ...part, areNew: true }] }))
      writer.serve(THING.build)
      const found = await walk(store.reader(SPECS), { projection: 'thing', limit: 10 })
      expect(found.map(({ key }) => key)).toEqual(['', 'a', 'b', 'z', '\uffee', '😀'])
    })

    test('that serves is refused, and nothing has changed', () => {
      writer.serve(THING.build)
      const [first] = PARTS
      expect(() => writer.commit(commitOf({ writes: [{ ...first, areNew: true }] }))).toThrow()
      expect(writer.state(THING.build, 'a')).toBeUndefined()
    })
  })
}

const KEYS = ['', 'a', 'b', 'z', '\uffee', '😀'] as const

const PARTS: readonly [BuildWrite, ...BuildWrite[]] = [
  { ...stateOf(THING, 'a', [1]), states: statesOf(['', 'a', 'b']) },
  { ...stateOf(THING, 'z', [1]), states: statesOf(['z', '\uffee', '😀']) },
  rowsOf(
    THING,
    Object.fromEntries(KEYS.slice(0, 4).map((key, i) => [key, { label: `Label ${key}`, size: i % 2 }])),
  ),
  rowsOf(THING, Object.fromEntries(KEYS.slice(4).map((key) => [key, { label: 'other', owner: 'i1' }]))),
]

/** A row changes, one goes, one comes. */
const LATER: readonly BuildWrite[] = [
  rowsOf(THING, { a: { label: 'changed', size: 7 }, new: { label: 'came' } }),
  { build: THING.build, states: [], rows: [{ key: 'z', rows: new Map() }] },
  stateOf(THING, 'b', [9, 9]),
  rowsOf(DAILY, { d: { events: 1 } }),
]

function statesOf(keys: readonly string[]): BuildWrite['states'] {
  return keys.map((key, i) => ({ key, state: Uint8Array.of(i), due: key === 'a' ? 40 : undefined }))
}

async function answersOf({ writer, reader }: Harness): Promise<unknown> {
  const asked = reader(SPECS)
  const queries = [
    {},
    { sort: [{ column: 'size', descending: true }] },
    { filters: [{ column: 'label', operator: 'eq' as const, value: 'other' }] },
    { search: 'label' },
    { search: 'changed' },
  ]
  const lists = await Promise.all(
    queries.map((query) => walk(asked, { projection: 'thing', limit: 10, ...query })),
  )
  const states = [...KEYS, 'new'].map((key) => writer.state(THING.build, key))
  return [lists, states, writer.due(THING.build, 100), writer.builds(), writer.checkpoint()]
}
