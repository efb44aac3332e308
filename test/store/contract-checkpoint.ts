import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { StoreReader, StoreWriter } from '../../engine/store/store.ts'
import type { Harness, OpenHarness } from './contract.ts'
import {
  commitOf,
  failureOf,
  markOf,
  nextVersion,
  PERSON,
  rowsOf,
  SPECS,
  serveAll,
  stateOf,
  THING,
} from './tables.ts'

/** Where a store stands, what stands there, and how it starts over. */
export function checkpointContract(name: string, open: OpenHarness): void {
  describe(`${name}: checkpoint`, () => {
    let store: Harness
    let writer: StoreWriter
    let reader: StoreReader
    beforeEach(() => {
      store = open()
      writer = store.writer
      reader = store.reader(SPECS)
      serveAll(writer)
    })
    afterEach(() => store.close())

    function fill(): void {
      writer.commit(
        commitOf({
          position: 9,
          writes: [rowsOf(THING, { a: { label: 'findable' } }), stateOf(PERSON, 'i1', [1], 77)],
          members: new Map([['i2', 'i1']]),
          evidence: [{ id: 'e', identities: ['i1', 'i2'], bytes: Uint8Array.of(1) }],
          poison: [{ build: THING.build, position: 4, type: 't', reason: 'r' }],
        }),
      )
    }

    test('the mark is that of the position, not that of a history', () => {
      writer.commit(commitOf({ position: 4, mark: 'crm:é\u0000😀' }))
      expect(writer.checkpoint().mark).toBe('crm:é\u0000😀')
      const second = nextVersion(THING, { colour: 'text' })
      writer.createBuild(second)
      expect(writer.checkpoint().mark).toBe('crm:é\u0000😀')
      writer.commit(commitOf({ builds: [second.build], position: 3, mark: 'history' }))
      expect(writer.checkpoint()).toEqual({ position: 4, received: 1_000, mark: 'crm:é\u0000😀' })
      // Served too early, it holds the store back, where its own mark stands.
      writer.serve(second.build)
      expect(writer.checkpoint()).toEqual({ position: 3, received: 1_000, mark: 'history' })
    })

    test('while nothing serves, the mark is that of the furthest commit', () => {
      for (const { build } of SPECS) writer.dropBuild(build)
      writer.commit(commitOf({ builds: [], position: 6 }))
      writer.commit(commitOf({ builds: [], position: 2 }))
      expect(writer.checkpoint()).toEqual({ position: 6, received: 1_000, mark: markOf(6) })
    })

    test('a mark that no store could keep fails the whole commit', () => {
      expect(() => writer.commit(commitOf({ mark: '\ud800', members: new Map([['b', 'a']]) }))).toThrow()
      expect(writer.checkpoint()).toEqual({ position: 0, received: 0, mark: '' })
      expect(writer.profileOf('b')).toBeUndefined()
    })

    test('a reset store holds nothing, as a new one', async () => {
      fill()
      writer.createBuild(nextVersion(THING, { colour: 'text' }))
      writer.reset()
      expect(writer.checkpoint()).toEqual({ position: 0, received: 0, mark: '' })
      expect(writer.builds()).toEqual([])
      expect(writer.nextDue()).toBeUndefined()
      expect(writer.profileOf('i2')).toBeUndefined()
      expect(writer.membersOf('i1')).toEqual(['i1'])
      expect(writer.evidenceOf('i1')).toEqual([])
      expect(() => writer.state(PERSON.build, 'i1')).toThrow()
      expect(await reader.builds()).toEqual({ position: 0, received: 0, value: [] })
      expect((await reader.poison(9)).value).toEqual([])
      expect((await reader.members(['i2'])).value.get('i2')?.members).toEqual(['i2'])
      writer.reset()
      expect(writer.builds()).toEqual([])
    })

    test('a reset store fills again from the first position', async () => {
      fill()
      expect(await failureOf(reader.list({ projection: 'thing', limit: 1 }))).toBe('answered')
      writer.reset()
      expect(await failureOf(reader.list({ projection: 'thing', limit: 1 }))).toBe('NotServing')
      serveAll(writer)
      writer.commit(commitOf({ position: 1, writes: [rowsOf(THING, { b: { label: 'other' } })] }))
      expect(writer.checkpoint()).toEqual({ position: 1, received: 1_000, mark: markOf(1) })
      const { value, position } = await reader.list({ projection: 'thing', limit: 9 })
      expect([position, value.rows.map(({ key }) => key)]).toEqual([1, ['b']])
      const found = await reader.list({ projection: 'thing', search: 'findable', limit: 9 })
      expect(found.value.rows).toEqual([])
    })

    test('who waits after a reset waits for the new positions', async () => {
      fill()
      reader.notifyPosition(9)
      expect(await reader.waitFor(9, 0)).toBe(true)
      writer.reset()
      reader.notifyPosition(0)
      expect(await reader.waitFor(9, 0)).toBe(false)
      const waiting = reader.waitFor(2, 5_000)
      serveAll(writer)
      writer.commit(commitOf({ position: 2 }))
      reader.notifyPosition(2)
      expect(await waiting).toBe(true)
    })
  })
}
