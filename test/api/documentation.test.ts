import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catalogue } from '../../engine/events/catalogue.ts'
import { projections } from '../../projections/catalog.ts'
import {
  expectKnownReferences,
  expectWholeOperations,
  type OpenApiDocument,
  operationsOf,
} from './openapi-document.ts'
import type { World } from './world.ts'
import { createWorld } from './world.ts'

// Theorem: the OpenAPI document is well formed, refers to nothing that it lacks, and names every route with what it
// takes, answers and asks for, and every event type with its data.

let world: World
let document: OpenApiDocument
beforeAll(async () => {
  world = await createWorld()
  document = (await world.app.inject({ url: '/docs/json' })).json()
})
afterAll(() => world.close())

const operations = () => operationsOf(document)

/** What stewards and administrators decide needs both credentials. */
const ADMIN = /\/(?:locks|resolution|unmerge)$|^\/v1\/(?:rules|identity)\/|^\/v1\/fields|^\/v1\/clock\//

describe('the document', () => {
  it('is OpenAPI 3.1', () => {
    expect(document.openapi).toBe('3.1.0')
    expect(document.info).toMatchObject({ title: 'Headwater', version: '1.2.3' })
    expect(Object.keys(document.components.schemas).every((name) => /^[A-Za-z0-9._-]+$/.test(name))).toBe(
      true,
    )
  })

  it('names every route', () => {
    const documented = operations().map(([path, method]) => `${method.toUpperCase()} ${path}`)
    expect(documented.sort()).toEqual([
      'DELETE /v1/fields/{object}/{field}',
      'GET /healthz',
      'GET /metrics',
      'GET /readyz',
      'GET /v1/analytics/events',
      'GET /v1/analytics/leads',
      'GET /v1/analytics/people',
      'GET /v1/analytics/revenue',
      'GET /v1/demo',
      'GET /v1/events',
      'GET /v1/fields',
      'GET /v1/identity/review',
      'GET /v1/leads',
      'GET /v1/leads/{id}',
      'GET /v1/leads/{id}/changes',
      'GET /v1/opportunities',
      'GET /v1/opportunities/{id}',
      'GET /v1/opportunities/{id}/changes',
      'GET /v1/profiles',
      'GET /v1/profiles/{id}',
      'GET /v1/profiles/{id}/changes',
      'GET /v1/profiles/{id}/identity',
      'GET /v1/profiles/{id}/timeline',
      'GET /v1/projections',
      'GET /v1/projects/{key}/settings',
      'GET /v1/pulls',
      'GET /v1/quarantine',
      'GET /v1/quarantine/{id}',
      'GET /v1/quarantine/{id}/changes',
      'GET /v1/rules/survivorship',
      'GET /v1/schemas',
      'GET /v1/schemas/{type}',
      'GET /v1/schemas/{type}/{version}',
      'POST /v1/alias',
      'POST /v1/batch',
      'POST /v1/clock/confirm',
      'POST /v1/conflicts/{id}/{field}/resolution',
      'POST /v1/demo',
      'POST /v1/events',
      'POST /v1/fields',
      'POST /v1/group',
      'POST /v1/identify',
      'POST /v1/identity/decisions',
      'POST /v1/import',
      'POST /v1/page',
      'POST /v1/profiles/lookup',
      'POST /v1/profiles/{id}/locks',
      'POST /v1/profiles/{id}/unmerge',
      'POST /v1/quarantine/{id}/resubmit',
      'POST /v1/record-conflicts/{view}/{id}/{field}/resolution',
      'POST /v1/records/{view}/{id}/locks',
      'POST /v1/rules/survivorship',
      'POST /v1/screen',
      'POST /v1/track',
    ])
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const method of Object.keys(methods)) {
        const url = path.replaceAll(/\{(\w+)\}/g, ':$1')
        expect(world.app.hasRoute({ method: method.toUpperCase(), url }), `${method} ${url}`).toBe(true)
      }
    }
  })

  it('refers to nothing that it lacks', () => expectKnownReferences(document))

  it('describes every operation whole', () => expectWholeOperations(document))

  it('asks for credentials where the api does', () => {
    for (const [path, method, { security }] of operations()) {
      const open = ['/healthz', '/readyz', '/metrics', '/v1/projects/{key}/settings'].includes(path)
      const reads = method === 'get' || path === '/v1/profiles/lookup'
      const schemes = security.flatMap((requirement) => Object.keys(requirement))
      const writes = ADMIN.test(path) ? ['readToken', 'writeKeyBeside'] : ['writeKey', 'writeKeyBasic']
      expect(schemes, path).toEqual(open ? [] : reads ? ['readToken'] : writes)
    }
  })

  it('holds filters, and rows in their types, as the tables have them', () => {
    const list = document.paths['/v1/profiles']?.get
    const names = (list?.parameters ?? []).map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining([
        'q',
        'sort',
        'limit',
        'cursor',
        'after',
        'name',
        'name[in]',
        'spent[gte]',
        'traits[null]',
      ]),
    )
    expect(names).not.toContain('traits')
    expect(JSON.stringify(list?.responses['200'])).toContain(
      '"born":{"type":["string","null"],"format":"date"',
    )
  })

  it("holds every event type's data, with what is personal marked", () => {
    const { schemas } = document.components
    for (const type of Object.keys(catalogue)) {
      expect(schemas, type).toHaveProperty([`data.${type.replaceAll(/[^A-Za-z0-9._-]+/g, '_')}`])
    }
    expect(JSON.stringify(schemas['data.cdp.identify'])).toContain('"x-personal":true')
    expect(JSON.stringify(schemas.CloudEvent)).toContain('#/components/schemas/data.cdp.identify')
    expect(document.paths['/v1/events']?.post?.requestBody?.content).toHaveProperty([
      'application/cloudevents-batch+json',
    ])
  })
})

it('the real read models have the columns that routes name, and every route is offered', async () => {
  const real = await createWorld({
    projections: new Map(projections.map((projection) => [projection.name, projection])),
  })
  const { paths }: OpenApiDocument = (await real.app.inject({ url: '/docs/json' })).json()
  for (const name of [
    'accounts',
    'contacts',
    'leads',
    'opportunities',
    'orders',
    'profiles',
    'pipeline',
    'quarantine',
  ]) {
    expect(paths).toHaveProperty([`/v1/${name}`])
  }
  await real.close()
})

describe('the page', () => {
  it('is served with what it needs from here alone', async () => {
    const page = await world.app.inject({ url: '/docs' })
    const answer =
      page.statusCode === 302 ? await world.app.inject({ url: String(page.headers.location) }) : page
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toContain('text/html')
    expect(answer.headers['content-security-policy']).not.toContain('http')
    const assets = [...answer.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, asset]) => asset ?? '')
    expect(assets.length).toBeGreaterThan(2)
    for (const asset of assets) {
      const url = new URL(asset, 'http://localhost/docs/')
      expect(url.host).toBe('localhost')
      expect((await world.app.inject({ url: url.pathname })).statusCode, asset).toBe(200)
    }
  })
})
