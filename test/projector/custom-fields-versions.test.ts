/**
 * Theorem: a definition is configuration like any other. Held, it waits while what serves goes on under the configuration that it
 * was made for, over restarts too; rebuilt, the columns are the same to the digest; and the past has the columns that were
 * defined then, whether all of it is folded or one record, and what changed is told with the event that changed it.
 */
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { manualClock } from '../../engine/clock.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { counts, foldEntity, type Moment } from '../../engine/projector/asof.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import { changesBetween } from '../../engine/projector/past-changes.ts'
import { foldPast } from '../../engine/projector/past-fold.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import { projections } from '../../projections/catalog.ts'
import { openOf } from '../past/past-world.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'
import { servedRows, startRunning } from '../versions/running.ts'

let world: IntakeWorld
let writer: StoreWriter

beforeEach(() => {
  world = intakeWorld()
  writer = createMemoryStore().writer
})
afterEach(() => world.close())

const account = (id: string, data: object) => ({
  ...{ id, source: 'crm', type: 'account.updated' },
  data: { account_id: 'A1', ...data },
})

const TIER = { field_id: 'tier', object: 'account', field: 'tier', type: 'text' }
const define = (id: string, data: object = {}) => ({
  ...{ id, source: 'crm', type: 'field.defined' },
  data: { ...TIER, ...data },
})

/** What a build's only row holds in the column; undefined: there is none such. */
function cellIn(store: StoreWriter, projection: string, column: string): unknown {
  const snapshot = store.snapshot()
  try {
    const of = snapshot.builds.find((each) => each.projection === projection && each.serving)?.build ?? ''
    const place = snapshot.columns(of).findIndex(([name]) => name === column)
    return place < 0 ? undefined : [...snapshot.rows(of)][0]?.cells[place]
  } finally {
    snapshot.close()
  }
}

test('held, a field waits; what serves is found again after a restart, and goes on without it', async () => {
  const started = async () => {
    const running = startRunning({ world, writer, builds: 'hold', commitEvents: 3 })
    await running.caughtUp()
    return running
  }
  await world.send(account('1', { name: 'Acme', tier: 'gold' }), define('2', { rule: 'first' }))
  let running = await started()
  await running.switchTo('switch', 'account')
  expect(cellIn(writer, 'account', 'tier')).toBe('gold')
  await world.send(define('3', { rule: 'latest' }), account('4', { tier: 'silver' }))
  await running.caughtUp()
  expect(cellIn(writer, 'account', 'tier')).toBe('gold')
  await running.stop()
  running = await started()
  await world.send(account('5', { tier: 'bronze', name: 'Acme Ltd' }))
  await running.caughtUp()
  expect(cellIn(writer, 'account', 'tier')).toBe('gold')
  expect(cellIn(writer, 'account', 'name')).toBe('Acme Ltd')
  expect(E.isRight(await running.switchTo('switch', 'account'))).toBe(true)
  expect(cellIn(writer, 'account', 'tier')).toBe('bronze')
  expect(E.isRight(await running.switchTo('rollback', 'account'))).toBe(true)
  expect(cellIn(writer, 'account', 'tier')).toBe('gold')
  await running.stop()
})

test('rebuilt beside what serves, it comes to the same digest', async () => {
  const visit = { object: 'visit', fields: [{ field: 'notes', type: 'text' }] }
  await world.send(
    ...[define('1'), account('2', { name: 'Acme', tier: 'gold' })],
    { id: '3', source: 'crm', type: 'object.defined', data: visit },
    { id: '4', source: 'crm', type: 'visit.created', data: { id: 'V1', notes: 'fine' } },
  )
  const running = startRunning({ world, writer, commitEvents: 2 })
  await running.caughtUp()
  const before = servedRows(writer)
  const rebuilt = await running.rebuild(['account', 'custom_record', 'record_conflict'])
  expect(E.isRight(rebuilt) && rebuilt.right.map(({ before: a, after: b }) => a === b)).toEqual([
    true,
    true,
    true,
  ])
  expect(servedRows(writer)).toEqual(before)
  expect(cellIn(writer, 'account', 'tier')).toBe('gold')
  expect(cellIn(writer, 'custom_record', 'visit__notes')).toBe('fine')
  await world.send({ id: '5', source: 'crm', type: 'visit.updated', data: { id: 'V1', notes: 'dull' } })
  await running.caughtUp()
  expect(cellIn(writer, 'custom_record', 'visit__notes')).toBe('dull')
  await running.stop()
})

async function recorded(): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const batch of world.log.read()) events.push(...batch)
  return events
}

test('the past has the columns of then', async () => {
  for (const event of [
    ...[account('1', { name: 'Acme', tier: 'gold' }), define('2'), account('3', { tier: 'silver' })],
    ...[define('4', { rule: 'first' }), define('5', { archived: true })],
  ]) {
    world.clock.advance(1_000)
    await world.send(event)
  }
  const events = await recorded()
  const open = openOf(world)
  const projection = projections.find(({ name }) => name === 'account') ?? expect.fail('it is there')
  const key = world.keyStore.find('account', 'A1') ?? expect.fail('it is known')
  const expected = [undefined, 'gold', 'silver', 'gold', undefined]
  for (const by of ['received', 'occurred'] as const) {
    for (const [i, { position, received, time }] of events.entries()) {
      const moment: Moment = by === 'received' ? { by, position, received } : { by, position, received, time }
      const config = new ConfigurationState()
      for (const event of events) if (counts(moment, event)) config.apply(open(event))
      const { rows } = foldEntity({ projection, key, atoms: [key], config }, events, moment, open)
      expect(rows.get('')?.['tier'], `${by} ${i}`).toBe(expected[i])
      const past = createMemoryStore()
      const { log } = world
      const signal = new AbortController().signal
      const fixed = { log, store: past.writer, rules: DEFAULT_RULES, open, clock: manualClock(0), signal }
      await foldPast({ ...fixed, projections: [projection], moment, config })
      expect(cellIn(past.writer, 'account', 'tier'), `${by} ${i}`).toBe(expected[i])
    }
  }
  const at = (i: number): Moment => {
    const { position, received } = events[i] ?? expect.fail('it is there')
    return { by: 'received', position, received }
  }
  const published = events.filter(({ type }) => type === 'field.defined').map(open)
  const entity = { projection, key, events, published, rulesOf: () => DEFAULT_RULES, open }
  const changes = await changesBetween(entity, at(0), at(2))
  expect(changes?.fields.filter(({ column }) => column === 'tier')).toMatchObject([
    { from: undefined, to: 'silver', times: 2, because: [{ event: { id: '2' } }, { event: { id: '3' } }] },
  ])
})
