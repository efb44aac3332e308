/**
 * Theorem: a rebuild on a running projector leaves what one undisturbed fold comes to, whatever arrives meanwhile (merges,
 * cuts, configuration, erasures); it says truly whether that is what was served before; and a crash at any point leaves the
 * old build or the new one, whole, and nothing else.
 */

import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Rebuilt } from '../../engine/projector/versions.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import { projections as catalogue } from '../../projections/catalog.ts'
import { temporaryFile } from '../store/harness.ts'
import type { IntakeWorld } from '../support/intake-world.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { SENT } from '../support/sent-events.ts'
import { Crash, crashing, servedRows, startRunning } from './running.ts'

const LONG_MS = 600_000

let world: IntakeWorld
beforeEach(() => {
  world = intakeWorld()
})
afterEach(() => world.close())

const identify = (id: string, userId: string, traits: object) => ({
  ...{ id, source: 'web', type: 'cdp.identify' },
  data: { userId, traits },
})

function rebuiltOf(outcome: E.Either<unknown, readonly Rebuilt[]>): readonly Rebuilt[] {
  if (E.isLeft(outcome)) throw new Error(JSON.stringify(outcome.left))
  return outcome.right
}

async function undisturbed(of: IntakeWorld): Promise<ReturnType<typeof servedRows>> {
  const { writer } = createMemoryStore()
  const running = startRunning({ world: of, writer })
  await running.caughtUp()
  await running.stop()
  return servedRows(writer)
}

test(
  'whatever arrives meanwhile: the same rows as one undisturbed fold, and equal digests',
  async () => {
    const batches = fc.array(fc.array(SENT, { minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(batches, async ([first = [], ...later]) => {
        const own = intakeWorld()
        let n = 0
        const send = (events: readonly object[]) =>
          own.send(...events.map((event) => ({ ...event, id: `e${n++}` })))
        await send(first)
        const { writer } = createMemoryStore()
        const running = startRunning({ world: own, writer, commitEvents: 3 })
        const rebuilding = running.rebuild()
        for (const events of later) await send(events)
        for (const { before, after } of rebuiltOf(await rebuilding)) expect(after).toBe(before)
        await running.caughtUp()
        await running.stop()
        expect(servedRows(writer)).toEqual(await undisturbed(own))
        expect(writer.builds().every(({ serving }) => serving)).toBe(true)
        await own.close()
      }),
      { numRuns: process.env['HEADWATER_TEST_LONG'] === undefined ? 6 : 200 },
    )
  },
  LONG_MS,
)

test('who is merged while they are rebuilt is one afterwards, though no state of theirs changes', async () => {
  const { writer } = createMemoryStore()
  const many = Array.from({ length: 150 }, (_, n) => identify(`${n}`, `u${n % 30}`, { name: `n${n}` }))
  const lead = {
    id: 'e',
    source: 'crm',
    type: 'lead.created',
    data: { lead_id: 'l1', email: 'l@example.com' },
  }
  await world.send(lead, ...many)
  const running = startRunning({ world, writer, commitEvents: 3 })
  await running.caughtUp()
  const rebuilding = running.rebuild(['profile'])
  await world.send({
    ...{ id: 'link', source: 'crm', type: 'identity.linked', data: { steward: 'kim', reason: 'asked' } },
    identities: ['user:u1', 'email:l@example.com'],
  })
  for (const { before, after, position } of rebuiltOf(await rebuilding)) {
    expect(after).toBe(before)
    expect(position).toBe(world.log.head().position)
  }
  await running.stop()
  expect(servedRows(writer)).toEqual(await undisturbed(world))
})

test('what a store held wrongly is told by the digests, and gone afterwards', async () => {
  const { writer } = createMemoryStore()
  await world.send(identify('1', 'a', { name: 'Ann' }), identify('2', 'b', { name: 'Bob' }))
  const running = startRunning({ world, writer })
  await running.caughtUp()
  const right = servedRows(writer)
  const build = writer.builds().find(({ projection }) => projection === 'profile')?.build ?? ''
  const rows = [{ key: right['profile']?.[0]?.key ?? '', rows: new Map([['', { name: 'Eve' }]]) }]
  const nothing = { poison: [], members: new Map(), evidence: [], builds: [] }
  writer.commit({ ...writer.checkpoint(), ...nothing, writes: [{ build, states: [], rows }] })
  expect(servedRows(writer)).not.toEqual(right)
  const [rebuilt] = rebuiltOf(await running.rebuild(['profile']))
  expect(rebuilt?.before).not.toBe(rebuilt?.after)
  expect(rebuilt).toMatchObject({ projection: 'profile', from: build, rows: 2 })
  expect(servedRows(writer)).toEqual(right)
  expect(rebuiltOf(await running.rebuild(['profile']))[0]?.before).toBe(rebuilt?.after)
  await running.stop()
})

test('a person who is erased meanwhile stays erased', async () => {
  const { writer } = createMemoryStore()
  await world.send(identify('1', 'a', { name: 'Ann' }), identify('2', 'b', { name: 'Bob' }))
  const running = startRunning({ world, writer })
  await running.caughtUp()
  const rebuilding = running.rebuild()
  const id = world.keyStore.find('user', 'a')
  await world.keyStore.destroyOwner(id === undefined ? [] : [id])
  await running.erase([1])
  for (const { before, after } of rebuiltOf(await rebuilding)) expect(after).toBe(before)
  expect(JSON.stringify(servedRows(writer))).not.toContain('Ann')
  expect(JSON.stringify(servedRows(writer))).toContain('Bob')
  await running.stop()
})

test('nobody rebuilds what there is not', async () => {
  const { writer } = createMemoryStore()
  const running = startRunning({ world, writer })
  await running.caughtUp()
  expect(await running.rebuild(['profile', 'nothing'])).toEqual(
    E.left({ _tag: 'UnknownProjection', projection: 'nothing' }),
  )
  expect(await running.switchTo('switch', 'nothing')).toMatchObject(
    E.left({ _tag: 'UnknownProjection', projection: 'nothing' }),
  )
  await running.stop()
})

const FEW = catalogue.filter(({ name }) => ['profile', 'opportunity', 'daily_events'].includes(name))

async function sendStory(): Promise<void> {
  await world.send(
    identify('1', 'a', { name: 'Ann', email: 'ann@example.com' }),
    identify('2', 'b', { name: 'Bob' }),
    {
      ...{ id: '3', source: 'crm', type: 'opportunity.created' },
      data: { opportunity_id: 'd1', owner: 'Zane', stage: 'prospecting' },
    },
    { ...{ id: '4', source: 'crm', type: 'source.registered' }, data: { source: 'crm', priority: 1 } },
  )
}

/** Runs until the crash, or to the end; answers how many things the store did, and which builds were to be had. */
async function rebuildUntil(at: number, writer: StoreWriter): Promise<{ crashed: boolean; count: number }> {
  const dying = crashing(writer, at)
  const running = startRunning({ world, writer: dying.writer, projections: FEW, commitEvents: 2 })
  try {
    await running.rebuild()
    await running.stop()
    return { crashed: false, count: dying.count() }
  } catch (error) {
    expect(error).toBeInstanceOf(Crash)
    return { crashed: true, count: dying.count() }
  }
}

/** What is left after a crash: of each projection one build serves, and it is whole. */
async function expectWhole(writer: StoreWriter, rows: ReturnType<typeof servedRows>): Promise<void> {
  expect(servedRows(writer)).toEqual(rows)
  const again = startRunning({ world, writer, projections: FEW })
  await again.caughtUp()
  await again.stop()
  expect(servedRows(writer)).toEqual(rows)
  expect(
    writer
      .builds()
      .map(({ projection, serving }) => [projection, serving])
      .sort(),
  ).toEqual(FEW.map(({ name }) => [name, true]).sort())
}

async function folded(writer: StoreWriter): Promise<ReturnType<typeof servedRows>> {
  const running = startRunning({ world, writer, projections: FEW })
  await running.caughtUp()
  await running.stop()
  return servedRows(writer)
}

test('a crash at any step of a rebuild leaves the old or the new whole: memory', async () => {
  await sendStory()
  let crashes = 0
  for (let at = 1; ; at++) {
    const { writer } = createMemoryStore()
    const rows = await folded(writer)
    const { crashed } = await rebuildUntil(at, writer)
    await expectWhole(writer, rows)
    if (!crashed) break
    crashes += 1
  }
  expect(crashes).toBeGreaterThan(20)
}, 30_000)

test('a crash at any step of a rebuild leaves the old or the new whole: SQLite, from its file', async () => {
  await sendStory()
  const file = temporaryFile()
  let writer = openSqliteWriter(file.path)
  const rows = await folded(writer)
  const { count } = await rebuildUntil(Number.POSITIVE_INFINITY, writer)
  expect(count).toBeGreaterThan(20)
  // The connection goes as it would with its process: what isn't committed is gone.
  for (let at = 1; at <= count; at += 5) {
    await rebuildUntil(at, writer)
    writer.close()
    writer = openSqliteWriter(file.path)
    await expectWhole(writer, rows)
  }
  writer.close()
  file.remove()
}, 30_000)
