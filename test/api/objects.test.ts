/**
 * Theorem: an object that a department defines has routes of its own, without a restart: its records, folded from the events that
 * name them, are listed, filtered, sorted, explained, decided about and shown as of any moment in columns of their own names; nothing
 * of another object is among them; and it goes when it is archived.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { explainRows } from '../../api/routes/explain.ts'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'
import { defining } from './defining.ts'
import { expectKnownReferences, expectWholeOperations, type OpenApiDocument } from './openapi-document.ts'

let world: LivingWorld
beforeEach(async () => {
  world = await livingWorld()
})
afterEach(() => world.close())

const { admin, define, archive } = defining(() => world)

const VENDOR = {
  ...{ object: 'vendor', label: 'Vendors', description: 'Who delivers to us.', department: 'Procurement' },
  fields: [
    { field: 'tier', type: 'text', options: ['gold', 'silver'], description: 'How much we buy.' },
    { field: 'spend', type: 'money', rule: 'max' },
    { field: 'since', type: 'day' },
  ],
}
const vendor = (id: string, step: string, time: string, data: object, source = 'erp') => ({
  ...{ id, source, type: `vendor.${step}`, time, data },
})
const VENDORS = [
  vendor('1', 'created', '2025-01-01T00:00:00Z', { vendor_id: 'V1', tier: 'gold', spend: '12.50' }),
  vendor('2', 'created', '2025-01-02T00:00:00Z', { vendor_id: 'V2', tier: 'silver', since: '2024-02-29' }),
  vendor('3', 'updated', '2025-01-03T00:00:00Z', { vendor_id: 'V1', tier: 'platinum', spend: '100' }),
  { ...vendor('4', 'created', '2025-01-04T00:00:00Z', { id: 'X9', tier: 'gold' }), type: 'lorry.created' },
]

test('is unknown before, has its records from all events since, and is gone when archived', async () => {
  await world.send(...VENDORS)
  expect((await world.read('/v1/objects/vendor')).status).toBe(404)
  expect((await world.read('/v1/objects')).body.data).toEqual([])
  const tried = await admin('POST', '/v1/objects?dryRun=true', VENDOR)
  expect(tried.body.data).toMatchObject({ dryRun: true, problems: [], event: null })
  expect(tried.body.data.views).toContainEqual(expect.objectContaining({ view: 'custom_record', rows: 0 }))
  const at = await define('/v1/objects', VENDOR)
  await define('/v1/objects', { object: 'lorry', fields: [{ field: 'tier', type: 'text' }] })
  await world.settled()
  const { body } = await world.read(`/v1/objects/vendor?sort=-spend&explain=true`)
  expect(body.data).toEqual([
    {
      ...{
        id: 'V1',
        owner: null,
        identity: null,
        archived: false,
        tier: 'gold',
        spend: '100.00',
        since: null,
      },
      ...{ created_at: '2025-01-01T00:00:00.000Z', updated_at: '2025-01-03T00:00:00.000Z' },
    },
    {
      ...{
        id: 'V2',
        owner: null,
        identity: null,
        archived: false,
        tier: 'silver',
        spend: null,
        since: '2024-02-29',
      },
      ...{ created_at: '2025-01-02T00:00:00.000Z', updated_at: '2025-01-02T00:00:00.000Z' },
    },
  ])
  expect(body.explain[0].spend).toMatchObject({
    rule: 'max',
    value: '100.00',
    winners: [{ source: 'erp' }],
  })
  const ids = async (query: string) => {
    const answer = await world.read(`/v1/objects/vendor?${query}`)
    return answer.body.data.map(({ id }: { id: string }) => id)
  }
  expect(await ids('tier=silver')).toEqual(['V2'])
  expect(await ids('id=V2')).toEqual(['V2'])
  expect(await ids('id[in]=V1,V2,X9&sort=-id')).toEqual(['V2', 'V1'])
  expect(await ids('since[null]=false')).toEqual(['V2'])
  expect(await ids('q=v1')).toEqual(['V1'])
  expect((await world.read('/v1/objects/vendor?vendor__tier=gold')).status).toBe(400)
  expect((await world.read('/v1/objects/vendor?object=lorry')).status).toBe(400)
  expect((await world.read('/v1/objects/vendor?sort=record_id')).status).toBe(400)
  const page = await world.read('/v1/objects/vendor?limit=1&sort=id')
  const rest = await world.read(`/v1/objects/vendor?limit=1&sort=id&cursor=${page.body.next}`)
  expect([...page.body.data, ...rest.body.data].map(({ id }) => id)).toEqual(['V1', 'V2'])
  const stolen = await world.read(`/v1/objects/lorry?limit=1&sort=id&cursor=${page.body.next}`)
  expect(stolen.status).toBe(400)

  expect((await world.read('/v1/objects')).body.data).toMatchObject([
    { object: 'lorry', label: 'lorry', records: 1, served: true },
    {
      ...{ object: 'vendor', label: 'Vendors', department: 'Procurement', records: 2, served: true },
      fields: [
        { field: 'since' },
        { field: 'spend' },
        { field: 'tier', options: ['gold', 'silver'], served: true },
      ],
      defined: { position: at },
    },
  ])
  await archive('/v1/objects/vendor')
  await world.settled()
  expect((await world.read('/v1/objects/vendor')).status).toBe(404)
  expect((await world.read('/v1/objects/lorry')).body.data).toMatchObject([{ id: 'X9', tier: 'gold' }])
  expect((await world.read(`/v1/objects/vendor?asOf=${at}&wait=5000`)).body.data).toHaveLength(2)
})

test('a record is shown, explained, decided about, and shown as of a moment', async () => {
  await define('/v1/objects', VENDOR)
  const noted = await define('/v1/fields', { object: 'vendor', field: 'note', type: 'text' })
  await world.send(...VENDORS)
  const before = world.engine.log.head().position
  const one = (query = '') => world.read(`/v1/objects/vendor/V1${query}`)
  expect((await one('?explain=true')).body).toMatchObject({
    data: { id: 'V1', tier: 'gold', spend: '100.00', note: null },
    explain: { tier: { value: 'gold' }, spend: { value: '100.00' } },
  })
  expect((await world.read('/v1/objects/vendor/V9')).status).toBe(404)
  expect((await world.read('/v1/objects/nothing/V1')).status).toBe(404)
  const lock = { field: 'tier', value: 'silver', steward: 'kim' }
  const tried = await admin('POST', '/v1/records/vendor/V1/locks?dryRun=true', lock)
  expect(tried.body.data).toMatchObject({
    ...{ view: 'vendor', id: 'V1', field: 'tier', from: { value: 'gold' }, to: { value: 'silver' } },
    changes: [{ column: 'tier', from: 'gold', to: 'silver' }],
  })
  expect((await one()).body.data.tier).toBe('gold')
  expect((await admin('POST', '/v1/records/vendor/V1/locks', lock)).status).toBe(200)
  await world.settled()
  expect((await one('?explain=true')).body).toMatchObject({
    data: { tier: 'silver' },
    explain: { tier: { rule: 'locked' } },
  })
  expect((await one(`?asOf=${before}&wait=5000&explain=true`)).body).toMatchObject({
    data: { tier: 'gold' },
    explain: { tier: { rule: 'latest' } },
  })
  expect((await one(`?asOf=${noted}&wait=5000`)).status).toBe(404)
})

test('a row that a list has still shown is explained by nothing once its object is gone', async () => {
  await define('/v1/objects', VENDOR)
  await define('/v1/objects', { object: 'lorry' })
  await world.send(...VENDORS)
  expect(await explainRows(world.deps, 'custom_record', ['vendor:V1'])).toMatchObject([{ vendor__tier: {} }])
  await archive('/v1/objects/vendor')
  await world.settled()
  expect(await explainRows(world.deps, 'custom_record', ['vendor:V1'])).toEqual([{}])
})

test('nothing is decided about a record whose id names somebody: the log would keep it in clear', async () => {
  await define('/v1/objects', VENDOR)
  const named = (id: string, vendorId: string) => ({
    ...vendor(id, 'created', '2025-01-01T00:00:00Z', { vendor_id: vendorId, tier: 'gold' }),
    identities: ['user:Kim-7'],
  })
  const naming = ['kim@mail.example', '+442079460018', 'Kim-7']
  await world.send(...[...naming, 'V-8'].map((id, i) => named(String(i), id)))
  const lock = { field: 'tier', value: 'silver', steward: 'kim' }
  for (const id of naming) {
    const path = `/v1/records/vendor/${encodeURIComponent(id)}/locks`
    expect([id, (await admin('POST', path, lock)).status]).toEqual([id, 409])
    expect([id, (await admin('POST', `${path}?dryRun=true`, lock)).status]).toEqual([id, 409])
    const resolution = `/v1/record-conflicts/vendor/${encodeURIComponent(id)}/tier/resolution`
    expect([id, (await admin('POST', resolution, { value: 'silver', steward: 'kim' })).status]).toEqual([
      id,
      409,
    ])
  }
  expect((await admin('POST', '/v1/records/vendor/V-8/locks', lock)).status).toBe(200)
})

test('has paths in the documentation as long as it is defined', async () => {
  const documented = async (): Promise<OpenApiDocument> => (await world.read('/docs/json')).body
  const before = await documented()
  await define('/v1/objects', VENDOR)
  await world.settled()
  const document = await documented()
  expectKnownReferences(document)
  expectWholeOperations(document)
  const added = Object.keys(document.paths).filter((path) => !Object.hasOwn(before.paths, path))
  const paths = ['/v1/objects/vendor', '/v1/objects/vendor/{id}', '/v1/objects/vendor/{id}/changes']
  expect(added).toEqual(paths)
  const list = document.paths['/v1/objects/vendor']?.get
  expect(list).toMatchObject({
    summary: 'Records of Vendors',
    description: 'Who delivers to us. (Procurement)',
  })
  const names = (list?.parameters ?? []).map(({ name }) => name)
  expect(names).toEqual(
    expect.arrayContaining(['sort', 'tier', 'tier[in]', 'spend[gte]', 'since', 'archived']),
  )
  expect(names.filter((name) => /vendor__|record_id|^object$/.test(name))).toEqual([])
  const rows = JSON.stringify(list?.responses['200'])
  expect(rows).toContain('"tier":{"type":["string","null"],"description":"How much we buy."}')
  await archive('/v1/objects/vendor')
  await world.settled()
  expect(await documented()).toEqual(before)
})
