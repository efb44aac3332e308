/**
 * Theorem: a field that a department defines is there for whoever reads, without a restart: in lists, filters, sort, single rows,
 * explanations, changes, decisions, the past and the documentation, with what events had said before it was defined; and it goes
 * when it is archived. What makes no sense is refused with every reason, and a dry run appends nothing.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LivingWorld, livingWorld } from '../history/living-world.ts'
import { defining, LEADS, lead, SHOE_SIZE } from './defining.ts'
import { expectKnownReferences, expectWholeOperations, type OpenApiDocument } from './openapi-document.ts'

let world: LivingWorld
beforeEach(async () => {
  world = await livingWorld()
})
afterEach(() => world.close())

const { admin, define, archive } = defining(() => world)

describe('a field of a view', () => {
  test('is filtered, sorted, shown, explained and listed with past values, and goes again', async () => {
    await world.send(...LEADS)
    expect((await world.read('/v1/leads?shoe_size=42')).status).toBe(400)
    const before = world.engine.log.head().position
    const tried = await admin('POST', '/v1/fields?dryRun=true', SHOE_SIZE)
    expect(tried).toMatchObject({
      status: 200,
      body: { data: { dryRun: true, problems: [], event: null, field_id: 'lead.shoe_size' } },
    })
    expect(tried.body.data.views).toContainEqual({
      view: 'lead',
      rows: 3,
      columns: { added: ['shoe_size'], removed: [] },
    })
    expect(world.engine.log.head().position).toBe(before)
    const at = await define('/v1/fields', SHOE_SIZE)
    const list = await world.read(`/v1/leads?shoe_size[gte]=40&after=${at}`)
    expect(list.body.data).toMatchObject([{ lead_id: 'L1', shoe_size: 42 }])
    const sorted = await world.read('/v1/leads?sort=-shoe_size&limit=2')
    expect(sorted.body.data.map((row: { shoe_size: number }) => row.shoe_size)).toEqual([42, 39])
    const rest = await world.read(`/v1/leads?sort=-shoe_size&limit=2&cursor=${sorted.body.next}`)
    expect(rest.body.data).toMatchObject([{ lead_id: 'L3', shoe_size: null }])
    const one = await world.read('/v1/leads/L2?explain=true')
    expect(one.body.data.shoe_size).toBe(39)
    expect(one.body.explain.shoe_size).toMatchObject({
      value: 39,
      rule: 'latest',
      winners: [{ source: 'crm' }],
    })
    expect((await world.read('/v1/fields?object=lead')).body.data).toMatchObject([
      {
        ...{ object: 'lead', field: 'shoe_size', type: 'integer', rule: 'latest', served: true },
        ...{ description: 'What shoes to send.', department: 'Retail', field_id: 'lead.shoe_size' },
        defined: { position: at, source: 'steward', by: 'kim' },
      },
    ])
    const etag = (await world.inject('/v1/leads/L2')).headers['etag']
    expect((await world.inject('/v1/leads/L2', { 'if-none-match': String(etag) })).statusCode).toBe(304)

    const archivedAt = await archive('/v1/fields/lead/shoe_size?by=kim')
    expect((await world.read(`/v1/leads?shoe_size=42&after=${archivedAt}`)).status).toBe(400)
    expect((await world.read('/v1/leads/L2')).body.data).not.toHaveProperty('shoe_size')
    expect((await world.read('/v1/fields')).body.data).toEqual([])
    expect((await admin('DELETE', '/v1/fields/lead/shoe_size')).status).toBe(404)
  })

  test('stands in the documentation with its department, as long as it is defined', async () => {
    const documented = async (): Promise<OpenApiDocument> => (await world.read('/docs/json')).body
    const parametersOf = ({ paths }: OpenApiDocument) => paths['/v1/leads']?.get?.parameters ?? []
    const before = await documented()
    expect(parametersOf(before).map(({ name }) => name)).not.toContain('shoe_size')
    await define('/v1/fields', SHOE_SIZE)
    await world.settled()
    const document = await documented()
    expectKnownReferences(document)
    expectWholeOperations(document)
    const parameters = parametersOf(document)
    const filters = parameters.filter(({ name }) => name.startsWith('shoe_size')).map(({ name }) => name)
    expect(filters).toEqual(
      ['', '[ne]', '[lt]', '[lte]', '[gt]', '[gte]', '[in]', '[null]'].map((o) => `shoe_size${o}`),
    )
    expect(parameters.find(({ name }) => name === 'shoe_size')?.description).toContain(
      'What shoes to send. (Retail)',
    )
    expect(parameters.find(({ name }) => name === 'sort')?.description).toMatch(/, shoe_size\.$/)
    for (const path of ['/v1/leads', '/v1/leads/{id}'])
      expect(JSON.stringify(document.paths[path]?.get?.responses['200'])).toContain(
        '"shoe_size":{"type":["integer","null"],"description":"What shoes to send. (Retail)"}',
      )
    await archive('/v1/fields/lead/shoe_size')
    await world.settled()
    expect(await documented()).toEqual(before)
  })

  test('is decided about, contradicted and ruled as the others are', async () => {
    const at = await define('/v1/fields', SHOE_SIZE)
    await world.send(
      lead('1', 'L1', '2025-02-01T10:00:00Z', { shoe_size: 42 }),
      lead('2', 'L1', '2025-02-02T10:00:00Z', { shoe_size: 43 }, 'web'),
    )
    const conflicts = async () => (await world.read('/v1/record-conflicts?field=shoe_size')).body.data
    expect(await conflicts()).toMatchObject([{ field: 'shoe_size', status: 'open' }])
    const lock = { field: 'shoe_size', value: 44, steward: 'kim' }
    const tried = await admin('POST', '/v1/records/lead/L1/locks?dryRun=true', lock)
    expect(tried.body.data).toMatchObject({ from: { value: 43 }, to: { value: 44 } })
    const wrong = await admin('POST', '/v1/records/lead/L1/locks', { ...lock, value: 'big' })
    expect(wrong.status).toBe(400)
    const resolution = { value: 42, steward: 'kim' }
    expect(
      (await admin('POST', '/v1/record-conflicts/lead/L1/shoe_size/resolution', resolution)).status,
    ).toBe(200)
    await world.settled()
    expect((await world.read('/v1/leads?shoe_size=42')).body.data).toHaveLength(1)
    expect(await conflicts()).toMatchObject([{ status: 'resolved' }])
    const rules = { 'lead.shoe_size': { rule: 'min' } }
    expect(await admin('POST', '/v1/rules/survivorship?dryRun=true', { rules })).toMatchObject({
      body: { data: { problems: [] } },
    })
    const unknown = await admin('POST', '/v1/rules/survivorship', {
      rules: { 'lead.hat_size': { rule: 'min' } },
    })
    expect(unknown.status).toBe(400)
    const inForce = (await world.read('/v1/rules/survivorship')).body.data
    expect(inForce).toContainEqual(
      expect.objectContaining({ view: 'lead', field: 'shoe_size', rule: 'latest' }),
    )
    expect(at).toBeGreaterThan(0)
  })

  test('is null or unknown in the past as of which it was not defined, and there since', async () => {
    await world.send(...LEADS)
    const before = world.engine.log.head().position
    const at = await define('/v1/fields', SHOE_SIZE)
    await world.send(lead('4', 'L1', '2025-03-01T10:00:00Z', { shoe_size: 41 }))
    const then = (query: string, by: number) => world.read(`/v1/leads?${query}&asOf=${by}&wait=5000`)
    expect((await then('shoe_size=42', before)).status).toBe(400)
    expect((await then('sort=lead_id', before)).body.data[0]).not.toHaveProperty('shoe_size')
    expect((await then('shoe_size=42', at)).body.data).toMatchObject([{ lead_id: 'L1' }])
    const item = (by: number) => world.read(`/v1/leads/L1?explain=true&asOf=${by}`)
    expect((await item(before)).body.data).not.toHaveProperty('shoe_size')
    expect((await item(at)).body).toMatchObject({
      data: { shoe_size: 42 },
      explain: { shoe_size: { value: 42 } },
    })
    const changes = (await world.read(`/v1/leads/L1/changes?from=${at}`)).body.data
    expect(changes).toContainEqual(expect.objectContaining({ field: 'shoe_size', from: 42, to: 41 }))
  })

  test('of a profile is a column instead of a trait', async () => {
    const signUp = { anonymousId: 'b1', traits: { email: 'ann@example.com', hat_size: 57.5, plan: 'gold' } }
    await world.send({
      id: 'p1',
      source: 'web',
      type: 'cdp.identify',
      time: '2025-01-01T00:00:00Z',
      data: signUp,
    })
    const at = await define('/v1/fields', {
      object: 'profile',
      field: 'hat_size',
      type: 'real',
      rule: 'first',
    })
    const { body } = await world.read(`/v1/profiles?hat_size[gt]=57&explain=true&after=${at}`)
    expect(body.data).toMatchObject([{ hat_size: 57.5, traits: { plan: 'gold' } }])
    expect(body.data[0].traits).not.toHaveProperty('hat_size')
    expect(body.explain[0].hat_size).toMatchObject({ rule: 'first', value: 57.5 })
    const found = await world.ask('/v1/profiles/lookup', { identities: ['email:ann@example.com'] })
    expect(found.body.data).toMatchObject([{ hat_size: 57.5 }])
    const ann = '/v1/profiles/email%3Aann%40example.com'
    expect((await admin('POST', `${ann}/locks`, { field: 'hat_size', steward: 'kim' })).status).toBe(200)
  })
})
