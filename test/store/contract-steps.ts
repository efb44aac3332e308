import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BuildWrite, Commit, StoreReader, StoreWriter } from '../../engine/store/store.ts'
import type { Harness, OpenHarness } from './contract.ts'
import {
  commitOf,
  DAILY,
  markOf,
  nextVersion,
  PERSON,
  rowsOf,
  SPECS,
  serveAll,
  stateOf,
  THING,
  walk,
} from './tables.ts'

/** What a commit that is written in steps must be: whole at its end, absent until then, absent if it doesn't get there. */
export function stepContract(name: string, open: OpenHarness): void {
  describe(`${name}: a commit in steps`, () => {
    let store: Harness
    let writer: StoreWriter
    let reader: StoreReader
    beforeEach(() => {
      store = open()
      writer = store.writer
      reader = store.reader(SPECS)
      serveAll(writer)
      writer.commit(BEFORE)
    })
    afterEach(() => store.close())

    test('walked to its end is the commit', async () => {
      const whole = open()
      serveAll(whole.writer)
      for (const commit of [BEFORE, AFTER]) whole.writer.commit(commit)
      let steps = 0
      for (const _ of writer.commitInSteps(AFTER)) steps += 1
      expect(steps).toBeGreaterThan(writesOf(AFTER))
      expect(writtenTo(writer)).toEqual(writtenTo(whole.writer))
      expect(await readFrom(reader)).toEqual(await readFrom(whole.reader(SPECS)))
      await whole.close()
    })

    test('given up at any step has changed nothing, and the writer goes on', async () => {
      const [written, read] = [writtenTo(writer), await readFrom(reader)]
      const most = stepsOf(writer, AFTER)
      for (let steps = 0; steps <= most; steps++) {
        const walking = writer.commitInSteps(AFTER)
        for (let step = 0; step < steps; step++) expect(walking.next().done).toBe(false)
        // What is asked for meanwhile mustn't be remembered afterwards.
        writtenTo(writer)
        walking.return()
        expect([steps, writtenTo(writer)]).toEqual([steps, written])
      }
      expect(await readFrom(reader)).toEqual(read)
      await expectCommits(AFTER)
    })

    test.each<[string, BuildWrite | undefined, Partial<Commit>]>([
      ['a row that can’t be stored', rowsOf(THING, { z: { size: 0.5 } }), {}],
      ['a state whose key can’t be stored', stateOf(PERSON, '\ud800', [1]), {}],
      ['rows that throw as they are made', { build: THING.build, states: [], rows: throwing('rows') }, {}],
      ['states that throw as they are made', { build: PERSON.build, states: throwing('s'), rows: [] }, {}],
      ['poison that throws as it is made', undefined, { poison: throwing('poison') }],
      ['a member that can’t be stored', undefined, { members: new Map([['i1', '\ud800']]) }],
    ])('failing midway, by %s, has changed nothing, and the writer goes on', async (_, bad, change) => {
      const [written, read] = [writtenTo(writer), await readFrom(reader)]
      const writes = bad === undefined ? AFTER.writes : [...AFTER.writes, bad]
      const walking = writer.commitInSteps({ ...AFTER, ...change, writes })
      expect(() => {
        while (walking.next().done !== true) writtenTo(writer)
      }).toThrow()
      expect(walking.next().done).toBe(true)
      expect(writtenTo(writer)).toEqual(written)
      expect(await readFrom(reader)).toEqual(read)
      await expectCommits(AFTER)
    })

    test('the writer reads what the steps so far have written, readers what was committed before', async () => {
      const read = await readFrom(reader)
      const checkpoint = writer.checkpoint()
      const walking = writer.commitInSteps(AFTER)
      walking.next()
      expect([writer.profileOf('i2'), writer.profileOf('i3')]).toEqual(['i2', 'i2'])
      expect([writer.membersOf('i1'), writer.membersOf('i2')]).toEqual([['i1'], ['i2', 'i3']])
      expect(writer.evidenceOf('i1')).toEqual([{ id: 'e1', bytes: Uint8Array.of(9) }])
      expect(writer.evidenceOf('i3')).toEqual([{ id: 'e2', bytes: Uint8Array.of(8) }])
      // Asked before it is written, so that what was remembered of it must not be believed.
      expect(stateKeys(writer)).toEqual([[1], undefined])
      const seen = new Set([JSON.stringify(stateKeys(writer))])
      while (walking.next().done !== true) {
        seen.add(JSON.stringify(stateKeys(writer)))
        expect(await readFrom(reader)).toEqual(read)
        if (writer.state(PERSON.build, 'i1')?.[0] === 2) expect(writer.nextDue()).toBe(40)
      }
      expect([...seen]).toEqual(['[[1],null]', '[[2],null]', '[[2],[3]]'])
      expect(checkpoint.position).toBe(BEFORE.position)
      expect(writer.checkpoint().position).toBe(AFTER.position)
    })

    test('the checkpoint and the builds stand where they stood until the end', () => {
      const [checkpoint, builds] = [writer.checkpoint(), writer.builds()]
      for (const _ of writer.commitInSteps(AFTER))
        expect([writer.checkpoint(), writer.builds()]).toEqual([checkpoint, builds])
      expect(writer.checkpoint()).toEqual({ position: 6, received: 6_000, mark: markOf(6) })
    })

    const second = nextVersion(THING, { colour: 'text' })
    const others: readonly (readonly [string, (to: StoreWriter) => unknown])[] = [
      ['commit', (to) => to.commit(commitOf({ position: 7 }))],
      ['commitInSteps', (to) => to.commitInSteps(commitOf({ position: 7 })).next()],
      ['createBuild', (to) => to.createBuild(second)],
      ['serve', (to) => to.serve(THING.build)],
      ['dropBuild', (to) => to.dropBuild(DAILY.build)],
      ['reset', (to) => to.reset()],
      ['purge', (to) => to.purge()],
    ]
    test.each(others)('meanwhile %s is refused and harms nothing', async (_, call) => {
      const walking = writer.commitInSteps(AFTER)
      for (let step = 0; step < 3; step++) {
        walking.next()
        const written = writtenTo(writer)
        expect(() => call(writer)).toThrow()
        expect(writtenTo(writer)).toEqual(written)
      }
      while (walking.next().done !== true);
      expect(writer.checkpoint().position).toBe(6)
      expect((await readFrom(reader)).things).toEqual(THINGS_AFTER)
      call(writer)
    })

    test('one that was never begun keeps nobody from anything', () => {
      const idle = writer.commitInSteps(AFTER)
      writer.commit(commitOf({ position: 5 }))
      idle.return()
      writer.commit(AFTER)
      expect(writer.checkpoint().position).toBe(6)
    })

    async function expectCommits(commit: Commit): Promise<void> {
      writer.commit(commit)
      expect(writer.checkpoint().position).toBe(commit.position)
      expect(stateKeys(writer)).toEqual([[2], [3]])
      expect((await readFrom(reader)).things).toEqual(THINGS_AFTER)
      expect(await walk(reader, { projection: 'thing', search: 'newer', limit: 9 })).toHaveLength(2)
      expect(await walk(reader, { projection: 'thing', search: 'old', limit: 9 })).toEqual([])
    }
  })
}

export const BEFORE = commitOf({
  position: 4,
  received: 4_000,
  writes: [
    rowsOf(THING, { a: { label: 'old', size: 1 }, gone: { label: 'old' } }),
    stateOf(PERSON, 'i1', [1], 50),
    rowsOf(PERSON, { i1: { name: 'Ann' } }),
  ],
  members: new Map([['i2', 'i1']]),
  evidence: [{ id: 'e1', identities: ['i1', 'i2'], bytes: Uint8Array.of(7) }],
})

/** Changes something of everything: rows and states, old, new and gone; a member that leaves and one that comes. */
export const AFTER = commitOf({
  position: 6,
  received: 6_000,
  writes: [
    rowsOf(THING, { a: { label: 'newer', size: 2 }, b: { label: 'newer', size: 3 } }),
    { build: THING.build, states: [], rows: [{ key: 'gone', rows: new Map() }] },
    stateOf(PERSON, 'i1', [2], 40),
    stateOf(PERSON, 'i4', [3]),
    rowsOf(PERSON, { i1: { name: 'Anna' } }),
  ],
  members: new Map([
    ['i2', 'i2'],
    ['i3', 'i2'],
  ]),
  evidence: [
    { id: 'e1', identities: ['i1', 'i2'], bytes: Uint8Array.of(9) },
    { id: 'e2', identities: ['i2', 'i3'], bytes: Uint8Array.of(8) },
  ],
  poison: [{ build: THING.build, position: 5, type: 't', reason: 'r' }],
})

const THINGS_AFTER = [
  ['a', 'newer', 2],
  ['b', 'newer', 3],
]

function throwing(what: string): Iterable<never> {
  return {
    [Symbol.iterator]() {
      throw new Error(`no ${what}`)
    },
  }
}

function writesOf({ writes }: Commit): number {
  return writes.reduce((sum, { states, rows }) => sum + [...states].length + [...rows].length, 0)
}

/** How often the commit hands over before its end, which it doesn't get to. */
function stepsOf(writer: StoreWriter, commit: Commit): number {
  let steps = 0
  const endless = { ...commit, poison: throwing('end') }
  expect(() => {
    for (const _ of writer.commitInSteps(endless)) steps += 1
  }).toThrow('no end')
  return steps
}

function stateKeys(writer: StoreWriter): readonly (readonly number[] | undefined)[] {
  return ['i1', 'i4'].map((key) => {
    const state = writer.state(PERSON.build, key)
    return state === undefined ? undefined : [...state]
  })
}

/** All that the writer's reading calls answer. */
export function writtenTo(writer: StoreWriter) {
  const people = ['i1', 'i2', 'i3', 'i4']
  return {
    checkpoint: writer.checkpoint(),
    builds: writer.builds(),
    states: stateKeys(writer),
    due: writer.due(PERSON.build, 1_000),
    nextDue: writer.nextDue(),
    profiles: people.map((id) => writer.profileOf(id)),
    members: people.map((id) => writer.membersOf(id)),
    evidence: people.map((id) => [...writer.evidenceOf(id)].sort((a, b) => (a.id < b.id ? -1 : 1))),
  }
}

export async function readFrom(reader: StoreReader) {
  const things = await reader.list({ projection: 'thing', limit: 9 })
  const person = await reader.get(['person'], 'i2')
  return {
    position: things.position,
    things: things.value.rows.map(({ key, row }) => [key, row.label, row.size]),
    found: (await walk(reader, { projection: 'thing', search: 'newer', limit: 9 })).length,
    person,
    poison: (await reader.poison(9)).value,
  }
}
