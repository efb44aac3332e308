/**
 * Theorem: a sender turns every answer of a server into one of four outcomes, right for what is to be done next, and
 * never takes an answer for an acknowledgement that doesn't name the fate of each event. With a server that fails in
 * every way in turn, an import over real HTTP still loses and doubles nothing.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { createHttpSender } from '../../api/import/http-sender.ts'
import { importFile } from '../../api/import/import.ts'
import { createNatsSender } from '../../api/import/nats-sender.ts'
import type { Sender } from '../../api/import/sender.ts'
import { systemClock } from '../../engine/clock.ts'
import { compile, FakeEngine, mappingDocument, orThrow, temporaryFiles } from './support.ts'

const files = temporaryFiles()
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})
afterAll(files.remove)

type Handler = (body: string, response: ServerResponse, request: IncomingMessage) => void

async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => handler(Buffer.concat(chunks).toString('utf8'), response, request))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const EVENTS = ['1', '2'].map((id) => ({ id, json: JSON.stringify({ id, data: { name: 'é' } }) }))

function answering(status: number, body: unknown, headers: Record<string, string> = {}): Handler {
  return (_, response) =>
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
}

async function outcome(handler: Handler): Promise<unknown> {
  return createHttpSender({ url: await serve(handler), writeKey: 'key' }).send(EVENTS)
}

describe('http', () => {
  test('what is sent', async () => {
    let seen: unknown
    await outcome((body, response, request) => {
      seen = {
        body: JSON.parse(body) as unknown,
        url: request.url,
        method: request.method,
        ...request.headers,
      }
      response.end()
    })
    expect(seen).toMatchObject({
      method: 'POST',
      url: '/v1/events',
      'content-type': 'application/cloudevents-batch+json',
      authorization: 'Bearer key',
      body: [
        { id: '1', data: { name: 'é' } },
        { id: '2', data: { name: 'é' } },
      ],
    })
  })

  test('results, with the reason of a refusal', async () => {
    const results = [
      { status: 'appended', id: '1', position: 7, stream: 's-1', revision: 0 },
      { status: 'refused', id: '2', refusal: { code: 'overloaded', message: 'later' } },
    ]
    expect(await outcome(answering(200, { position: 7, results }))).toEqual({
      _tag: 'Sent',
      results: [
        { status: 'appended', id: '1', position: 7, reason: undefined, message: undefined },
        { status: 'refused', id: '2', position: undefined, reason: 'overloaded', message: 'later' },
      ],
    })
  })

  const problem = { title: 'Too much is under way', detail: 'wait' }
  const cases: readonly (readonly [what: string, handler: Handler, expected: object])[] = [
    [
      '429',
      answering(429, problem, { 'retry-after': '2' }),
      { _tag: 'Unavailable', retryAfterMs: 2000, why: expect.stringContaining('Too much') },
    ],
    ['503', answering(503, ''), { _tag: 'Unavailable', retryAfterMs: undefined }],
    ['500', answering(500, 'oops'), { _tag: 'Unavailable' }],
    ['413', answering(413, {}), { _tag: 'TooLarge' }],
    ['401', answering(401, {}), { _tag: 'Rejected', why: expect.stringContaining('write key') }],
    ['400', answering(400, problem), { _tag: 'Rejected' }],
    ['a redirect', answering(302, '', { location: 'http://127.0.0.1:1/' }), { _tag: 'Unavailable' }],
    ['too few results', answering(200, { results: [{ status: 'appended' }] }), { _tag: 'Rejected' }],
    [
      'an unknown status',
      answering(200, { results: [{ status: 'ok' }, { status: 'ok' }] }),
      { _tag: 'Rejected' },
    ],
    ['no JSON', answering(200, '<html>'), { _tag: 'Rejected' }],
    ['a cut connection', (_, response) => response.destroy(), { _tag: 'Unavailable' }],
    [
      'a cut answer',
      (_, response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{')
        response.destroy()
      },
      { _tag: 'Unavailable' },
    ],
  ]
  test.each(cases)('%s', async (_, handler, expected) => {
    expect(await outcome(handler)).toMatchObject(expected)
  })

  test('nobody there, and somebody who never answers', async () => {
    const gone = await serve(() => {})
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
    expect(await createHttpSender({ url: gone, writeKey: undefined }).send(EVENTS)).toMatchObject({
      _tag: 'Unavailable',
      why: expect.stringContaining('ECONNREFUSED'),
    })
    const silent = createHttpSender({ url: await serve(() => {}), writeKey: undefined, timeoutMs: 50 })
    expect(await silent.send(EVENTS)).toMatchObject({ _tag: 'Unavailable' })
  })

  test('an import through a server that fails in every way in turn', async () => {
    const engine = new FakeEngine()
    const failures: readonly Handler[] = [
      answering(503, '', { 'retry-after': '0' }),
      answering(429, '', { 'retry-after': '0' }),
      (_, response) => response.destroy(),
      (body, response) => {
        engine.take(JSON.parse(body) as { id: string }[])
        response.destroy()
      },
    ]
    let request = 0
    const url = await serve((body, response, incoming) => {
      const failure = failures[request++ % 6]
      if (failure !== undefined) return failure(body, response, incoming)
      response.end(
        JSON.stringify({ position: 1, results: engine.take(JSON.parse(body) as { id: string }[]) }),
      )
    })
    const rows = Array.from({ length: 500 }, (_, i) => `${i % 99},é`)
    const report = orThrow(
      await importFile({
        mapping: compile(mappingDocument()),
        file: files.write('http.csv', `a,b\n${rows.join('\n')}\n`),
        sender: createHttpSender({ url, writeKey: undefined }),
        clock: systemClock,
        limits: { batchEvents: 20, minPauseMs: 1, maxPauseMs: 4 },
      }),
    )
    expect(engine.log.size).toBe(500)
    expect(report.appended + report.duplicates).toBe(500)
    expect(engine.received).toBeGreaterThan(500)
  })
})

describe('nats', () => {
  function sender(publish: (subject: string, payload: Uint8Array) => Promise<unknown>): Sender {
    const publisher = { publish, close: async () => {} }
    return createNatsSender(publisher, { source: 'erp', target: 'nats://x' })
  }

  test('what is published', async () => {
    let seen: unknown
    await sender(async (subject, payload) => {
      seen = { subject, events: JSON.parse(new TextDecoder().decode(payload)) as unknown }
    }).send(EVENTS)
    expect(seen).toEqual({
      subject: 'events.default.erp',
      events: EVENTS.map(({ json }) => JSON.parse(json) as unknown),
    })
  })

  const results = [
    { status: 'appended', id: '1', position: 1, stream: 's', revision: 0 },
    { status: 'refused', id: '2', refusal: { code: 'read_only', message: '' } },
  ]
  const error = (code: number) => ({ error: { code, err_code: 1, description: 'no' } })
  const cases: readonly (readonly [what: string, answer: unknown, expected: object])[] = [
    [
      'results',
      { stream: 's', seq: 1, results },
      { _tag: 'Sent', results: [{ status: 'appended' }, { status: 'refused', reason: 'read_only' }] },
    ],
    ['results beside an error', { ...error(503), results }, { _tag: 'Sent' }],
    ['an error that passes', error(503), { _tag: 'Unavailable', why: '503 no' }],
    ['an error that stays', error(400), { _tag: 'Rejected' }],
    [
      'a stream that keeps it',
      { stream: 's', seq: 9 },
      { _tag: 'Sent', results: [{ status: 'accepted' }, { status: 'accepted' }] },
    ],
    ['no PubAck', 'OK', { _tag: 'Rejected' }],
  ]
  test.each(cases)('%s', async (_, answer, expected) => {
    expect(await sender(async () => answer).send(EVENTS)).toMatchObject(expected)
  })

  test('no answer, and a payload beyond the server limit', async () => {
    const failing = (code: string) => sender(() => Promise.reject(Object.assign(new Error(code), { code })))
    expect(await failing('TIMEOUT').send(EVENTS)).toMatchObject({ _tag: 'Unavailable' })
    expect(await failing('MAX_PAYLOAD_EXCEEDED').send(EVENTS)).toMatchObject({ _tag: 'TooLarge' })
  })
})
