import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { StoreQueryError } from '../../engine/store/store.ts'
import type { World } from './world.ts'
import { AS_READER, createWorld, START_MS } from './world.ts'

// Theorem: a profile by its id costs one look-up, is answered as the same JSON as ever, and is worth a line of the log
// only where something is wrong with it; what can't be answered now is refused with a status that says when to ask again.

let world: World
let jane: string
let shared: string

beforeAll(async () => {
  world = await createWorld()
  jane = world.keyStore.identify({ namespace: 'user', value: 'u1' })
  shared = world.keyStore.identify({ namespace: 'email', value: 'jane@example.com' })
  world.commit(
    3,
    [{ projection: 'profile', key: jane, rows: { name: 'Jane', spent: 5, traits: { a: [1, null] } } }],
    new Map([[shared, jane]]),
  )
})
afterAll(() => world.close())

const ask = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  world.app.inject({ url, headers: { ...AS_READER, ...headers } })

function linesOf(of: World): readonly (readonly [string, unknown])[] {
  const lines = of.logged.filter(({ message }) => message === 'request')
  return lines.map(({ level, fields }) => [level, 'status' in fields ? fields.status : undefined])
}

describe('a profile by id', () => {
  it.each(['user:u1', 'email:jane@example.com'])('%s costs one look-up', async (id) => {
    const { store } = world.deps
    const spies = (['get', 'members', 'list', 'states', 'waitFor'] as const).map((name) =>
      vi.spyOn(store, name),
    )
    const answer = await ask(`/v1/profiles/${id}`)
    expect(spies.map(({ mock }) => mock.calls.length)).toEqual([1, 0, 0, 0, 0])
    for (const spy of spies) spy.mockRestore()
    expect(answer.json().data).toMatchObject({
      id: jane,
      name: 'Jane',
      spent: '0.0005',
      traits: { a: [1, null] },
      email: null,
    })
    expect(answer.json().data.identities).toEqual(
      [
        { id: jane, namespace: 'user', value: 'u1' },
        { id: shared, namespace: 'email', value: 'jane@example.com' },
      ].sort((a, b) => (a.id < b.id ? -1 : 1)),
    )
  })

  it('is JSON, its position first, whatever else is asked for', async () => {
    for (const url of ['/v1/profiles/user:u1', '/v1/profiles/user:u1?explain=true']) {
      const { body, headers, statusCode } = await ask(url)
      expect([statusCode, headers['content-type']]).toEqual([200, 'application/json; charset=utf-8'])
      expect(headers['content-length']).toBe(String(Buffer.byteLength(body)))
      const { position, asOf, data, ...more } = JSON.parse(body)
      expect(body).toBe(JSON.stringify({ position, asOf, data, ...more }))
      expect([position, asOf]).toEqual([3, new Date(START_MS + 3).toISOString()])
      expect(Object.keys(more)).toEqual(url.includes('explain') ? ['explain'] : [])
    }
  })

  it('is known again by its ETag', async () => {
    const first = await ask('/v1/profiles/user:u1')
    const again = await ask('/v1/profiles/user:u1', { 'if-none-match': String(first.headers.etag) })
    expect([again.statusCode, again.body]).toEqual([304, ''])
    const explained = await ask('/v1/profiles/user:u1?explain=true')
    expect(explained.headers.etag).not.toBe(first.headers.etag)
  })

  it('may be asked for by HEAD', async () => {
    const head = await world.app.inject({ method: 'HEAD', url: '/v1/profiles/user:u1', headers: AS_READER })
    const { headers } = await ask('/v1/profiles/user:u1')
    expect([head.statusCode, head.body, head.headers.etag]).toEqual([200, '', headers.etag])
  })
})

describe('the access log', () => {
  it('tells an operator of refusals, failures and slow answers', async () => {
    const own = await createWorld()
    own.commit(1, [{ projection: 'opportunity', key: 'o', rows: { name: 'Big' } }])
    const read = (url: string, headers = AS_READER) => own.app.inject({ url, headers })
    await read('/v1/opportunities/o')
    await read('/v1/opportunities/nobody')
    await read('/v1/opportunities/o', { authorization: 'Bearer wrong' })
    await read('/v1/opportunities/o?after=9')
    const get = own.deps.store.get.bind(own.deps.store)
    const slow = vi.spyOn(own.deps.store, 'get').mockImplementation(async (...query) => {
      await new Promise((resolve) => setTimeout(resolve, 1_005))
      return get(...query)
    })
    await read('/v1/opportunities/o')
    slow.mockRestore()
    expect(linesOf(own)).toEqual([
      ['debug', 200],
      ['debug', 404],
      ['info', 401],
      ['warn', 504],
      ['info', 200],
    ])
    await own.close()
  })
})

describe('too much at once', () => {
  it.each([
    [{ _tag: 'Overloaded', limit: 1_000 }, 429, 'overloaded', '1'],
    [{ _tag: 'StoreUnavailable', why: 'locked' }, 503, 'store_unavailable', '5'],
  ] as const)('%j is refused with when to ask again', async (failure, status, code, retryAfter) => {
    const own = await createWorld()
    vi.spyOn(own.deps.store, 'get').mockRejectedValue(new StoreQueryError(failure))
    const answer = await own.app.inject({ url: '/v1/opportunities/o', headers: AS_READER })
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([status, retryAfter])
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.json().type).toBe(`urn:headwater:problem:${code}`)
    expect(linesOf(own)).toEqual([[status === 429 ? 'debug' : 'warn', status]])
    await own.close()
  })
})
