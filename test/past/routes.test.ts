/**
 * Theorem: every GET route that shows read models can be asked for a past moment, and explains itself where its rows follow
 * from writes that compete: whichever doesn't stands below with the reason, and nothing stands there without need. What the
 * document promises the route does: it refuses what is no moment, by the parameter's name.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RECORDS } from '../../api/routes/records.ts'
import { servedEngine } from './served-engine.ts'

const OPERATION = 'how the engine stands now, nothing that is folded from the log'
const LOG = 'the log itself, which has positions of its own'
const CODE = 'what the code knows'

/** Path → why it takes no `asOf`. */
const NOT_OF_THE_PAST: Readonly<Record<string, string>> = {
  '/healthz': OPERATION,
  '/readyz': OPERATION,
  '/metrics': OPERATION,
  '/v1/demo': OPERATION,
  '/v1/past': OPERATION,
  '/v1/pulls': OPERATION,
  '/v1/projections': OPERATION,
  '/v1/projections/{name}/digest': 'of builds that are there; headwater replay digests a moment',
  '/v1/projections/{name}/diff': 'between builds that are there',
  '/v1/version-jobs': OPERATION,
  '/v1/version-jobs/{id}': OPERATION,
  '/v1/erasures': 'kept beside the log, so that it tells of what is gone',
  '/v1/erasures/{id}': 'kept beside the log, so that it tells of what is gone',
  '/v1/duplicates': 'what the last search found, which says of which position it is',
  '/v1/duplicates/status': OPERATION,
  '/v1/events': LOG,
  '/v1/audit/checkpoint': LOG,
  '/v1/audit/key': LOG,
  '/v1/audit/tile/{*}': LOG,
  '/v1/audit/proof/{position}': LOG,
  '/v1/audit/consistency': LOG,
  '/v1/fields': 'definitions, each with its event; rows of a moment have the columns of then',
  '/v1/objects': 'definitions, each with its event; records of a moment are asked for by object',
  '/v1/schemas': CODE,
  '/v1/schemas/{type}': CODE,
  '/v1/schemas/{type}/{version}': CODE,
  '/v1/projects/{key}/settings': CODE,
}

const COUNTED = 'counted and summed over events or rows: nothing competes'
const IS_ONE = 'is the explanation: events, rules and what they overruled'

/** Path → why it takes `asOf` and no `explain`. */
const UNEXPLAINED: Readonly<Record<string, string>> = {
  '/v1/sessions': COUNTED,
  '/v1/orders': COUNTED,
  '/v1/pipeline': COUNTED,
  '/v1/conflicts': IS_ONE,
  '/v1/record-conflicts': IS_ONE,
  '/v1/rules/survivorship': IS_ONE,
  '/v1/identity/review': IS_ONE,
  '/v1/profiles/{id}/identity': IS_ONE,
  '/v1/profiles/{id}/timeline': 'events explain, and are not explained',
}

interface Operation {
  readonly parameters?: readonly { readonly name: string }[]
  readonly responses: Readonly<Record<string, unknown>>
}

let world: Awaited<ReturnType<typeof servedEngine>>
let routes: ReadonlyMap<string, { readonly names: ReadonlySet<string>; readonly operation: Operation }>
beforeAll(async () => {
  world = await servedEngine()
  await world.send({ id: '1', source: 'web', type: 'cdp.identify', data: { userId: 'a', traits: {} } })
  const defined = { object: 'vendor', fields: [{ field: 'tier', type: 'text' }] }
  await world.send({ id: '2', source: 'steward', type: 'object.defined', data: defined })
  const { paths } = (await world.read('/docs/json')).body as {
    readonly paths: Readonly<Record<string, { readonly get?: Operation }>>
  }
  const found = Object.entries(paths).flatMap(([path, { get }]) =>
    get === undefined ? [] : [[path, get] as const],
  )
  routes = new Map(
    found.map(([path, operation]) => {
      const names = new Set((operation.parameters ?? []).map(({ name }) => name))
      return [path, { names, operation }]
    }),
  )
}, 30_000)
afterAll(() => world.close())

function takesMoment(names: ReadonlySet<string>): boolean {
  return (
    names.has('by') && (names.has('asOf') || (names.has('from') && names.has('to') && !names.has('limit')))
  )
}

test('every route is of the past, or has a reason', () => {
  expect(routes.size).toBeGreaterThan(60)
  expect([...routes.keys()]).toContain('/v1/objects/vendor')
  const without = [...routes].filter(([, { names }]) => !takesMoment(names)).map(([path]) => path)
  expect(without.sort()).toEqual(Object.keys(NOT_OF_THE_PAST).sort())
})

test('every route of the past explains itself, or has a reason', () => {
  const figures = (path: string) => path.startsWith('/v1/analytics/')
  const without = [...routes]
    .filter(([path, { names }]) => names.has('asOf') && !names.has('explain') && !figures(path))
    .map(([path]) => path)
  expect(without.sort()).toEqual(Object.keys(UNEXPLAINED).sort())
})

test('every single row tells what changed', () => {
  const rows = RECORDS.filter(({ items }) => items).map(({ path }) => path)
  expect(rows.length).toBeGreaterThan(6)
  for (const path of [...rows, '/v1/profiles', '/v1/objects/{object}', '/v1/objects/vendor']) {
    const changes = routes.get(`${path}/{id}/changes`)
    expect([...(changes?.names ?? [])].sort(), path).toEqual(
      [...(path.includes('{object}') ? ['object'] : []), 'after', 'by', 'from', 'id', 'to'].sort(),
    )
  }
})

test('what the document promises, routes do', async () => {
  for (const [path, { names }] of routes) {
    if (!names.has('asOf')) continue
    const url = path.replace(/\{\w+\}/g, 'user:a')
    const moment = await world.read(`${url}?asOf=soon`)
    expect([moment.status, moment.body.errors?.[0]?.parameter], path).toEqual([400, 'asOf'])
    if (names.has('explain')) {
      const explain = await world.read(`${url}?explain=maybe`)
      expect([explain.status, explain.body.errors?.[0]?.parameter], path).toEqual([400, 'explain'])
    }
  }
})

test('where something may have to be built the document says so', () => {
  for (const [path, { names, operation }] of routes)
    if (names.has('asOf')) expect(Object.hasOwn(operation.responses, '202'), path).toBe(names.has('wait'))
})
