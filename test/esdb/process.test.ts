/**
 * Theorem: however often the engine is killed -9 while EventStoreDB's clients append to it, and wherever, every acknowledged event is
 * there, once, at the place that was answered, in the order in which its stream was written; an append stands whole or not at all;
 * sent again it answers as before; expectations hold; and events make people as those of any other sender do.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EventStoreDBClient, jsonEvent, WrongExpectedVersionError } from '@eventstore/db-client'
import { afterEach, expect, test } from 'vitest'
import type { EngineProcess } from '../support/engine-process.ts'
import { clientOf, collect, rejection, until } from './client.ts'
import { loopbackEngine } from './loopback-engine.ts'
import { seeded } from './seeded.ts'

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const SEED = Number(process.env['HEADWATER_TEST_SEED'] ?? 6)
const ROUNDS = LONG ? 12 : 2
/** Each has a stream of its own, and one append under way. */
const LANES = 8
const CREDENTIALS = { username: 'a', password: 'b' }

const directory = mkdtempSync(join(tmpdir(), 'headwater-esdb-'))
let engine: EngineProcess | undefined

afterEach(async () => {
  await engine?.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

interface Sent {
  readonly stream: string
  readonly events: readonly ReturnType<typeof jsonEvent>[]
  /** What the stream's last revision is before it. */
  readonly after: number
  answer: { readonly revision: bigint; readonly position: bigint } | undefined
}

/** One writer of a stream: it goes on only when the append before it was answered, and says what it expects. */
class Lane {
  readonly sent: Sent[] = []
  readonly #stream: string
  readonly #random: () => number

  constructor(stream: string, random: () => number) {
    this.#stream = stream
    this.#random = random
  }

  /** Until an append goes without its answer. */
  async write(client: EventStoreDBClient): Promise<void> {
    for (;;) {
      const last = this.sent.at(-1)
      if (last === undefined || last.answer !== undefined) this.sent.push(this.#next(last))
      const one = this.sent.at(-1)
      if (one === undefined || !(await this.send(client, one))) return
    }
  }

  /** Whether it was answered. */
  async send(client: EventStoreDBClient, one: Sent): Promise<boolean> {
    const expectedRevision = one.after < 0 ? ('no_stream' as const) : BigInt(one.after)
    // With credentials by Append, else by BatchAppend.
    const credentials = this.#random() < 0.3 ? { credentials: CREDENTIALS } : {}
    const options = { expectedRevision, ...credentials }
    const done = await client.appendToStream(one.stream, [...one.events], options).catch((error: unknown) => {
      // The same ids and expectation never contradict what is there.
      expect(error).not.toBeInstanceOf(WrongExpectedVersionError)
      return undefined
    })
    if (done?.position === undefined) return false
    const answer = { revision: done.nextExpectedRevision, position: done.position.commit }
    expect(one.answer ?? answer).toEqual(answer)
    one.answer = answer
    return true
  }

  #next(last: Sent | undefined): Sent {
    const after = last === undefined ? -1 : last.after + last.events.length
    const count = 1 + Math.floor(this.#random() * 5)
    const events = Array.from({ length: count }, (_, n) =>
      jsonEvent({ type: 'thing.done', data: { n: after + 1 + n } }),
    )
    return { stream: this.#stream, events, after, answer: undefined }
  }
}

test(`kill -9 during appends loses nothing that was acknowledged, and repeats nothing (seed ${SEED})`, async () => {
  const made = await loopbackEngine(directory)
  const { esdbPort } = made
  engine = made.engine
  await engine.start()
  expect(engine.output).toContain(`esdb://127.0.0.1:${esdbPort}?tls=false`)
  const random = seeded(SEED)
  const lanes = Array.from({ length: LANES }, (_, n) => new Lane(`thing-${n}`, random))
  const answered = () => lanes.flatMap(({ sent }) => sent.filter(({ answer }) => answer !== undefined))

  let lost = 0
  for (let round = 0; round < ROUNDS; round++) {
    const client = clientOf({ port: esdbPort }, { isAlone: true })
    const before = answered().length
    const writing = Promise.all(lanes.map((lane) => lane.write(client)))
    const enough = before + 5 + Math.floor(random() * 60)
    await until(() => answered().length >= enough, 20_000)
    await new Promise((resolve) => setTimeout(resolve, random() * 20))
    await engine.kill('SIGKILL')
    await writing
    lost += lanes.filter(({ sent }) => sent.at(-1)?.answer === undefined).length
    await client.dispose()
    await engine.start()
    await standsWhole(esdbPort, lanes)
  }
  // Each round breaks off what is under way.
  expect(lost).toBeGreaterThan(0)

  const client = clientOf({ port: esdbPort }, { isAlone: true })
  // Everything again, lost answers and known ones alike.
  for (const lane of lanes)
    for (const one of lane.sent.slice(-20)) expect(await lane.send(client, one)).toBe(true)
  await standsWhole(esdbPort, lanes)
  const [lane] = lanes
  const [one] = lane?.sent ?? []
  const other = jsonEvent({ type: 'thing.done', data: {} })
  const refused = await rejection(client.appendToStream(one?.stream ?? '', other, { expectedRevision: 0n }))
  expect(refused).toBeInstanceOf(WrongExpectedVersionError)

  const data = { userId: 'u17', traits: { email: 'jane@example.com', name: 'Jane' } }
  const done = await client.appendToStream('visit-1', jsonEvent({ type: 'cdp.identify', data }))
  const profile = await engine.get<object>(`/v1/profiles/user:u17?after=${done.position?.commit}`)
  expect(JSON.stringify(profile)).toContain('jane@example.com')
  await client.dispose()
  expect(await engine.kill('SIGTERM')).toBe(0)
}, 120_000)

/** What is there is what was sent, whole appends in order, up to the last one that was acknowledged or one more. */
async function standsWhole(port: number, lanes: readonly Lane[]): Promise<void> {
  const client = clientOf({ port }, { isAlone: true })
  const all = (await collect(client.readAll())).filter(({ type }) => type === 'thing.done')
  const backwards = await collect(client.readAll({ direction: 'backwards', fromPosition: 'end' }))
  expect(backwards.filter(({ type }) => type === 'thing.done').map(({ id }) => id)).toEqual(
    all.map(({ id }) => id).reverse(),
  )
  for (const { sent } of lanes) {
    const stream = sent[0]?.stream ?? ''
    const there = all.filter(({ streamId }) => streamId === stream)
    const acknowledged = sent.filter(({ answer }) => answer !== undefined)
    const least = acknowledged.flatMap(({ events }) => events.map(({ id }) => id))
    const most = sent.flatMap(({ events }) => events.map(({ id }) => id))
    expect([least, most]).toContainEqual(there.map(({ id }) => id))
    expect(there.map(({ revision }) => Number(revision))).toEqual(there.map((_, n) => n))
    expect((await collect(client.readStream(stream))).map(({ id }) => id)).toEqual(there.map(({ id }) => id))
    for (const { answer } of acknowledged)
      expect(there[Number(answer?.revision)]?.position?.commit).toBe(answer?.position)
  }
  await client.dispose()
}
