import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { World } from './world.ts'
import { AS_READER, AS_WRITER, createWorld, READ_TOKEN, WRITE_KEY } from './world.ts'

// Theorem: nobody reads without the read token or writes without the write key, whatever Host a browser was talked into
// using; only the tracking route answers other sites; and neither log nor problem repeats whom a request was about.

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const READS = [
  '/v1/profiles',
  '/v1/profiles/email:jane@example.com',
  '/v1/profiles/email:jane@example.com/timeline',
  '/v1/opportunities',
  '/v1/leads/1',
  '/v1/analytics/events',
  '/v1/analytics/revenue',
  '/v1/quarantine',
  '/v1/projections',
  '/v1/events',
]
const WRITES = ['/v1/events', '/v1/quarantine/q1/resubmit']
const DECIDES = ['/v1/clock/confirm']
const OPEN = ['/healthz', '/readyz', '/metrics', '/docs/json']

describe('credentials', () => {
  it.each(READS)('reading %s needs the read token', async (url) => {
    expect((await world.app.inject({ url })).statusCode).toBe(401)
    expect((await world.app.inject({ url, headers: { authorization: 'Bearer wrong' } })).statusCode).toBe(401)
    expect((await world.app.inject({ url, headers: AS_WRITER })).statusCode).toBe(403)
    expect([200, 404]).toContain((await world.app.inject({ url, headers: AS_READER })).statusCode)
  })

  it.each(WRITES)('writing to %s needs the write key', async (url) => {
    const send = (headers: Record<string, string>) => world.app.inject({ method: 'POST', url, headers })
    expect((await send({})).statusCode).toBe(401)
    expect((await send({ authorization: 'Bearer wrong' })).statusCode).toBe(401)
    expect((await send(AS_READER)).statusCode).toBe(403)
    expect([401, 403]).not.toContain((await send(AS_WRITER)).statusCode)
    expect([401, 403]).not.toContain((await send({ authorization: basic(`${WRITE_KEY}:`) })).statusCode)
    expect((await send({ authorization: basic(`${READ_TOKEN}:`) })).statusCode).toBe(403)
  })

  it.each(DECIDES)('%s needs both', async (url) => {
    const send = (headers: Record<string, string>) => world.app.inject({ method: 'POST', url, headers })
    const second = { 'headwater-write-key': WRITE_KEY }
    expect((await send({})).statusCode).toBe(401)
    for (const headers of [AS_READER, AS_WRITER, second, { ...AS_WRITER, ...second }])
      expect([401, 403]).toContain((await send(headers)).statusCode)
    expect((await send({ ...AS_READER, ...second })).statusCode).toBe(200)
  })

  it('nothing but the read token reads, however near to it', async () => {
    const header = `Bearer ${READ_TOKEN}`
    const last = header.charCodeAt(header.length - 1)
    const others = [
      header.slice(0, -1),
      `${header}x`,
      `${header}\0`,
      `${header.slice(0, -1)}\0`,
      `${header.slice(0, -1)}${String.fromCharCode(last + 1)}`,
      // Alike in its low byte.
      `${header.slice(0, -1)}${String.fromCharCode(last + 0x100)}`,
      `${header}${'x'.repeat(1_000)}`,
    ]
    const statusOf = async (authorization: string) =>
      (await world.app.inject({ url: '/v1/profiles', headers: { authorization } })).statusCode
    for (const other of others) expect([other, await statusOf(other)]).toEqual([other, 401])
    for (const same of [header, header.replace('Bearer', 'bEARER'), `${header} `, header])
      expect(await statusOf(same)).toBe(200)
  })

  it.each([249, 250, 5_000])(
    'a read token of %i characters reads, another of them does not',
    async (length) => {
      const readToken = 'r'.repeat(length)
      const own = await createWorld({ credentials: { writeKey: WRITE_KEY, readToken } })
      const statusOf = async (token: string) => {
        const headers = { authorization: `Bearer ${token}` }
        return (await own.app.inject({ url: '/v1/profiles', headers })).statusCode
      }
      expect(await statusOf(readToken)).toBe(200)
      expect(await statusOf(`${readToken.slice(1)}q`)).toBe(401)
      await own.close()
    },
  )

  it('the read token is not taken as a Basic user', async () => {
    const headers = { authorization: basic(`${READ_TOKEN}:`) }
    expect((await world.app.inject({ url: '/v1/profiles', headers })).statusCode).toBe(401)
  })

  it.each(OPEN)('%s is open', async (url) => {
    expect((await world.app.inject({ url })).statusCode).toBe(200)
  })

  it('a refusal says how to authenticate', async () => {
    const answer = await world.app.inject({ url: '/v1/profiles' })
    expect(answer.headers['www-authenticate']).toContain('Bearer')
    expect(answer.headers['content-type']).toContain('application/problem+json')
  })
})

function basic(user: string): string {
  return `Basic ${Buffer.from(user).toString('base64')}`
}

describe('Host', () => {
  const ask = (host: string) => world.app.inject({ url: '/healthz', headers: { host } })

  it.each(['localhost', 'localhost:7070', '127.0.0.1:7070', '[::1]:7070', 'crm.example', 'CRM.example:443'])(
    '%s is served',
    async (host) => {
      expect((await ask(host)).statusCode).toBe(200)
    },
  )

  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'crm.example.', 'a:b:1'])(
    '%s is not, even for open and unknown addresses',
    async (host) => {
      expect((await ask(host)).statusCode).toBe(421)
      expect((await world.app.inject({ url: '/nowhere', headers: { host } })).statusCode).toBe(421)
    },
  )
})

describe('other sites', () => {
  const origin = { origin: 'https://shop.example' }

  it('may send events', async () => {
    const preflight = await world.app.inject({ method: 'OPTIONS', url: '/v1/events', headers: origin })
    expect(preflight.statusCode).toBe(204)
    expect(preflight.headers['access-control-allow-origin']).toBe('*')
    expect(preflight.headers['access-control-allow-headers']).toContain('authorization')
    const sent = await world.app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: { ...origin, ...AS_WRITER },
    })
    expect(sent.headers['access-control-allow-origin']).toBe('*')
    expect(sent.headers['access-control-allow-credentials']).toBeUndefined()
  })

  it('see a refusal to send as what it is', async () => {
    const refused = await world.app.inject({ method: 'POST', url: '/v1/events', headers: origin })
    expect(refused.statusCode).toBe(401)
    expect(refused.headers['access-control-allow-origin']).toBe('*')
  })

  it.each([...READS, ...OPEN])('may not read %s', async (url) => {
    const answer = await world.app.inject({ url, headers: { ...origin, ...AS_READER } })
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
    const preflight = await world.app.inject({ method: 'OPTIONS', url, headers: origin })
    if (url !== '/v1/events') {
      expect(preflight.statusCode).toBe(405)
      expect(preflight.headers['access-control-allow-origin']).toBeUndefined()
    }
  })
})

describe('what is told of a request', () => {
  it('the access log knows the pattern of the route alone', async () => {
    world.logged.length = 0
    for (const url of [
      '/v1/profiles/email:jane@example.com?explain=true',
      '/v1/profiles?email=jane@example.com&jane@example.com=1',
      '/v1/nowhere/jane@example.com',
      '/v1/profiles/%ZZjane@example.com',
    ]) {
      const answer = await world.app.inject({ url, headers: AS_READER })
      expect(answer.body).not.toContain('jane')
    }
    await world.app.inject({
      method: 'POST',
      url: '/v1/profiles/lookup',
      headers: AS_READER,
      payload: '{"jane@',
    })
    expect(world.logged.length).toBeGreaterThanOrEqual(4)
    expect(JSON.stringify(world.logged)).not.toContain('jane')
    expect(JSON.stringify(world.logged)).toContain('/v1/profiles/:id')
    expect((await world.app.inject({ url: '/metrics' })).body).not.toContain('jane')
  })

  it('a failure inside says where, not about whom', async () => {
    const failing = await createWorld({
      publishedConfiguration: () => Promise.reject(new Error('jane@example.com broke it')),
      status: () => {
        throw new Error('jane@example.com broke it')
      },
    })
    const answer = await failing.app.inject({ url: '/readyz' })
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toMatchObject({ type: 'urn:headwater:problem:internal', status: 500 })
    expect(answer.body).not.toContain('jane')
    expect(JSON.stringify(failing.logged)).not.toContain('jane')
    expect(JSON.stringify(failing.logged)).toContain('security.test.ts')
    await failing.close()
  })

  it('every answer carries the safety headers', async () => {
    for (const url of ['/healthz', '/v1/profiles', '/nowhere']) {
      const { headers } = await world.app.inject({ url, headers: AS_READER })
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' })
      expect(headers['content-security-policy']).toContain("default-src 'none'")
    }
  })
})

describe('over a real socket', () => {
  it('a missing Host and a broken request get problems', async () => {
    const own = await createWorld()
    await own.app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = own.app.server.address() as { port: number }
    expect(await raw(port, 'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n')).toMatch(
      /421.*problem\+json/s,
    )
    expect(await raw(port, 'NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1.1 400.*problem\+json/s)
    await own.close()
  })
})

async function raw(port: number, request: string): Promise<string> {
  const { connect } = await import('node:net')
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}
