import { afterAll, beforeAll, expect, it } from 'vitest'
import { catalogue } from '../../engine/events/catalogue.ts'
import type { World } from './world.ts'
import { AS_READER, AS_WRITER, createWorld } from './world.ts'

// Theorem: the schema registry names every type of the catalogue with what it takes and seals, each version of it, and
// nothing else; it is read with the read token alone.

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const get = (url: string, headers: Record<string, string> = AS_READER) => world.app.inject({ url, headers })

it('lists every type', async () => {
  const { data } = (await get('/v1/schemas')).json()
  expect(data.map(({ type }: { type: string }) => type)).toEqual(Object.keys(catalogue))
  const lead = data.find(({ type }: { type: string }) => type === 'lead.created')
  expect(lead).toMatchObject({ schema: 1, versions: [1], category: 'lead', retention: 'profile' })
  expect(lead.personal).toContain('email')
  expect(lead.identities).toContainEqual({ namespace: 'email', path: 'email' })
  expect(lead.normalised).toMatchObject({ email: 'email' })
})

it('shows one with the JSON Schema of its data, names with spaces too', async () => {
  for (const type of ['lead.created', 'Order Completed']) {
    const path = `/v1/schemas/${encodeURIComponent(type)}`
    const { data } = (await get(path)).json()
    expect(data).toMatchObject({ type, json_schema: { type: 'object' } })
    expect(JSON.stringify(data.json_schema)).toContain('"x-personal":true')
    expect((await get(`${path}/1`)).json().data).toEqual({ ...data, version: 1, lifted_to: null })
  }
})

it('knows no other types and versions', async () => {
  for (const path of [
    'nothing',
    'toString',
    'lead.created/2',
    'lead.created/0',
    'lead.created/01',
    'lead.created/x',
  ])
    expect((await get(`/v1/schemas/${path}`)).statusCode, path).toBe(404)
  expect((await get('/v1/schemas?x=1')).statusCode).toBe(400)
})

it('is for readers, and unchanged for whoever has it', async () => {
  expect((await get('/v1/schemas', {})).statusCode).toBe(401)
  expect((await get('/v1/schemas', AS_WRITER)).statusCode).toBe(403)
  const { etag } = (await get('/v1/schemas')).headers
  expect((await get('/v1/schemas', { ...AS_READER, 'if-none-match': String(etag) })).statusCode).toBe(304)
})
