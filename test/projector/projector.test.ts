/**
 * Theorem: whatever happens to the projector on the way (stopped and started anywhere, merges, cuts, new configuration,
 * poison events, deadlines), the read models are those of one undisturbed fold of the log from its beginning.
 */
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { oneRow } from '../../engine/store/table.ts'
import type { IntakeWorld } from '../support/intake-world.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { projectorWorld } from '../support/projector-world.ts'
import { SENT } from '../support/sent-events.ts'

let world: IntakeWorld

beforeEach(() => {
  world = intakeWorld()
})

afterEach(async () => {
  await world.close()
})

describe('over the whole catalogue', () => {
  test('stopped and started anywhere: the same rows as one fold from the beginning', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(SENT, { minLength: 10, maxLength: 80 }),
        fc.array(fc.nat(80), { maxLength: 6 }),
        async (sent, stops) => {
          const own = intakeWorld()
          const results = await own.send(...sent.map((event, n) => ({ ...event, id: `e${n}` })))
          expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['appended']))
          const disturbed = projectorWorld(own)
          for (const stop of stops.sort((a, b) => a - b))
            await disturbed.foldTo(Math.min(stop, own.log.head().position))
          await disturbed.foldAll()
          const undisturbed = projectorWorld(own)
          await undisturbed.foldAll()
          expect(await disturbed.rows()).toEqual(await undisturbed.rows())
          expect(disturbed.store.writer.checkpoint()).toMatchObject(own.log.head())
          await own.close()
        },
      ),
      { numRuns: 40 },
    )
  }, 60_000)
})

describe('merging and cutting', () => {
  const identify = (id: string, data: object) => ({ id, source: 'web', type: 'cdp.identify', data })

  test('two people become one profile, and two again, with their own rows', async () => {
    const views = projectorWorld(world)
    await world.send(
      identify('1', { userId: 'a', traits: { name: 'Ann' } }),
      identify('2', { userId: 'b', traits: { name: 'Bob' } }),
      {
        id: '3',
        source: 'shop',
        type: 'Order Completed',
        data: { order_id: 'o1', userId: 'a', total: 5, currency: 'EUR' },
      },
      {
        id: '4',
        source: 'shop',
        type: 'Order Completed',
        data: { order_id: 'o2', userId: 'b', total: 7, currency: 'EUR' },
      },
    )
    await views.foldAll()
    const apart = await views.rows()
    expect(apart['profile']).toHaveLength(2)

    // Of two users a limit keeps the namespaces apart, so the link goes over an address that each of them names.
    await world.send(
      { id: '5', source: 'crm', type: 'lead.created', data: { lead_id: 'l1', email: 'ann@example.com' } },
      {
        id: '6',
        source: 'crm',
        type: 'cdp.identify',
        identities: ['lead:l1'],
        data: { userId: 'a', traits: {} },
      },
    )
    await views.foldAll()
    const merged = (await views.rowsOf('profile')).find(({ row }) => row['email'] === 'ann@example.com')
    expect(merged?.row['name']).toBe('Ann')
    expect(await views.rowsOf('profile')).toHaveLength(2)

    await world.send({
      id: '7',
      source: 'crm',
      type: 'identity.cut',
      identities: ['user:a', 'lead:l1'],
      data: { steward: 'kim', reason: 'a shared tablet' },
    })
    await views.foldAll()
    const cut = await views.rowsOf('profile')
    expect(cut).toHaveLength(3)
    expect(cut.filter(({ row }) => row['name'] === 'Ann').map(({ row }) => row['email'])).toEqual([null])
    expect((await views.rows())['customer_orders']).toEqual(apart['customer_orders'])
  })
})

describe('configuration', () => {
  test('a new source priority builds the dependent views anew, and the winner changes', async () => {
    const views = projectorWorld(world)
    const phone = (id: string, source: string, number: string) => ({
      id,
      source,
      type: 'cdp.identify',
      data: { userId: 'a', traits: { phone: number } },
    })
    const register = (id: string, source: string, priority: number) => ({
      id,
      source: 'crm',
      type: 'source.registered',
      data: { source, name: source, priority },
    })
    await world.send(
      register('r1', 'web', 1),
      register('r2', 'erp', 2),
      phone('1', 'web', '+44 20 7946 0018'),
      phone('2', 'erp', '+44 20 7946 0019'),
    )
    await views.foldAll()
    expect((await views.rowsOf('profile'))[0]?.row['phone']).toBe('+442079460018')
    views.builds.length = 0
    await world.send(register('r3', 'web', 3))
    await views.foldAll()
    expect((await views.rowsOf('profile'))[0]?.row['phone']).toBe('+442079460019')
    expect(views.builds).toContain('profile: building')
    expect(views.builds).not.toContain('daily_events: building')
  })
})

describe('deadlines', () => {
  test('a lead that nobody answers fails when its time is over, by the clock of the log alone', async () => {
    const views = projectorWorld(world)
    await world.send(
      { id: '1', source: 'crm', type: 'lead.created', data: { lead_id: 'l1' } },
      {
        id: '2',
        source: 'crm',
        type: 'lead.assigned',
        data: { lead_id: 'l1', owner: 'kim', respond_by: '2026-03-01T12:30:00Z' },
      },
    )
    await views.foldAll()
    expect((await views.rowsOf('lead'))[0]?.row['sla']).toBe('first_response_due')
    expect(views.progress()?.nextDue).toBe(Date.UTC(2026, 2, 1, 12, 30))
    world.clock.advance(30 * 60_000)
    await world.intake.record({ type: 'clock.advanced', id: 'clock-1', data: {} })
    await views.foldAll()
    expect((await views.rowsOf('lead'))[0]?.row['sla']).toBe('failed')
    expect(views.progress()?.nextDue).toBeUndefined()
  })
})

describe('poison', () => {
  const counter: AnyProjection = {
    name: 'counter',
    version: 1,
    handles: 'every',
    configuredBy: [],
    keys: () => ['all', 'other'],
    initial: () => 0,
    reduce(state, event, _config, key) {
      if (event.id === 'bad' && key === 'other') throw new TypeError('secret jane@example.com')
      return Number(state) + 1
    },
    join: (a, b) => Number(a) + Number(b),
    table: {
      grain: 'bucket',
      columns: { n: { type: 'integer', about: 'Events.' } },
      indexes: [],
      rows: (state) => oneRow({ n: Number(state) }),
    },
  }

  test('an event that can’t be folded changes nothing, is noted without its message, and its neighbours are folded', async () => {
    const views = projectorWorld(world, [counter])
    await world.send(...['1', 'bad', '2'].map((id) => ({ id, source: 'web', type: 'made.up', data: {} })))
    await views.foldAll()
    expect((await views.rowsOf('counter')).map(({ key, row }) => [key, row['n']])).toEqual([
      ['all', 2],
      ['other', 2],
    ])
    const { value: poison } = await views.reader.poison(10)
    expect(poison).toMatchObject([
      { position: 2, type: 'made.up', reason: expect.stringMatching(/^TypeError \S+:\d+/) },
    ])
    expect(JSON.stringify(poison)).not.toContain('jane')
  })
})

describe('what can’t be stored', () => {
  const moody: AnyProjection = {
    name: 'moody',
    version: 1,
    handles: 'every',
    configuredBy: [],
    keys: (event) => [event.source],
    initial: () => '',
    reduce: (_state, event) => event.id,
    join: (a, b) => (String(a) > String(b) ? a : b),
    table: {
      grain: 'bucket',
      columns: { day: { type: 'day', about: 'A day.' } },
      indexes: [],
      rows(state) {
        if (state === 'throws') throw new RangeError('jane@example.com')
        return oneRow({ day: state === 'good' ? '2026-03-01' : 'no day' })
      },
    },
  }

  test('a row that can’t be made or stored is left out and noted; the others are stored, and it comes back', async () => {
    const views = projectorWorld(world, [moody])
    const sent = (source: string, id: string) => ({ id, source, type: 'made.up', data: {} })
    await world.send(sent('a', 'good'), sent('b', 'bad'), sent('c', 'throws'))
    await views.foldAll()
    expect((await views.rowsOf('moody')).map(({ key }) => key)).toEqual(['a'])
    const { value: poison } = await views.reader.poison(10)
    expect(poison.map(({ type }) => type)).toContain('row')
    expect(JSON.stringify(poison)).not.toContain('jane')
    await world.send(sent('b', 'good'), sent('c', 'good'))
    await views.foldAll()
    expect((await views.rowsOf('moody')).map(({ key }) => key)).toEqual(['a', 'b', 'c'])
  })
})

describe('another log under the read models', () => {
  test.each([
    ['shorter', 1],
    ['longer', 5],
  ])('a %s one: they are folded anew from it, nothing is skipped or mixed', async (_what, events) => {
    const views = projectorWorld(world)
    await world.send(
      ...[1, 2, 3].map((n) => ({
        id: `old${n}`,
        source: 'web',
        type: 'cdp.page',
        data: { userId: `u${n}` },
      })),
    )
    await views.foldAll()
    const other = intakeWorld()
    await other.send(
      ...Array.from({ length: events }, (_, n) => ({
        id: `new${n}`,
        source: 'shop',
        type: 'cdp.page',
        data: { userId: `n${n}` },
      })),
    )
    await views.foldAll(other)
    const fresh = projectorWorld(other)
    await fresh.foldAll()
    expect(await views.rows()).toEqual(await fresh.rows())
    expect(views.builds).toContain('all: foreign')
    await other.close()
  })
})

describe('configuration that came about in other ways', () => {
  test('two streams that register one source: the same winner with and without restarts', async () => {
    const register = (id: string, subject: string, priority: number) => ({
      id,
      subject,
      source: 'crm',
      type: 'source.registered',
      data: { source: 'web', name: 'x', priority },
    })
    const mail = (id: string, source: string, email: string) => ({
      id,
      source,
      type: 'cdp.identify',
      data: { userId: 'a', traits: { email } },
    })
    const views = projectorWorld(world)
    for (const event of [
      register('r1', 'source-one', 1),
      register('r2', 'source-two', 9),
      { id: 'r3', source: 'crm', type: 'source.registered', data: { source: 'erp', name: 'x', priority: 5 } },
      mail('1', 'web', 'w@example.com'),
      mail('2', 'erp', 'e@example.com'),
      register('r4', 'source-one', 1),
    ]) {
      await world.send(event)
      await views.foldAll()
    }
    const once = projectorWorld(world)
    await once.foldAll()
    expect(await views.rows()).toEqual(await once.rows())
  })
})
