/**
 * Theorem: what a URL answers is imported once and whole, or not counted at all; the next request asks only for what is
 * newer; and neither credentials nor addresses are ever told to anybody but the origin that they are for.
 */
import { existsSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compareDecimals, raised } from '../../api/pull/high-water.ts'
import { urlMarkOf } from '../../api/pull/url.ts'
import { type PullWorld, pullWorld, runOnce, scheduled, until, urlPull } from './support.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

interface Peer {
  readonly url: string
  readonly asked: IncomingMessage[]
  handler: Handler
  close(): void
}

async function peer(handler: Handler): Promise<Peer> {
  const asked: IncomingMessage[] = []
  const server: Server = createServer((request, response) => {
    asked.push(request)
    made.handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const made: Peer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    handler,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
  return made
}

const CSV = 'a,b\nr1,2026-01-01\nr2,2026-01-03\nr3,2026-01-02'
const MARK = { index: 1, as: 'text', initial: '2025-12-31' } as const

let world: PullWorld
let server: Peer
beforeEach(async () => {
  world = pullWorld()
  server = await peer((_, response) => response.end(CSV))
})
afterEach(async () => {
  server.close()
  await world.close()
})

const run = (change: Parameters<typeof urlPull>[1] = {}, path = '/export.csv') =>
  runOnce(urlPull(`${server.url}${path}`, change), world.context())

describe('an answer', () => {
  test('is imported, its last line too, and the file in between is gone', async () => {
    expect(await run()).toMatchObject({ outcome: 'imported', rows: 3, tally: { appended: 3 } })
    expect(await world.taken()).toEqual(['r1', 'r2', 'r3'])
    expect(existsSync(world.data.path('download'))).toBe(false)
    expect(await run()).toMatchObject({ tally: { appended: 0, duplicates: 3 } })
  })

  test('that has not changed is not sent again (304)', async () => {
    server.handler = (request, response) => {
      const known = request.headers['if-none-match'] === '"v1"'
      response.writeHead(known ? 304 : 200, {
        etag: '"v1"',
        'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
      })
      response.end(known ? undefined : CSV)
    }
    await run()
    expect(await run()).toMatchObject({ outcome: 'nothing_new', rows: 0 })
    expect(server.asked[1]?.headers['if-modified-since']).toBe('Thu, 01 Jan 2026 00:00:00 GMT')
    // What was said of one address says nothing of another.
    await run({}, '/other.csv')
    expect(server.asked[2]?.headers['if-none-match']).toBe(undefined)
  })

  test('raises the mark by the largest value seen, and the next request asks from there', async () => {
    const path = '/export?since={highWater}'
    await run({ highWater: MARK }, path)
    await run({ highWater: MARK }, path)
    expect(server.asked.map(({ url }) => url)).toEqual([
      '/export?since=2025-12-31',
      '/export?since=2026-01-03',
    ])
    const mark = await urlMarkOf(urlPull(`${server.url}${path}`, { highWater: MARK }), world.context())
    expect(mark).toMatchObject({ highWater: '2026-01-03' })
  })

  test('that is empty is nothing new', async () => {
    server.handler = (_, response) => response.writeHead(204).end()
    expect(await run()).toMatchObject({ outcome: 'nothing_new' })
  })

  test('that was stopped midway moves no mark; the next run goes on and adds nothing twice', async () => {
    const many = Array.from({ length: 2_000 }, (_, i) => `m${i},2026-01-01\n`).join('')
    server.handler = (_, response) => response.end(`a,b\n${many}`)
    const stopping = new AbortController()
    const intake = {
      async submit(...[batch, context]: Parameters<typeof world.engine.intake.submit>) {
        const results = await world.engine.intake.submit(batch, context)
        stopping.abort()
        return results
      },
    }
    const pull = urlPull(`${server.url}/x?since={highWater}`, { highWater: MARK })
    const stopped = await runOnce(pull, world.context({ intake, signal: stopping.signal }))
    expect(stopped.outcome).toBe('interrupted')
    expect(await urlMarkOf(pull, world.context())).toMatchObject({ highWater: undefined })
    expect(await runOnce(pull, world.context())).toMatchObject({
      outcome: 'imported',
      tally: { appended: 2_000 },
    })
    expect((await world.taken()).length).toBe(2_000)
  })
})

test('an answer of the same beginning and size as one that was stopped midway is another', async () => {
  const rows = Array.from({ length: 1_200 }, (_, i) => `m${i},${'x'.repeat(2_000)}\n`)
  const answer = `a,b\n${rows.join('')}`
  const changed = answer.replace('\nm700,', '\nn700,')
  server.handler = (_, response) => response.end(server.asked.length === 1 ? answer : changed)
  const stopping = new AbortController()
  let submitted = 0
  const intake = {
    async submit(...[batch, context]: Parameters<typeof world.engine.intake.submit>) {
      submitted += batch.length
      const results = await world.engine.intake.submit(batch, context)
      if (submitted > 1_000) stopping.abort()
      return results
    },
  }
  const pull = urlPull(`${server.url}/x`, { maxBytes: 8 * 1024 * 1024 })
  const stopped = await runOnce(pull, world.context({ intake, signal: stopping.signal }))
  expect(stopped.outcome).toBe('interrupted')
  expect(await runOnce(pull, world.context())).toMatchObject({ outcome: 'imported' })
  expect(await world.taken()).toContain('n700')
})

describe('a failing peer', () => {
  test.each<[string, Handler, RegExp]>([
    ['an error', (_, response) => response.writeHead(500).end('jane@example.com'), /^HTTP 500$/],
    ['credentials that it refuses', (_, response) => response.writeHead(401).end(), /^HTTP 401$/],
    ['too much', (_, response) => response.end('x'.repeat(2_000_000)), /more than 1048576 bytes/],
    [
      'an endless redirect',
      (_, response) => response.writeHead(302, { location: '/again' }).end(),
      /redirects more than/,
    ],
    [
      'a foreign scheme',
      (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      /no http or https/,
    ],
    [
      'a cut connection',
      (_, response) => {
        response.writeHead(200, { 'content-length': '100' })
        response.write('a,b\n')
        setTimeout(() => response.destroy(), 20)
      },
      /can't be read/,
    ],
    ['another table', (_, response) => response.end('x,y\n1,2\n'), /the header lacks a, b/],
  ])('%s: told, nothing is marked', async (_, handler, why) => {
    server.handler = handler
    const ran = await run()
    expect(ran).toMatchObject({ outcome: 'failed', error: expect.stringMatching(why) })
    expect(JSON.stringify(ran)).not.toMatch(/127\.0\.0\.1|jane/)
    expect(await world.taken()).toEqual([])
    server.handler = (_, response) => response.end(CSV)
    expect(await run()).toMatchObject({ outcome: 'imported', rows: 3 })
  })

  test('that trickles is given up in time, and one that asks for a pause gets it', async () => {
    server.handler = (_, response) => void response.write('a,b\n')
    expect(await run({ timeoutMs: 100 })).toMatchObject({
      outcome: 'failed',
      error: expect.stringContaining('0.1 s'),
    })
    server.handler = (_, response) => response.writeHead(429, { 'retry-after': '7' }).end()
    expect(await run()).toMatchObject({ outcome: 'failed', error: 'HTTP 429', retryAfterMs: 7_000 })
  })

  test('nobody answers: the reason', async () => {
    server.close()
    const ran = await run()
    expect(ran.error).toContain('ECONNREFUSED')
  })
})

describe('credentials', () => {
  const headers = [['authorization', 'Bearer secret-token']] as const

  test('are sent, through redirects of the same origin, and to no other', async () => {
    const other = await peer((_, response) => response.end(CSV))
    server.handler = (request, response) =>
      request.url === '/export.csv'
        ? response.writeHead(307, { location: '/moved.csv' }).end()
        : response.writeHead(302, { location: `${other.url}/theirs.csv` }).end()
    expect(await run({ headers, redirectsTo: [other.url] })).toMatchObject({ outcome: 'imported' })
    expect(server.asked.map(({ headers: got }) => got.authorization)).toEqual(
      Array(2).fill('Bearer secret-token'),
    )
    expect(other.asked.map(({ headers: got }) => got.authorization)).toEqual([undefined])
    other.close()
  })

  test('stand in no log line, status or metric', async () => {
    server.handler = (_, response) => response.writeHead(403).end()
    const { pulls, logged, metrics } = scheduled(world, [
      urlPull(`${server.url}/x?key=in-the-address`, { headers }),
    ])
    pulls.start()
    await until(() => logged.length > 0)
    const told = JSON.stringify([logged, await pulls.status(), await metrics.render()])
    expect(told).toContain('HTTP 403')
    expect(told).not.toMatch(/secret-token|in-the-address/)
    await pulls.stop()
  })
})

test('an origin that was not named is not asked, whoever redirects to it', async () => {
  const other = await peer((_, response) => response.end(CSV))
  const named = await peer((_, response) => response.writeHead(302, { location: `${other.url}/x` }).end())
  server.handler = (request, response) =>
    response.writeHead(302, { location: `${request.url === '/far' ? named.url : other.url}/x` }).end()
  const ran = await run()
  expect(ran).toMatchObject({ outcome: 'failed', error: expect.stringContaining('another origin') })
  expect(ran.error).not.toContain(other.url)
  const onwards = urlPull(`${server.url}/far`, { redirectsTo: [named.url] })
  expect(await runOnce(onwards, world.context())).toMatchObject({ outcome: 'failed' })
  expect([named.asked.length, other.asked.length]).toEqual([1, 0])
  other.close()
  named.close()
})

describe('a mark', () => {
  test('only rises, passes over what it can not compare, and counts digits', () => {
    const column = (as: 'text' | 'number' | 'instant') => ({ index: 0, as, initial: '' })
    expect(raised(column('number'), '9', '10')).toBe('10')
    expect(raised(column('text'), '9', '10')).toBe('9')
    expect(raised(column('number'), '9007199254740993', '9007199254740992')).toBe('9007199254740993')
    expect(raised(column('number'), '5', 'n/a')).toBe('5')
    expect(raised(column('instant'), '2026-01-01T01:00:00+02:00', '2026-01-01T00:00:00Z')).toBe(
      '2026-01-01T00:00:00Z',
    )
    for (const as of ['text', 'number', 'instant'] as const)
      expect(raised(column(as), undefined, ' ')).toBe(undefined)
    expect(raised(column('text'), 'b', 'x'.repeat(300))).toBe('b')
  })

  test('decimals compare as numbers do', () => {
    const decimal = fc.integer({ min: -99_999, max: 99_999 }).map((n) => n / 100)
    fc.assert(
      fc.property(decimal, decimal, fc.constantFrom('', '0', '00'), (a, b, zeros) => {
        const text = (n: number) => `${n < 0 ? '-' : ''}${zeros}${Math.abs(n)}`
        expect(Math.sign(compareDecimals(text(a), String(b)))).toBe(Math.sign(a - b))
      }),
      { numRuns: 500 },
    )
  })
})
