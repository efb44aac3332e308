/**
 * Theorem: what departments define becomes part of the read models by the log alone: a defined field is a column that holds what
 * events said before and after, under its rule, a workspace's rule or a steward's decision; a defined object has rows; what is
 * archived, ill-formed or taken defines nothing; only what a change concerns is built anew; and whoever is erased is erased
 * from there too.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { touchedPositions } from '../../api/erasure/touched.ts'
import type { Erased } from '../../engine/projector/erasing.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { projections } from '../../projections/catalog.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'
import { startLive } from '../support/live-projector.ts'
import { projectorWorld } from '../support/projector-world.ts'

let world: IntakeWorld

beforeEach(() => {
  world = intakeWorld()
})

afterEach(() => world.close())

let count = 0

async function send(type: string, data: object, stated: object = {}): Promise<void> {
  count += 1
  const [result] = await world.send({ id: `c${count}`, source: 'crm', type, data, ...stated })
  expect(result?.status, JSON.stringify(result)).toBe('appended')
  world.clock.advance(1_000)
}

function define(object: string, field: string, type: string, more: object = {}): Promise<void> {
  return send('field.defined', { field_id: `${object}-${field}`, object, field, type, ...more })
}

const account = (data: object, stated: object = {}) =>
  send('account.updated', { account_id: 'A1', ...data }, stated)

describe('a field', () => {
  test('is a column with what was sent before; its rule, a published rule, a lock and its end decide', async () => {
    const views = projectorWorld(world)
    const row = async () => {
      await views.foldAll()
      const [only] = await views.rowsOf('account')
      return only?.row ?? {}
    }
    await account({ name: 'Acme', tier: 'gold', seats: '12', renewal: '2026-05-01' })
    await account({ tier: 'silver' }, { source: 'erp' })
    expect(Object.keys(await row())).not.toContain('tier')

    await define('account', 'tier', 'text', { department: 'sales', description: 'How much they matter.' })
    await define('account', 'seats', 'integer', { rule: 'max' })
    await define('account', 'renewal', 'day')
    expect(await row()).toMatchObject({ name: 'Acme', tier: 'silver', seats: 12, renewal: '2026-05-01' })

    // What the type can't hold changes nothing; removed, blank and absent are three things.
    await account({ seats: 'many', renewal: null, tier: '' })
    expect(await row()).toMatchObject({ seats: 12, renewal: null, tier: '' })
    await account({ seats: 3 })
    await account({ tier: 'bronze' })
    expect(await row()).toMatchObject({ seats: 12, tier: 'bronze' })

    await send('rules.published', { kind: 'survivorship', rules: { 'account.tier': { rule: 'first' } } })
    expect(await row()).toMatchObject({ tier: 'gold' })

    const key = (await views.rowsOf('account'))[0]?.key
    const decided = { view: 'account', key, field: 'tier', steward: 'kim' }
    await send('field.locked', { ...decided, value: 'platinum', reason: 'asked' })
    expect(await row()).toMatchObject({ tier: 'platinum' })
    await send('field.unlocked', { ...decided, reason: 'asked again' })
    expect(await row()).toMatchObject({ tier: 'gold' })

    await define('account', 'tier', 'text', { archived: true })
    expect(Object.keys(await row())).not.toContain('tier')
    expect(await row()).toMatchObject({ seats: 12 })

    const undisturbed = projectorWorld(world)
    await undisturbed.foldAll()
    expect(await views.rows()).toEqual(await undisturbed.rows())
  })

  test('of the profile leaves the traits for a column, from every event that the profile hears', async () => {
    const views = projectorWorld(world)
    const traits = { name: 'Ann', plan: 'pro', spent: '12.50', colour: 'red' }
    await send('cdp.identify', { userId: 'ann', traits })
    await define('profile', 'plan', 'text', { options: ['pro', 'free'] })
    await define('profile', 'spent', 'money')
    await define('profile', 'score', 'real')
    await send('lead.created', { lead_id: 'L1', email: 'ann@example.com', score: 0.5 })
    await send('cdp.identify', { userId: 'ann', traits: { plan: 'enterprise' } })
    await views.foldAll()
    const rows = await views.rowsOf('profile')
    const ann = rows.find(({ row }) => row['name'] === 'Ann')?.row
    expect(ann).toMatchObject({ plan: 'pro', spent: 125_000, traits: { colour: 'red' } })
    expect(Object.keys(ann?.['traits'] ?? {})).toEqual(['colour'])
    expect(rows.find(({ row }) => row['email'] === 'ann@example.com')?.row).toMatchObject({ score: 0.5 })
  })

  test('is contested like others: the conflict is a row, and a resolution settles it', async () => {
    const views = projectorWorld(world)
    await define('account', 'tier', 'text')
    await define('profile', 'plan', 'text')
    await account({ name: 'Acme', tier: 'gold' })
    await account({ tier: 'silver' }, { source: 'erp' })
    await send('cdp.identify', { userId: 'ann', traits: { plan: 'pro' } })
    await send('cdp.identify', { userId: 'ann', traits: { plan: 'free' } }, { source: 'erp' })
    await views.foldAll()
    const [contested] = await views.rowsOf('record_conflict')
    expect(contested).toMatchObject({
      part: 'tier',
      row: { view: 'account', status: 'open', rule: 'latest' },
    })
    expect(await views.rowsOf('conflict')).toMatchObject([{ part: 'plan', row: { status: 'open' } }])
    const key = contested?.row['record']
    const decision = { view: 'account', key, field: 'tier', value: 'gold', steward: 'kim', reason: 'a call' }
    await send('conflict.resolved', decision)
    await views.foldAll()
    expect(await views.rowsOf('record_conflict')).toMatchObject([{ row: { status: 'resolved' } }])
    expect((await views.rowsOf('account'))[0]?.row).toMatchObject({ tier: 'gold' })
  })

  test.each([
    ['a column of the view', { field: 'name', type: 'integer' }],
    ['a parameter of lists', { field: 'q', type: 'text' }],
    ['a property of every object', { field: 'constructor', type: 'text' }],
    ['no name', { field: '__proto__', type: 'text' }],
    ['no type', { field: 'tier', type: 'colour' }],
    ['no rule', { field: 'tier', type: 'text', rule: 'loudest' }],
    ['a rule that lacks its values', { field: 'tier', type: 'text', rule: 'mostRestrictive' }],
    ['an order that the type lacks', { field: 'tier', type: 'json', rule: 'max' }],
  ])('that is %s defines nothing', async (_, said) => {
    const [before, after] = [projectorWorld(world), projectorWorld(world)]
    await account({ name: 'Acme', tier: 'gold', q: 'x' })
    await before.foldAll()
    await send('field.defined', { field_id: 'f1', object: 'account', ...said })
    await after.foldAll()
    expect(await after.rowsOf('account')).toEqual(await before.rowsOf('account'))
  })

  test('that two define is the one of the first id', async () => {
    const views = projectorWorld(world)
    await account({ tier: '7' })
    await send('field.defined', { field_id: 'b', object: 'account', field: 'tier', type: 'text' })
    await send('field.defined', { field_id: 'a', object: 'account', field: 'tier', type: 'integer' })
    await views.foldAll()
    expect((await views.rowsOf('account'))[0]?.row).toMatchObject({ tier: 7 })
  })
})

describe('what is built anew', () => {
  async function builtBy(publish: () => Promise<void>): Promise<readonly string[]> {
    const views = projectorWorld(world)
    await send('rules.published', { kind: 'survivorship', rules: { 'lead.phone': { rule: 'first' } } })
    await send('source.registered', { source: 'erp', priority: 2 })
    await define('account', 'tier', 'text')
    await views.foldAll()
    views.builds.length = 0
    await publish()
    await views.foldAll()
    return views.builds.filter((each) => each.endsWith(': serving')).map((each) => each.split(':')[0] ?? '')
  }

  test.each<readonly [string, () => Promise<void>, readonly string[]]>([
    ['a field of accounts', () => define('account', 'seats', 'integer'), ['account', 'record_conflict']],
    ['a field of people', () => define('profile', 'plan', 'text'), ['profile', 'conflict']],
    ['words about a field', () => define('account', 'tier', 'text', { description: 'Sales says.' }), []],
    ['nonsense', () => define('account', 'seats', 'colour'), []],
    ['an object', () => send('object.defined', { object: 'visit' }), ['record_conflict', 'custom_record']],
    [
      'rules about people',
      () =>
        send('rules.published', {
          kind: 'survivorship',
          rules: { 'lead.phone': { rule: 'first' }, 'profile.name': { rule: 'first' } },
        }),
      ['profile', 'conflict'],
    ],
    ['rules of another kind', () => send('rules.published', { kind: 'qualification', rules: {} }), []],
    [
      "a source's country",
      () => send('source.registered', { source: 'erp', priority: 2, default_country: 'DE' }),
      [],
    ],
  ])('by %s', async (_, publish, expected) => {
    expect(await builtBy(publish)).toEqual(expected)
  })
})

const VISIT = {
  object: 'visit',
  label: 'Visits',
  department: 'field service',
  fields: [
    { field: 'notes', type: 'text' },
    { field: 'minutes', type: 'integer', rule: 'max' },
  ],
}

describe('an object', () => {
  test('has a row for each record, with its fields and those defined for it later', async () => {
    const views = projectorWorld(world)
    await send('visit.created', { visit_id: 'V1', notes: 'fine', minutes: 30, mood: 'good' })
    await send('visit.created', { id: 'V2', minutes: 'long' })
    await views.foldAll()
    expect(await views.rowsOf('custom_record')).toEqual([])
    await send('object.defined', VISIT)
    await define('visit', 'mood', 'text')
    await send('visit.updated', { visit_id: 'V1', minutes: 20, owner: 'kim' })
    await send('visit.archived', { visit_id: 'V2' })
    await send('visit.updated', { minutes: 20 })
    await views.foldAll()
    expect(await views.rowsOf('custom_record')).toMatchObject([
      {
        key: 'visit:V1',
        row: {
          object: 'visit',
          record_id: 'V1',
          owner: 'kim',
          archived: false,
          visit__notes: 'fine',
          visit__minutes: 30,
          visit__mood: 'good',
        },
      },
      { key: 'visit:V2', row: { archived: true, visit__minutes: null } },
    ])
    const decided = { view: 'visit', key: 'visit:V1', field: 'notes', steward: 'kim' }
    await send('field.locked', { ...decided, value: 'splendid', reason: 'was there' })
    await send('visit.updated', { visit_id: 'V1', notes: 'dull' }, { source: 'erp' })
    await views.foldAll()
    expect((await views.rowsOf('custom_record'))[0]?.row).toMatchObject({ visit__notes: 'splendid' })
    expect(await views.rowsOf('record_conflict')).toMatchObject([
      { part: 'notes', row: { view: 'visit', status: 'resolved' } },
    ])
    const undisturbed = projectorWorld(world)
    await undisturbed.foldAll()
    expect(await views.rows()).toEqual(await undisturbed.rows())
    await send('object.defined', { ...VISIT, archived: true })
    await views.foldAll()
    expect(await views.rowsOf('custom_record')).toEqual([])
  })

  test('forgets whoever is erased, whose events tell their records no more; reads meanwhile are answered', async () => {
    const store = createMemoryStore()
    const specs = projections.map(({ name, table }) => ({ projection: name, table, isExtensible: true }))
    const reader = store.reader(specs)
    const running = startLive({
      ...{ world, writer: store.writer, clock: world.clock },
      onCommit: ({ position }) => reader.notifyPosition(position),
    })
    const rows = async () => {
      running.hurry(world.log.head().position)
      expect(await reader.waitFor(world.log.head().position, 10_000)).toBe(true)
      const { value } = await reader.list({ projection: 'custom_record', limit: 10 })
      return value.rows.map(({ key, row }) => [key, row['visit__notes']])
    }
    try {
      await send('object.defined', VISIT)
      await send('visit.created', { visit_id: 'V1', notes: 'of Ann' }, { identities: ['user:ann'] })
      await send('visit.created', { visit_id: 'V2', notes: 'of Bob' }, { identities: ['user:bob'] })
      await send('visit.updated', { visit_id: 'V2', notes: 'of Ann too' }, { identities: ['user:ann'] })
      const now = await running.read({
        ...{ projections: ['custom_record'], key: 'visit:V1', after: world.log.head().position },
      })
      expect(now?.value.rows.get('custom_record')).toMatchObject([{ row: { visit__notes: 'of Ann' } }])
      expect(await rows()).toEqual([
        ['visit:V1', 'of Ann'],
        ['visit:V2', 'of Ann too'],
      ])
      const ann = world.keyStore.find('user', 'ann') ?? expect.fail('she is known')
      await world.keyStore.destroyOwner([ann])
      const positions = await touchedPositions(world.log, world.keyStore, [ann])
      const { promise, resolve } = Promise.withResolvers<Erased>()
      running.erase({ positions, done: resolve })
      expect((await promise).purged).toBe(true)
      expect(await rows()).toEqual([['visit:V2', 'of Bob']])
      expect((await reader.states('custom_record', 'visit:V1')).value).toEqual([])
      await send('visit.updated', { visit_id: 'V1', minutes: 5 })
      expect(await rows()).toEqual([
        ['visit:V1', null],
        ['visit:V2', 'of Bob'],
      ])
      expect((await reader.poison(10)).value).toEqual([])
    } finally {
      await running.stop()
      await reader.close()
    }
  })
})
