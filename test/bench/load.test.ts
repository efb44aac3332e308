/**
 * Theorem: the load generator sends exactly what was recorded, accounts for every message (acknowledged, refused, unanswered),
 * sees the read models' lag as the age of the oldest message that they lack, and pairs every HTTP answer with its request.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EventLoad } from '../../bench/load/event-load.ts'
import { openHttp, readAnswer } from '../../bench/load/http-client.ts'
import { recordTape } from '../../bench/load/record.ts'
import { createTape, openTape, type TapeReader } from '../../bench/load/tape.ts'
import { manualClock, systemClock } from '../../engine/clock.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-bench-test-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

describe('the tape', () => {
  test('gives back what was written, as batches and one by one, as often as it is rewound', () => {
    const event = fc
      .record({ id: fc.string({ unit: 'grapheme', maxLength: 300 }) })
      .map((each) => JSON.stringify(each))
    let file = 0
    fc.assert(
      fc.property(fc.array(fc.array(event, { maxLength: 20 }), { maxLength: 40 }), (batches) => {
        const path = join(directory, `tape-${file++}`)
        const writer = createTape(path)
        for (const batch of batches) writer.write(batch)
        writer.close()
        const reader = openTape(path)
        for (let round = 0; round < 2; round++) {
          for (const batch of batches) {
            const frame = reader.next()
            expect(frame?.events).toBe(batch.length)
            expect(frame && text(frame.batch)).toBe(`[${batch.join(',')}]`)
            for (const [index, each] of batch.entries())
              expect(text(frame?.event(index) ?? Buffer.alloc(0))).toBe(each)
          }
          expect(reader.next()).toBeUndefined()
          reader.rewind()
        }
        reader.close()
      }),
      { numRuns: 30 },
    )
  })

  test('holds so many different events, and names people of its beginning', () => {
    const path = join(directory, 'tape')
    const order = {
      kind: 'record',
      path,
      events: 2_050,
      seed: 3,
      people: 100,
      knownAfterEvents: 1_000,
    } as const
    const recorded = recordTape(order, systemClock)
    if (recorded.kind !== 'recorded') throw new Error('not recorded')
    const reader = openTape(path)
    const ids = new Set<string>()
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      for (const { id } of JSON.parse(text(frame.batch)) as { id: string }[]) ids.add(id)
    }
    reader.close()
    expect(ids.size).toBe(2_050)
    expect(recorded.people.length).toBeGreaterThan(10)
    expect(recorded.people.every((person) => person.startsWith('user:'))).toBe(true)
  })
})

/** Frames of two events each, without a file. */
function fakeTape(frames: number): TapeReader {
  let left = frames
  const event = () => Buffer.from('{}')
  const frame = { events: 2, batch: Buffer.from('[{},{}]'), event }
  return { next: () => (left-- > 0 ? frame : undefined), rewind: () => undefined, close: () => undefined }
}

function loadOn(frames: number) {
  const clock = manualClock(0)
  const answers: ((answer: Uint8Array) => void)[] = []
  const publisher = {
    publish: () => Promise.reject(new Error('not used')),
    post: (_: string, __: Uint8Array, onAnswer: (answer: Uint8Array) => void) => void answers.push(onAnswer),
    close: () => Promise.resolve(),
  }
  const span = { fromMs: 100, windowMs: 100, windows: 2 }
  const load = new EventLoad({
    publisher,
    subject: 'events.default.bench',
    tape: fakeTape(frames),
    perMessage: 'batch',
    clock,
    span,
  })
  const answer = (index: number, body: unknown): void => answers[index]?.(Buffer.from(JSON.stringify(body)))
  return { clock, load, answer }
}

const appended = (position: number) => ({ status: 'appended', position, id: 'x', stream: 's', revision: 0 })

describe('the account of what was sent', () => {
  test('counts by window of the acknowledgement, and tells what never was answered or sent', () => {
    const { clock, load, answer } = loadOn(4)
    const done = (): void => undefined
    clock.advance(90)
    expect(load.post(90, done)).toBe(true)
    clock.advance(20)
    expect(load.post(105, done)).toBe(true)
    answer(0, { stream: 's', seq: 2, results: [appended(1), appended(2)] })
    clock.advance(100)
    const refused = { status: 'refused', id: 'y', refusal: { code: 'overloaded', message: '' } }
    answer(1, { stream: 's', seq: 3, results: [appended(3), refused] })
    expect(load.post(150, done)).toBe(true)
    expect(load.post(250, done)).toBe(true)
    expect(load.post(260, done)).toBe(false)
    expect(load.tapeEnded).toBe(true)
    clock.advance(90)
    // Nobody listened.
    answer(3, '')
    expect(load.eventsByWindow).toEqual([2, 1])
    expect([load.acknowledged, load.refused]).toEqual([3, 3])
    // 105 answered at 210, 250 at 300, 150 never, 190 never sent; it is 300 now.
    const { latency, unanswered } = load.finish([190, 500])
    expect(unanswered).toBe(2)
    expect(latency.count).toBe(4)
    expect(latency.max).toBeCloseTo(150, 0)
    expect(latency.p50).toBeCloseTo(105, 0)
  })

  test('the lag is the age of the oldest message that the read models lack', () => {
    const { clock, load, answer } = loadOn(10)
    expect(load.lagMs(0, 0)).toBe(0)
    for (const intendedMs of [0, 10, 20]) load.post(intendedMs, () => undefined)
    clock.advance(100)
    expect(load.lagMs(0, 100)).toBe(100)
    // Acknowledged out of order.
    answer(1, { stream: 's', seq: 4, results: [appended(3), appended(4)] })
    expect(load.lagMs(4, 100)).toBe(100)
    answer(0, { stream: 's', seq: 2, results: [appended(1), appended(2)] })
    expect(load.lagMs(1, 100)).toBe(100)
    expect(load.lagMs(2, 100)).toBe(90)
    expect(load.lagMs(4, 100)).toBe(80)
    answer(2, { stream: 's', seq: 6, results: [appended(5), appended(6)] })
    expect(load.lagMs(6, 100)).toBe(0)
  })
})

describe('the HTTP client', () => {
  test('each answer goes to its request, on no more connections than allowed', async () => {
    let connections = 0
    const server = createServer((request, response) => {
      const body = `answer to ${request.url} ${'ä'.repeat(3_000)}`
      const delay = Number(request.url?.at(-1) ?? 0)
      setTimeout(() => {
        response.setHeader('content-length', Buffer.byteLength(body))
        response.statusCode = request.headers.authorization === 'Bearer t' ? 200 : 401
        // In parts, so that head and body arrive in pieces.
        const bytes = Buffer.from(body)
        response.write(bytes.subarray(0, 1_001))
        setTimeout(() => response.end(bytes.subarray(1_001)), delay)
      }, delay)
    })
    server.on('connection', () => {
      connections += 1
    })
    const port = await listening(server)
    const client = await openHttp({ host: '127.0.0.1', port, connections: 3, token: 't' })
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) => {
        return new Promise<string>((resolve) => {
          client.get(`/n/${index}`, (status, body) => resolve(`${status} ${body.toString().slice(0, 20)}`))
        })
      }),
    )
    for (const [index, answer] of answers.entries()) expect(answer).toMatch(`200 answer to /n/${index} `)
    expect(connections).toBe(3)
    client.close()
    server.close()
  })

  test('a connection that breaks answers 0, and goes on answering 0', async () => {
    const server = createTcpServer((socket) => socket.once('data', () => socket.destroy()))
    const port = await listening(server)
    const client = await openHttp({ host: '127.0.0.1', port, connections: 1 })
    for (let round = 0; round < 2; round++) {
      expect(await new Promise((resolve) => client.get('/', (status) => resolve(status)))).toBe(0)
    }
    client.close()
    server.close()
  })

  test('an answer is whole at the last byte of its body and not before', () => {
    const whole = Buffer.from(
      'HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nx: content-length: 9\r\n\r\nhello',
    )
    for (let size = 0; size < whole.length; size++)
      expect(readAnswer(whole.subarray(0, size))).toBeUndefined()
    const answer = readAnswer(whole)
    expect([answer?.status, answer?.body.toString()]).toEqual([404, 'hello'])
  })
})

function listening(server: ReturnType<typeof createTcpServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}
