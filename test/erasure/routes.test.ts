/**
 * Theorem: over HTTP nobody has anybody erased without both credentials, a request is taken whole or not at all, says what
 * is wrong with it without repeating it, and is documented as it answers.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '../../api/engine.ts'
import { AS_READER, AS_WRITER, createWorld, type World, WRITE_KEY } from '../api/world.ts'
import { caughtUp, done, openAt, send, temporaryDirectory } from './support.ts'

const EMAIL = 'jane@example.com'
const AS_ADMIN = { ...AS_READER, 'headwater-write-key': WRITE_KEY }

let directory: ReturnType<typeof temporaryDirectory>
let engine: Engine
let world: World
beforeAll(async () => {
  directory = temporaryDirectory()
  engine = (await openAt(directory.path)).engine
  const { erasures, log, keyStore } = engine
  world = await createWorld({ erasures, log, directory: keyStore, erasureWaitHours: 48 })
  const base = { source: 'web', type: 'cdp.identify' }
  await send(
    engine,
    { ...base, id: '1', data: { userId: 'jane', traits: { email: EMAIL } } },
    { ...base, id: '2', data: { userId: 'kim', traits: { email: 'kim@example.com' } } },
  )
  await caughtUp(engine)
}, 180_000)
afterAll(async () => {
  await world.close()
  await engine.stop()
  directory.remove()
})

type Headers = Readonly<Record<string, string>>

async function post(body: unknown, headers: Headers = AS_ADMIN, url = '/v1/erasures') {
  const answer = await world.app.inject({ method: 'POST', url, headers, payload: body as object })
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
}

async function get(url: string, headers: Headers = AS_READER) {
  const answer = await world.app.inject({ url, headers })
  return { status: answer.statusCode, body: answer.json() }
}

describe('who may', () => {
  const WRONG: readonly (readonly [string, Headers, number])[] = [
    ['nothing', {}, 401],
    ['the write key alone', AS_WRITER, 401],
    ['the read token alone', AS_READER, 403],
    ['the write key twice', { ...AS_WRITER, 'headwater-write-key': WRITE_KEY }, 403],
    ['a wrong write key', { ...AS_READER, 'headwater-write-key': 'wrong' }, 403],
    ['a wrong read token', { authorization: 'Bearer wrong', 'headwater-write-key': WRITE_KEY }, 403],
  ]
  test.each(WRONG)('with %s nobody erases or cancels', async (_, headers, status) => {
    expect((await post({ identity: `email:${EMAIL}` }, headers)).status).toBe(status)
    const url = '/v1/erasures/2026-01-01-000000000000'
    const cancelled = await world.app.inject({ method: 'DELETE', url, headers })
    expect(cancelled.statusCode).toBe(status)
    expect(engine.erasures.list()).toEqual([])
  })

  test('lists and certificates are read with the read token', async () => {
    expect((await get('/v1/erasures', {})).status).toBe(401)
    expect((await get('/v1/erasures', AS_WRITER)).status).toBe(403)
    expect(await get('/v1/erasures')).toMatchObject({ status: 200, body: { data: [] } })
  })
})

describe('what is asked', () => {
  test.each([
    [undefined],
    [{}],
    [{ identity: 42 }],
    [{ identity: `email:${EMAIL}`, wait: -1 }],
    [{ identity: `email:${EMAIL}`, wait: 721 }],
    [{ identity: `email:${EMAIL}`, wait: '1' }],
    [{ identity: `email:${EMAIL}`, waitHours: 1 }],
    [{ identity: `email:${EMAIL}`, reason: 'x'.repeat(1_001) }],
    [{ identity: `email:${EMAIL}`, reason: `for ${EMAIL}` }],
    [{ identity: `email:${EMAIL}`, reason: 'asked by dpo@corp.example' }],
  ])('%j is refused', async (body) => {
    const answer = await post(body)
    expect(answer).toMatchObject({ status: 400, body: { type: 'urn:headwater:problem:invalid_body' } })
    expect(JSON.stringify(answer.body)).not.toContain(EMAIL)
    expect(engine.erasures.list()).toEqual([])
  })

  test.each(['email:nobody@example.com', 'ab'.repeat(16), 'not an identity'])(
    '%s is nobody',
    async (identity) => {
      expect((await post({ identity })).status).toBe(404)
    },
  )
})

test('asked for, found, cancelled, asked for again at once, done and verified', {
  timeout: 180_000,
}, async () => {
  const asked = await post({ identity: `email:${EMAIL.toUpperCase()}`, reason: 'ticket 7' })
  const { number } = asked.body.data
  expect(asked.status).toBe(202)
  expect(asked.headers['location']).toBe(`/v1/erasures/${number}`)
  const { requested, due } = asked.body.data
  expect(Date.parse(due) - Date.parse(requested)).toBe(48 * 3_600_000)
  expect((await post({ identity: 'user:jane' })).body.data.number).toBe(number)
  const url = `/v1/erasures/${number}`
  expect((await get(url)).body.data).toMatchObject({
    number,
    state: 'scheduled',
    certificate: null,
    reason: 'ticket 7',
  })
  const cancelled = await world.app.inject({ method: 'DELETE', url, headers: AS_ADMIN })
  expect(cancelled.json().data.state).toBe('cancelled')

  const { body } = await post({ identity: 'user:jane', wait: 0 })
  await done(engine, body.data.number)
  const { data } = (await get(`/v1/erasures/${body.data.number}`)).body
  expect(data).toMatchObject({ state: 'done', identities: 2, heldUp: null })
  expect(JSON.stringify((await get('/v1/erasures')).body)).not.toMatch(/jane|example/)
  const begun = await world.app.inject({
    method: 'DELETE',
    url: `/v1/erasures/${data.number}`,
    headers: AS_ADMIN,
  })
  expect(begun.statusCode).toBe(409)

  const { certificate } = data
  const holds = await post({ certificate }, AS_READER, '/v1/erasures/verify')
  expect(holds).toMatchObject({ status: 200, body: { data: { holds: true } } })
  const kim = { id: engine.keyStore.find('user', 'kim'), namespace: 'user' }
  const forged = { ...certificate, identities: [kim] }
  const doesNot = await post({ certificate: forged }, AS_READER, '/v1/erasures/verify')
  expect(doesNot).toMatchObject({ status: 200, body: { data: { holds: false } } })
  expect((await post({ certificate: { number } }, AS_READER, '/v1/erasures/verify')).status).toBe(400)
  expect((await get('/v1/erasures/2026-01-01-000000000000')).status).toBe(404)
  expect(JSON.stringify(world.logged)).not.toMatch(/jane/)
})

test('the documentation names the routes and both credentials', async () => {
  const document = (await world.app.inject({ url: '/docs/json' })).json()
  const paths = Object.keys(document.paths).filter((path) => path.startsWith('/v1/erasures'))
  expect(paths.sort()).toEqual(['/v1/erasures', '/v1/erasures/verify', '/v1/erasures/{id}'])
  expect(document.paths['/v1/erasures'].post.security).toEqual([{ readToken: [], writeKeyBeside: [] }])
  expect(document.components.securitySchemes.writeKeyBeside).toMatchObject({ type: 'apiKey', in: 'header' })
})
