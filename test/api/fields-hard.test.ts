/**
 * Theorem: what departments may define can't break what is there: names that mean something else, columns that there are, other types
 * and too many fields are refused with reasons, or define nothing where they came past the checks. While builds are switched no
 * request fails; where builds are held nobody sees a field before somebody switches, and what is read is read as its build has it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'
import { defining, LEADS, lead, SHOE_SIZE } from './defining.ts'

const NO_NAMES = [
  ...['q', 'sort', 'limit', 'cursor', 'after', 'explain', 'asOf', 'by', 'wait', 'id', 'key', 'part'],
  ...['__proto__', 'constructor', 'Key', 'a__b', 'no space', '', '1st', 'x'.repeat(64), 'ünder'],
  ...['lead_id', 'status', 'created_at'],
]

let world: LivingWorld
const { admin, define, archive } = defining(() => world)
afterEach(() => world.close())

describe('what is refused', () => {
  beforeEach(async () => {
    world = await livingWorld()
  })

  test('names that mean something else, that are there, or that are none', async () => {
    const before = world.engine.log.head()
    for (const field of NO_NAMES) {
      const body = { object: 'lead', field, type: 'text' }
      const refused = await admin('POST', '/v1/fields', body)
      expect([field, refused.status]).toEqual([field, 400])
      expect(refused.body.errors.map(({ path }: { path: string }) => path)).toContain('/field')
    }
    const fields = Array.from({ length: 10_000 }, (_, i) => ({ field: `f${i}`, type: 'text' }))
    const refused = await admin('POST', '/v1/objects', { object: 'vendor', fields })
    expect(refused.body.errors[0].message).toContain('at most 100 fields')
    expect(world.engine.log.head()).toEqual(before)
  })

  test('names of what a profile tells beside its columns', async () => {
    await world.send(
      {
        id: 'p1',
        source: 'web',
        type: 'cdp.identify',
        data: { userId: '1', traits: { email: 'a@acme.example' } },
      },
      { id: 'c1', source: 'crm', type: 'account.created', data: { account_id: 'A', domain: 'acme.example' } },
    )
    const columns = (await world.read('/v1/profiles?limit=2')).body.data.flatMap(Object.keys)
    const beside: string[] = []
    for (const id of ['user:1', 'account:A']) {
      const { body } = await world.read(`/v1/profiles/${id}`)
      beside.push(...Object.keys(body.data).filter((name) => !columns.includes(name)))
    }
    expect(beside).toEqual(expect.arrayContaining(['employer', 'people', 'identities']))
    for (const field of beside) {
      const refused = await admin('POST', '/v1/fields', { object: 'profile', field, type: 'text' })
      expect([field, refused.status]).toEqual([field, 400])
    }
  })

  test('all that is wrong at once, and foreign properties', async () => {
    const body = { object: 'lead', field: 'Big Size', type: 'number', rule: 'oldest', options: [] }
    const { body: problem } = await admin('POST', '/v1/fields', body)
    const tried = await admin('POST', '/v1/fields?dryRun=true', body)
    expect(tried.body.data).toMatchObject({ dryRun: true, problems: problem.errors, event: null })
    const paths = problem.errors.map(({ path }: { path: string }) => path)
    expect(paths.sort()).toEqual(['/field', '/options', '/rule', '/type'])
    for (const wrong of [{ ...SHOE_SIZE, types: 1 }, { ...SHOE_SIZE, archived: true }, [], 'x', 7, null]) {
      expect((await admin('POST', '/v1/fields', Object(wrong))).status).toBe(400)
    }
    expect((await admin('POST', '/v1/fields', { ...SHOE_SIZE, object: 'nothing' })).status).toBe(400)
    expect((await admin('POST', '/v1/fields', { ...SHOE_SIZE, description: 7 })).status).toBe(400)
    const names = ['lead', 'order', 'custom_record', 'pipeline', '__proto__', 'Vendor', 'cdp', '']
    for (const object of names) {
      const refused = await admin('POST', '/v1/objects', { object })
      expect([object, refused.status]).toEqual([object, 400])
    }
    expect((await world.read('/v1/fields?object=nothing')).status).toBe(400)
    expect((await admin('DELETE', '/v1/fields/lead/__proto__')).status).toBe(404)
    expect((await admin('DELETE', '/v1/objects/__proto__')).status).toBe(404)
    expect((await world.read('/v1/objects/__proto__')).status).toBe(404)
  })

  test('another type of a field in use, unless it is meant; values that it can’t hold are gone', async () => {
    await world.send(...LEADS, lead('4', 'L4', '2025-02-04T10:00:00Z', { shoe_size: 'wide' }))
    await define('/v1/fields', SHOE_SIZE)
    const text = { ...SHOE_SIZE, type: 'text' }
    const refused = await admin('POST', '/v1/fields', text)
    expect(refused.body.errors).toMatchObject([{ path: '/type' }])
    await define('/v1/fields', { ...text, replace: true })
    await world.settled()
    expect((await world.read('/v1/leads?shoe_size=wide')).body.data).toHaveLength(1)
    await define('/v1/fields', { ...SHOE_SIZE, type: 'instant', replace: true })
    await world.settled()
    expect((await world.read('/v1/leads?shoe_size[null]=true')).body.data.length).toBeGreaterThan(0)
  })

  test('instants that nobody could be shown are none: one of them doesn’t spoil the list', async () => {
    const last = Date.UTC(10_000, 0) - 1
    const sent = [9e15, last + 1, -9e15, last, 0]
    await define('/v1/fields', { object: 'lead', field: 'seen', type: 'instant' })
    await world.send(...sent.map((seen, i) => lead(`s${i}`, `S${i}`, '2025-02-01T10:00:00Z', { seen })))
    const { status, body } = await world.read('/v1/leads?sort=lead_id')
    expect(status).toBe(200)
    const seen = body.data.map((row: { seen: string | null }) => row.seen)
    expect(seen).toEqual([null, null, null, '9999-12-31T23:59:59.999Z', '1970-01-01T00:00:00.000Z'])
  })

  test('without both credentials', async () => {
    const asked = await world.ask('/v1/fields', SHOE_SIZE)
    expect(asked.status).toBe(403)
    expect((await world.ask('/v1/objects', { object: 'vendor' })).status).toBe(403)
  })

  test('more fields than an object may have: those past the checks come to nothing either', async () => {
    const fields = Array.from({ length: 130 }, (_, i) => ({ field: `f${i}`, type: 'text' }))
    await world.send(
      { id: 'o1', source: 'crm', type: 'object.defined', data: { object: 'vendor', fields } },
      { id: 'v1', source: 'crm', type: 'vendor.created', data: { id: 'V1', f1: 'x' } },
    )
    const { body } = await world.read('/v1/objects/vendor?f1=x')
    expect(Object.keys(body.data[0]).filter((name) => /^f\d/.test(name))).toHaveLength(100)
    const refused = await admin('POST', '/v1/fields', { object: 'vendor', field: 'size', type: 'text' })
    expect(refused.body.errors[0].message).toContain('at most 100 fields')
    expect((await world.read('/docs/json')).status).toBe(200)
    expect((await world.read('/v1/fields?object=vendor')).body.data).toHaveLength(100)
  })
})

test('names too long for a column once the object’s stands before the field’s: none, and nothing stops', async () => {
  world = await livingWorld()
  const object = 'customer_satisfaction_survey_answer'
  const [fits, tooLong] = ['f'.repeat(61 - object.length), 'f'.repeat(62 - object.length)]
  const fields = [fits, tooLong].map((field) => ({ field, type: 'text' }))
  const refused = await admin('POST', '/v1/objects', { object, fields })
  expect(refused.body.errors).toMatchObject([{ path: '/fields/1/field' }])
  await define('/v1/objects', { object })
  const alone = await admin('POST', '/v1/fields', { object, field: tooLong, type: 'text' })
  expect(alone.body.errors).toMatchObject([{ path: '/field' }])
  // Past the checks.
  await world.send(
    { id: 'o1', source: 'crm', type: 'object.defined', data: { object, fields } },
    {
      id: 'f1',
      source: 'crm',
      type: 'field.defined',
      data: { field_id: 'x', object, ...fields[1], field: `${tooLong}f` },
    },
    { id: 'a1', source: 'crm', type: `${object}.created`, data: { id: 'A1', [fits]: 'x', [tooLong]: 'y' } },
  )
  const { body } = await world.read(`/v1/objects/${object}`)
  expect(body.data).toMatchObject([{ id: 'A1', [fits]: 'x' }])
  expect(body.data[0]).not.toHaveProperty(tooLong)
})

const LONG_TYPES = ['money', 'json', 'real', 'boolean', 'day']
const TYPES = ['integer', 'instant', 'text', ...(process.env['HEADWATER_TEST_LONG'] ? LONG_TYPES : [])]

test('no request fails while definitions come and go', async () => {
  world = await livingWorld()
  await world.send(...LEADS)
  const statuses = new Map<string, Set<number>>()
  let isOver = false
  const asking = [
    '/v1/leads?shoe_size[gte]=1&sort=-shoe_size',
    '/v1/leads?sort=lead_id&explain=true',
    '/v1/leads/L1?explain=true',
    '/v1/objects/vendor?tier=gold',
    '/v1/objects/vendor?explain=true',
    '/v1/objects/vendor/V1?explain=true',
    '/v1/fields',
    '/v1/objects',
    '/docs/json',
  ].map(async (path) => {
    const seen = new Set<number>()
    statuses.set(path, seen)
    while (!isOver) {
      seen.add((await world.read(path)).status)
      await sleep(path === '/docs/json' ? 100 : 2)
    }
  })
  const vendor = { object: 'vendor', fields: [{ field: 'tier', type: 'text' }] }
  for (const type of TYPES) {
    await define('/v1/fields', { ...SHOE_SIZE, type, replace: true })
    await define('/v1/fields', { object: 'lead', field: 'a_first', type: 'text' })
    await define('/v1/objects', vendor)
    await world.send({
      id: `v${type}`,
      source: 'erp',
      type: 'vendor.created',
      data: { id: 'V1', tier: 'gold' },
    })
    await archive('/v1/fields/lead/a_first')
    if (type !== TYPES.at(-1)) await archive('/v1/objects/vendor')
  }
  isOver = true
  await Promise.all(asking)
  for (const [path, seen] of statuses) {
    expect([path, [...seen].filter((status) => status >= 500)]).toEqual([path, []])
    expect([path, seen.has(200)]).toEqual([path, true])
  }
  await world.settled()
  expect((await world.read('/v1/objects/vendor/V1')).body.data.tier).toBe('gold')
})

test('whoever isn’t told of another build finds out by what answers', async () => {
  world = await livingWorld({ isDeaf: true })
  await world.send(...LEADS)
  await define('/v1/fields', SHOE_SIZE)
  await world.settled()
  const { body } = await world.read('/v1/leads?sort=lead_id&explain=true')
  expect(body.data[0]).toMatchObject({ shoe_size: 42 })
  expect(body.explain[0].shoe_size).toMatchObject({ value: 42 })
  await archive('/v1/fields/lead/shoe_size')
  await define('/v1/fields', { object: 'lead', field: 'a_first', type: 'text' })
  await world.settled()
  const lock = { field: 'a_first', value: 'x', steward: 'kim' }
  expect((await admin('POST', '/v1/records/lead/L1/locks?dryRun=true', lock)).body.data.to.value).toBe('x')
  const again = (await world.read('/v1/leads/L1?explain=true')).body
  expect(again.data).toHaveProperty('a_first', null)
  expect(again.explain).not.toHaveProperty('shoe_size')
})

test('where builds are held a field is there once somebody switches, and gone after a rollback', async () => {
  world = await livingWorld({ builds: 'hold' })
  await world.send(...LEADS)
  const at = await define('/v1/fields', SHOE_SIZE)
  await define('/v1/objects', { object: 'vendor', fields: [] })
  await world.settled()
  expect((await world.read(`/v1/leads?shoe_size=42&after=${at}`)).status).toBe(400)
  expect((await world.read('/v1/leads/L1?explain=true')).body.explain).not.toHaveProperty('shoe_size')
  expect((await world.read('/v1/fields')).body.data).toMatchObject([{ field: 'shoe_size', served: false }])
  expect((await world.read('/v1/objects/vendor')).status).toBe(404)
  expect((await world.read('/v1/objects')).body.data).toMatchObject([{ object: 'vendor', served: false }])
  const lock = { field: 'shoe_size', value: 44, steward: 'kim' }
  expect((await admin('POST', '/v1/records/lead/L1/locks', lock)).status).toBe(400)

  const anew = world.servingAnew()
  await anew.refresh()
  expect(anew.projections.get('lead')?.table.columns).not.toHaveProperty('shoe_size')
  expect(await world.switchTo('switch', 'lead')).toMatchObject({ _tag: 'Right' })
  expect((await world.read('/v1/leads?shoe_size=42')).body.data).toMatchObject([{ lead_id: 'L1' }])
  expect((await world.read('/v1/leads/L1?explain=true')).body.explain.shoe_size).toMatchObject({ value: 42 })
  expect((await world.read('/v1/fields')).body.data).toMatchObject([{ served: true }])
  await define('/v1/fields', { object: 'lead', field: 'a_first', type: 'text' })
  const rules = { 'lead.shoe_size': { rule: 'first' } }
  expect((await admin('POST', '/v1/rules/survivorship', { rules })).status).toBe(200)
  await world.settled()
  // What waits has another field before this one, and another rule for it.
  const explained = (await world.read('/v1/leads/L1?explain=true')).body.explain
  expect(explained.shoe_size).toMatchObject({ value: 42, rule: 'latest' })
  expect(explained).not.toHaveProperty('a_first')
  expect(await world.switchTo('rollback', 'lead')).toMatchObject({ _tag: 'Right' })
  expect((await world.read('/v1/leads?shoe_size=42')).status).toBe(400)
  expect((await world.read('/v1/leads/L1')).body.data).not.toHaveProperty('shoe_size')
})

test('every view that may be extended is, in its own routes', async () => {
  world = await livingWorld()
  const jane = { email: 'jane@example.com', hue: 'red' }
  await world.send(
    { id: '1', source: 'web', type: 'cdp.identify', data: { anonymousId: 'b1', traits: jane } },
    { id: '2', source: 'crm', type: 'account.created', data: { account_id: 'A1', name: 'Acme', hue: 'red' } },
    { id: '3', source: 'crm', type: 'contact.created', data: { contact_id: 'C1', ...jane } },
    { id: '4', source: 'crm', type: 'lead.created', data: { lead_id: 'L1', ...jane } },
    {
      id: '5',
      source: 'crm',
      type: 'opportunity.created',
      data: { opportunity_id: 'O1', name: 'Deal', hue: 'red' },
    },
    { id: '6', source: 'support', type: 'case.opened', data: { case_id: 'K1', hue: 'red' } },
    {
      id: '7',
      source: 'ads',
      type: 'marketing.campaign_created',
      data: { campaign_id: 'M1', name: 'Spring', hue: 'red' },
    },
  )
  const paths = {
    ...{ profile: 'profiles', account: 'accounts', contact: 'contacts', lead: 'leads' },
    ...{ opportunity: 'opportunities', case: 'cases', campaign: 'campaigns' },
  }
  for (const object of Object.keys(paths)) await define('/v1/fields', { object, field: 'hue', type: 'text' })
  await world.settled()
  for (const path of Object.values(paths)) {
    const { body } = await world.read(`/v1/${path}?hue=red&sort=-hue&explain=true`)
    // A company is a profile too.
    const hues = new Set(body.data?.map((row: { hue: string }) => row.hue))
    expect([path, [...hues]]).toEqual([path, ['red']])
    expect([path, body.explain[0].hue?.value]).toEqual([path, 'red'])
    const one = await world.read(`/v1/${path}/${body.data[0].id}?explain=true`)
    expect([path, one.body.data?.hue, one.body.explain?.hue?.value]).toEqual([path, 'red', 'red'])
  }
})
