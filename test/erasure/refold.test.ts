/**
 * Theorem: once a person's keys are destroyed, refolding what their events touched gives the rows that a rebuild of every
 * read model from the log gives, whatever the history, in memory and in SQLite, live and after a restart; and later
 * events fold on from there. That rests on two things: the keys that an event touches don't depend on its personal parts, and
 * draining the intake waits for everything that was submitted before, and for nothing that comes later.
 */

import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { touchedPositions } from '../../api/erasure/touched.ts'
import { catalogue, type EventType } from '../../engine/events/catalogue.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { registry } from '../../engine/events/registry.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'
import type { Opener } from '../../engine/privacy/privacy.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { Erased } from '../../engine/projector/erasing.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { openSqliteReader } from '../../engine/store/sqlite-reader.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import type { StoredRow, StoreReader, StoreWriter } from '../../engine/store/store.ts'
import { projections } from '../../projections/catalog.ts'
import { definitions } from '../projections/defined.ts'
import { definedEvents } from '../projections/generate.ts'
import { configuration } from '../projections/given.ts'
import { temporaryFile } from '../store/harness.ts'
import { type IntakeWorld, intakeWorld, NOON } from '../support/intake-world.ts'
import { type Live, startLive } from '../support/live-projector.ts'

const specs = projections.map(({ name, table, under }) => ({
  projection: name,
  table,
  isExtensible: under !== undefined,
}))

const DEFINED = configuration(...definitions)
/** Enough for records of every kind to have some. */
const DEFINING = definitions.filter(
  ({ type, data }) =>
    type === 'object.defined' || /^(profile|lead|case)-d_(text|money)$/.test(String(data['field_id'])),
)

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined

let file: ReturnType<typeof temporaryFile>
beforeEach(() => {
  file = temporaryFile()
})
afterEach(() => file.remove())

/** Events of several read models, so that they meet in the same people, records and days; some state defined fields. */
const history = fc
  .tuple(...projections.map((projection) => definedEvents(projectionUnder(projection, DEFINED), 6)))
  .chain((lists) => fc.shuffledSubarray(lists.flat(), { minLength: 16 }))

function isOfVisits(type: unknown): boolean {
  return String(type).startsWith('visit.')
}

type Sent = Readonly<Record<string, unknown>>

function asSent(run: number) {
  return ({ id, source, type, time, data }: Sent & { readonly time: number }): Sent => ({
    ...{ id: `${run}-${String(id)}`, source, data, time: new Date(time).toISOString() },
    type: Object.hasOwn(catalogue, String(type)) || isOfVisits(type) ? type : 'acme.custom',
    ...(isOfVisits(type) ? { identities: ['user:u1'] } : {}),
  })
}

async function rowsOf(reader: StoreReader): Promise<Record<string, readonly StoredRow[]>> {
  const all: Record<string, readonly StoredRow[]> = {}
  for (const { name } of projections) {
    const { value } = await reader.list({ projection: name, limit: 10_000 })
    expect(value.next).toBeUndefined()
    all[name] = value.rows
  }
  return all
}

/** Of states too, so that what is folded later can't differ either. */
async function statesOf(reader: StoreReader, rows: Record<string, readonly StoredRow[]>) {
  const all: Record<string, unknown> = {}
  for (const [name, list] of Object.entries(rows))
    for (const key of new Set(list.map((row) => row.key))) {
      const { value } = await reader.states(name, key)
      all[`${name} ${key}`] = value.map(({ key: atom, state }) => [atom, Buffer.from(state).toString('hex')])
    }
  return all
}

function live(world: IntakeWorld, writer: StoreWriter, reader: StoreReader): Live {
  return startLive({
    world,
    writer,
    clock: world.clock,
    onCommit: ({ position }) => reader.notifyPosition(position),
  })
}

async function folded(world: IntakeWorld, running: Live, reader: StoreReader): Promise<void> {
  const head = world.log.head().position
  running.hurry(head)
  expect(await reader.waitFor(head, 60_000)).toBe(true)
}

async function rebuilt(world: IntakeWorld) {
  const store = createMemoryStore()
  const reader = store.reader(specs)
  const running = live(world, store.writer, reader)
  await folded(world, running, reader)
  await running.stop()
  const rows = await rowsOf(reader)
  return { rows, states: await statesOf(reader, rows) }
}

async function erase(world: IntakeWorld, running: Live, ids: readonly IdentityId[]): Promise<Erased> {
  await world.keyStore.destroyOwner(ids)
  const positions = await touchedPositions(world.log, world.keyStore, ids)
  const { promise, resolve } = Promise.withResolvers<Erased>()
  running.erase({ positions, done: resolve })
  return promise
}

/** The leading identity of some event, and who belongs together with it. */
async function someone(world: IntakeWorld, writer: StoreWriter, pick: number) {
  const leading: IdentityId[] = []
  for await (const batch of world.log.read())
    for (const { identities } of batch) if (identities[0] !== undefined) leading.push(identities[0].id)
  const id = leading[pick % Math.max(1, leading.length)]
  return id === undefined ? undefined : writer.membersOf(writer.profileOf(id) ?? id)
}

test('memory and SQLite: refolded equals rebuilt, and goes on equal', {
  timeout: LONG ? 600_000 : 180_000,
}, async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(history, history, fc.nat(), fc.boolean(), async (first, second, pick, onDisk) => {
      run += 1
      const world = intakeWorld()
      const path = file.path.replace(/(\.\w+)?$/, `-${run}.sqlite`)
      const store = onDisk ? undefined : createMemoryStore()
      const writer = store?.writer ?? openSqliteWriter(path)
      const reader = store?.reader(specs) ?? openSqliteReader(path, { specs })
      const running = live(world, writer, reader)
      try {
        await world.send(...DEFINING.map((event) => asSent(run)({ ...event })))
        await world.send(...first.map((event) => asSent(run)({ ...event })))
        world.clock.advance(3 * 86_400_000)
        await folded(world, running, reader)
        const ids = await someone(world, writer, pick)
        if (ids === undefined) return
        // What goes on while the person is being forgotten.
        const later = world.send(...second.map((event) => asSent(-run)({ ...event })))
        const { purged } = await erase(world, running, ids)
        expect(purged).toBe(true)
        await later
        await folded(world, running, reader)
        const expected = await rebuilt(world)
        const rows = await rowsOf(reader)
        expect(rows).toEqual(expected.rows)
        expect(await statesOf(reader, rows)).toEqual(expected.states)
      } finally {
        await running.stop()
        await reader.close()
        if (onDisk) writer.close()
        await world.close()
      }
    }),
    { numRuns: LONG ? 60 : 4, seed: 20_260_301 },
  )
  expect(run).toBeGreaterThan(2)
})

test('what was written last is not remembered when events go on about the same record', async () => {
  const world = intakeWorld()
  const store = createMemoryStore()
  const reader = store.reader(specs)
  const running = live(world, store.writer, reader)
  try {
    const base = { source: 'crm', type: 'opportunity.created' }
    const deal = { opportunity_id: 'O1', stage: 'prospecting', amount: '5', currency: 'EUR' }
    await world.send({ ...base, id: '1', data: { ...deal, name: 'Jane 2026', contact_id: 'C1' } })
    await folded(world, running, reader)
    const jane = world.keyStore.find('contact', 'C1') ?? expect.fail('she is known')
    expect(JSON.stringify(await rowsOf(reader))).toContain('Jane 2026')
    await erase(world, running, [jane])
    expect(JSON.stringify(await rowsOf(reader))).not.toContain('Jane')
    await world.send({
      ...base,
      id: '2',
      type: 'opportunity.updated',
      data: { opportunity_id: 'O1', amount: '7' },
    })
    await folded(world, running, reader)
    const rows = await rowsOf(reader)
    expect(rows).toEqual((await rebuilt(world)).rows)
    expect(rows['opportunity']).toMatchObject([{ row: { name: null, amount: 70_000 } }])
  } finally {
    await running.stop()
    await reader.close()
    await world.close()
  }
})

test('a deadline that another event let pass is past after the refold too', async () => {
  const world = intakeWorld()
  const store = createMemoryStore()
  const reader = store.reader(specs)
  const running = live(world, store.writer, reader)
  try {
    const respond_by = new Date(NOON + 1_000).toISOString()
    const data = { lead_id: 'L1', email: 'jane@example.com', owner: 'sam', respond_by }
    await world.send({ id: '1', source: 'crm', type: 'lead.assigned', data })
    world.clock.advance(2_000)
    await world.send({ id: '2', source: 'web', type: 'acme.custom', data: {} })
    await folded(world, running, reader)
    const sla = async () => (await rowsOf(reader))['lead']?.map(({ row }) => row['sla'])
    expect(await sla()).toEqual(['failed'])
    await erase(world, running, [
      world.keyStore.find('lead', 'L1') ?? '',
      world.keyStore.find('email', 'jane@example.com') ?? '',
    ])
    expect(await sla()).toEqual(['failed'])
    expect(await rowsOf(reader)).toEqual((await rebuilt(world)).rows)
  } finally {
    await running.stop()
    await reader.close()
    await world.close()
  }
})

/** What an event without its personal parts leaves no trace in. */
const NAMES: AnyProjection = {
  name: 'names',
  version: 1,
  handles: ['cdp.identify'],
  configuredBy: [],
  keys: (event) => [event.source],
  initial: () => [],
  reduce: (state, event) => {
    const { traits }: { readonly traits?: { readonly name?: string } } =
      'data' in event ? Object(event.data) : {}
    return traits?.name === undefined ? state : [...(state as string[]), traits.name].sort()
  },
  join: (a, b) => [...(a as string[]), ...(b as string[])].sort(),
  table: {
    grain: 'bucket',
    columns: { names: { type: 'json', about: 'Who.' } },
    indexes: [],
    rows: (state) => new Map([['', { names: state as string[] }]]),
  },
}

test.each(['memory', 'SQLite'])(
  'a key that nothing touches any more has no state and no row: %s',
  async (kind) => {
    const world = intakeWorld()
    const store = kind === 'memory' ? createMemoryStore() : undefined
    const writer = store?.writer ?? openSqliteWriter(file.path)
    const shape = [{ projection: 'names', table: NAMES.table }]
    const reader = store?.reader(shape) ?? openSqliteReader(file.path, { specs: shape })
    const running = startLive({
      ...{ world, writer, clock: world.clock, projections: [NAMES] },
      onCommit: ({ position }) => reader.notifyPosition(position),
    })
    try {
      const identify = (id: string, source: string, userId: string) => ({
        ...{ id, source, type: 'cdp.identify' },
        data: { userId, traits: { name: `name of ${userId}` } },
      })
      await world.send(
        identify('1', 'web', 'jane'),
        identify('2', 'crm', 'jane'),
        identify('3', 'crm', 'otto'),
      )
      await folded(world, running, reader)
      const rows = async () =>
        (await reader.list({ projection: 'names', limit: 9 })).value.rows.map(({ key, row }) => [
          key,
          row['names'],
        ])
      expect(await rows()).toEqual([
        ['crm', ['name of jane', 'name of otto']],
        ['web', ['name of jane']],
      ])
      await erase(world, running, [world.keyStore.find('user', 'jane') ?? ''])
      expect(await rows()).toEqual([['crm', ['name of otto']]])
      expect((await reader.states('names', 'web')).value).toEqual([])
      await world.send(identify('4', 'web', 'otto'))
      await folded(world, running, reader)
      expect(await rows()).toEqual([
        ['crm', ['name of otto']],
        ['web', ['name of otto']],
      ])
    } finally {
      await running.stop()
      await reader.close()
      if (kind !== 'memory') writer.close()
      await world.close()
    }
  },
)

const NO_KEYS: Opener = { open: () => undefined }

function keysOf(projection: AnyProjection, event: DecodedEvent): readonly string[] | 'unfoldable' {
  try {
    return [...projection.keys(event)].sort()
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError)
    return 'unfoldable'
  }
}

async function recorded(world: IntakeWorld): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const batch of world.log.read()) events.push(...batch)
  return events
}

test.each(projections.map((each) => [each.name, projectionUnder(each, DEFINED)] as const))(
  '%s',
  async (_, projection) => {
    let sealed = 0
    const given = fc.sample(definedEvents(projection, 12), { numRuns: LONG ? 60 : 12, seed: 7 })
    const world = intakeWorld()
    try {
      for (const events of given)
        await world.send(
          ...events.map(({ id, source, type, time, data }) => {
            const stated = { id, source, type, time: new Date(time).toISOString(), data }
            return Object.hasOwn(catalogue, type) || isOfVisits(type)
              ? stated
              : { ...stated, type: 'acme.custom' as EventType }
          }),
        )
      for (const event of await recorded(world)) {
        if (projection.handles !== 'every' && !projection.handles.includes(event.type)) continue
        if (event.sealed.length > 0) sealed += 1
        // Where it does, the whole view is folded anew.
        if (projection.hidesKeys?.(event.type) === true) continue
        const whole = openEvent(event, world.keyStore, registry)
        const bare = openEvent(event, NO_KEYS, registry)
        expect(keysOf(projection, bare), event.type).toEqual(keysOf(projection, whole))
      }
      const isAboutPeople = !['quarantine', 'campaign', 'opportunity', 'pipeline'].includes(projection.name)
      if (isAboutPeople) expect(sealed).toBeGreaterThan(0)
    } finally {
      await world.close()
    }
  },
)

test('drained: what was there before is settled, what comes later need not be', async () => {
  const log = createMemoryLog()
  const held: (() => void)[] = []
  const append: typeof log.append = (events, options) => {
    const appended = log.append(events, options)
    const { promise, resolve } = Promise.withResolvers<void>()
    held.push(resolve)
    return promise.then(() => appended)
  }
  const slow = new Proxy(log, {
    get(target, name) {
      const value: unknown = name === 'append' ? append : Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const world = intakeWorld({ log: slow })
  const settled: string[] = []
  const send = (id: string): Promise<unknown> =>
    world.send({ id, source: 'web', type: 'cdp.page', data: {} }).then(() => settled.push(id))
  try {
    await world.intake.drain()
    const first = send('first')
    await expect.poll(() => held.length).toBe(1)
    let drained = false
    const draining = world.intake.drain().then(() => {
      drained = true
    })
    const second = send('second')
    await expect.poll(() => held.length).toBe(2)
    expect({ drained, settled }).toEqual({ drained: false, settled: [] })
    held[0]?.()
    await Promise.all([draining, first])
    expect(settled).toEqual(['first'])
    const again = world.intake.drain()
    held[1]?.()
    await Promise.all([again, second])
    await world.intake.drain()
  } finally {
    await world.close()
  }
})
