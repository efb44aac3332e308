/**
 * Theorem: any NATS client's publish, plain or JetStream, is answered in the form that JetStream clients understand, after
 * the intake has decided; a stream that would answer first stops the start; a captured stream is consumed and acknowledged
 * only after the intake.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pack } from 'msgpackr'
import type { NatsConnection } from 'nats'
import { connect, headers } from 'nats'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { NatsServer } from '../../api/nats-server.ts'
import { systemClock } from '../../engine/clock.ts'
import { StreamCaptures } from '../../engine/intake/nats/direct.ts'
import { openNatsIntake } from '../../engine/intake/nats/nats-intake.ts'
import { pubAck } from '../../engine/intake/nats/pub-ack.ts'
import { openPublisher } from '../../engine/intake/nats/publisher.ts'
import { subjectsOverlap } from '../../engine/intake/nats/subjects.ts'
import type { Incoming, Intake, IntakeContext, IntakeResult } from '../../engine/intake/result.ts'
import { describeNats, testNatsServer } from '../support/nats-server.ts'

interface Submitted {
  readonly batch: readonly Incoming[]
  readonly context: IntakeContext
}

/** Answers what a test wants and remembers what it was handed. */
function scriptedIntake(
  answer: (incoming: Incoming, index: number) => IntakeResult,
): Intake & { readonly submitted: Submitted[] } {
  const submitted: Submitted[] = []
  return {
    submitted,
    async submit(batch, context) {
      submitted.push({ batch, context })
      return batch.map(answer)
    },
  }
}

function appended(position: number): IntakeResult {
  return { status: 'appended', id: `e${position}`, position, stream: 'profile-1', revision: position - 1 }
}

function duplicate(position: number): IntakeResult {
  return { status: 'duplicate', id: `e${position}`, position, stream: 'profile-1', revision: position - 1 }
}

describe('PubAck', () => {
  test('seq is the last position; duplicate only if all were', () => {
    expect(pubAck('default', [appended(3), duplicate(9), appended(4)])).toMatchObject({
      stream: 'headwater_default',
      seq: 9,
    })
    expect(pubAck('default', [appended(3), duplicate(9)])).not.toHaveProperty('duplicate')
    expect(pubAck('default', [duplicate(3), duplicate(9)])).toMatchObject({ seq: 9, duplicate: true })
    expect(pubAck('default', [])).not.toHaveProperty('duplicate')
  })

  test('a refusal makes it an error with the code that nats-server uses, results beside it', () => {
    const refusal = { code: 'wrong_expected', message: 'no', actualRevision: 4, actualPosition: 17 } as const
    const ack = pubAck('default', [appended(3), { status: 'refused', id: 'x', refusal }])
    expect(ack).toMatchObject({
      error: { code: 400, err_code: 10071, description: 'wrong last sequence: 17' },
    })
    expect(ack.results).toHaveLength(2)
    const busy = pubAck('default', [
      { status: 'refused', id: 'x', refusal: { code: 'overloaded', message: 'later' } },
    ])
    expect(busy).toMatchObject({ error: { code: 503 } })
  })
})

describe('subjects overlap', () => {
  test.each([
    ['events.>', 'events.default.>', true],
    ['events.*.web', 'events.default.>', true],
    ['events.default.web', 'events.default.>', true],
    ['>', 'events.default.>', true],
    ['events.other.>', 'events.default.>', false],
    ['events.default', 'events.default.>', false],
    ['orders.>', 'events.default.>', false],
  ])('%s and %s: %s', (a, b, overlap) => {
    expect(subjectsOverlap(a, b)).toBe(overlap)
    expect(subjectsOverlap(b, a)).toBe(overlap)
  })
})

describeNats('with a real nats-server, direct', () => {
  let directory: string
  let server: NatsServer
  let client: NatsConnection

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'headwater-nats-'))
    server = await testNatsServer(directory, true)
    client = await connect({ servers: server.url })
  })

  afterAll(async () => {
    await client?.close()
    await server?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  async function serving<T>(intake: Intake, workspace: string, work: () => Promise<T>): Promise<T> {
    const nats = await openNatsIntake({
      url: server.url,
      workspace,
      mode: 'direct',
      intake,
      clock: systemClock,
      onStatus: () => undefined,
    })
    try {
      return await work()
    } finally {
      await nats.stop()
    }
  }

  test('js.publish of an unchanged JetStream client gets its PubAck', async () => {
    const intake = scriptedIntake(() => appended(42))
    const ack = await serving(intake, 'a', () =>
      client.jetstream().publish('events.a.web', '{"id":"1","type":"x"}', { msgID: 'm1' }),
    )
    expect(ack).toMatchObject({ stream: 'headwater_a', seq: 42, duplicate: false })
    expect(intake.submitted[0]?.context).toEqual({ defaultSource: 'web' })
    expect(intake.submitted[0]?.batch).toEqual([{ value: { id: '1', type: 'x' }, fallbackId: 'm1' }])
  })

  test('a wrong expectation reaches the client as its own error code', async () => {
    const refusal = { code: 'wrong_expected', message: 'no', actualRevision: 0, actualPosition: 7 } as const
    const intake = scriptedIntake(() => ({ status: 'refused', id: '1', refusal }))
    const publish = serving(intake, 'a', () =>
      client.jetstream().publish('events.a.crm', '{"id":"1"}', { expect: { lastSubjectSequence: 5 } }),
    )
    await expect(publish).rejects.toMatchObject({ api_error: { err_code: 10071 } })
    expect(intake.submitted[0]?.batch[0]).toMatchObject({ expected: { position: 5 } })
  })

  test('arrays, MessagePack and binary CloudEvents; a source of several tokens', async () => {
    const intake = scriptedIntake((_, index) => appended(index + 1))
    await serving(intake, 'a', async () => {
      await client.request('events.a.shop.eu', JSON.stringify([{ id: '1' }, { id: '2' }]))
      await client.request('events.a.erp', pack({ id: '3', data: { n: 1 } }))
      const ce = headers()
      ce.set('ce-specversion', '1.0')
      ce.set('ce-id', '4')
      ce.set('ce-type', 'caf%C3%A9.opened')
      await client.request('events.a.erp', '{"n":2}', { headers: ce, timeout: 2_000 })
    })
    expect(
      intake.submitted.map(({ batch }) => batch.map((one) => ('value' in one ? one.value : one))),
    ).toEqual([
      [{ id: '1' }, { id: '2' }],
      [{ id: '3', data: { n: 1 } }],
      [{ specversion: '1.0', id: '4', type: 'café.opened', data: { n: 2 } }],
    ])
    expect(intake.submitted[0]?.context.defaultSource).toBe('shop.eu')
  })

  test('of a binary CloudEvent that can’t be read the headers are kept too; its body’s place is no header’s', async () => {
    const intake = scriptedIntake(() => appended(1))
    const ce = headers()
    for (const [name, value] of [
      ['ce-specversion', '1.0'],
      ['ce-id', '4'],
      ['ce-data', 'x'],
    ] as const)
      ce.set(name, value)
    await serving(intake, 'a', async () => {
      await client.request('events.a.erp', '{"n":', { headers: ce, timeout: 2_000 })
      await client.request('events.a.erp', '', { headers: ce, timeout: 2_000 })
    })
    const [broken, empty] = intake.submitted.map(({ batch }) => batch[0])
    const kept =
      broken !== undefined && 'unparsable' in broken ? Buffer.from(broken.unparsable).toString() : ''
    expect(JSON.parse(kept)).toMatchObject({
      headers: { 'ce-id': '4' },
      data_base64: Buffer.from('{"n":').toString('base64'),
    })
    expect(empty).toEqual({ value: { specversion: '1.0', id: '4' } })
  })

  test('what is no JSON, and invalid UTF-8, is handed on as unparsable with its bytes', async () => {
    const intake = scriptedIntake(() => appended(1))
    await serving(intake, 'a', async () => {
      await client.request('events.a.web', '{"id":')
      await client.request('events.a.web', new Uint8Array([0x7b, 0xff, 0x7d]))
      await client.request('events.a.web', '')
    })
    expect(intake.submitted.map(({ batch }) => batch[0])).toMatchObject([
      { reason: 'not_json', unparsable: Buffer.from('{"id":') },
      { reason: 'invalid_utf8' },
      { reason: 'not_json' },
    ])
  })

  test('start-up refuses when a stream captures the subject, and says what to do', async () => {
    const manager = await client.jetstreamManager()
    await manager.streams.add({ name: 'CATCH', subjects: ['events.captured.>'] })
    const intake = scriptedIntake(() => appended(1))
    const opening = openNatsIntake({
      url: server.url,
      workspace: 'captured',
      mode: 'direct',
      intake,
      clock: systemClock,
      onStatus: () => undefined,
    })
    await expect(opening).rejects.toThrow(StreamCaptures)
    await expect(serving(intake, 'captured', async () => undefined)).rejects.toThrow(/NATS_INTAKE=jetstream/)
    await manager.streams.delete('CATCH')
  })

  test('queued: what was published while the engine was down is taken, and acknowledged after the intake', async () => {
    const manager = await client.jetstreamManager()
    await manager.streams.add({ name: 'QUEUE', subjects: ['events.queued.>'] })
    for (let n = 0; n < 20; n++)
      await client.jetstream().publish('events.queued.web', JSON.stringify({ id: String(n) }))
    const intake = scriptedIntake((_, index) => appended(index + 1))
    const nats = await openNatsIntake({
      url: server.url,
      workspace: 'queued',
      mode: 'jetstream',
      intake,
      clock: systemClock,
      onStatus: () => undefined,
    })
    await expect.poll(() => intake.submitted.length, { timeout: 5_000 }).toBe(20)
    await nats.stop()
    const info = await manager.consumers.info('QUEUE', 'headwater_queued')
    expect(info).toMatchObject({ num_ack_pending: 0, num_pending: 0 })
  })

  test('queued: a message that the intake refuses for now comes again', async () => {
    let tries = 0
    const intake = scriptedIntake(() => {
      tries += 1
      return tries === 1
        ? { status: 'refused', id: '1', refusal: { code: 'overloaded', message: 'later' } }
        : appended(1)
    })
    const nats = await openNatsIntake({
      url: server.url,
      workspace: 'again',
      mode: 'jetstream',
      intake,
      clock: systemClock,
      onStatus: () => undefined,
    })
    await client.jetstream().publish('events.again.web', '{"id":"1"}')
    await expect.poll(() => tries, { timeout: 5_000 }).toBe(2)
    await nats.stop()
  })

  test('queued: an unmet expectation goes to quarantine: its sender holds the stream’s acknowledgement', async () => {
    const refusal = { code: 'wrong_expected', message: 'no', actualRevision: 0, actualPosition: 7 } as const
    const intake = scriptedIntake((incoming) =>
      'refused' in incoming ? appended(9) : { status: 'refused', id: '1', refusal },
    )
    const nats = await openNatsIntake({
      url: server.url,
      workspace: 'unmet',
      mode: 'jetstream',
      intake,
      clock: systemClock,
      onStatus: () => undefined,
    })
    const publish = { id: '1', expectedrevision: 7 }
    await client
      .jetstream()
      .publish('events.unmet.web', JSON.stringify(publish), { expect: { lastSubjectSequence: 0 } })
    await expect.poll(() => intake.submitted.length, { timeout: 5_000 }).toBe(2)
    expect(intake.submitted.map(({ batch }) => batch)).toMatchObject([
      [{ value: publish }],
      [{ refused: publish, reason: 'wrong_expected' }],
    ])
    expect(intake.submitted[0]?.batch[0]).not.toHaveProperty('expected')
    await nats.stop()
    const manager = await client.jetstreamManager()
    expect(await manager.consumers.info('HEADWATER_UNMET', 'headwater_unmet')).toMatchObject({
      num_ack_pending: 0,
      num_pending: 0,
    })
  })

  test('queued: every stream that captures the subject is consumed', async () => {
    const manager = await client.jetstreamManager()
    await manager.streams.add({ name: 'WEB', subjects: ['events.two.web'] })
    await manager.streams.add({ name: 'ERP', subjects: ['events.two.erp'] })
    for (const source of ['web', 'erp'])
      await client.jetstream().publish(`events.two.${source}`, '{"id":"1"}')
    const intake = scriptedIntake(() => appended(1))
    const nats = await openNatsIntake({
      url: server.url,
      workspace: 'two',
      mode: 'jetstream',
      intake,
      clock: systemClock,
      onStatus: () => undefined,
    })
    await expect
      .poll(() => intake.submitted.map(({ context }) => context.defaultSource).sort(), { timeout: 5_000 })
      .toEqual(['erp', 'web'])
    await nats.stop()
  })

  test('an expectation that is no position is refused, not ignored', async () => {
    const intake = scriptedIntake(() => appended(1))
    const expectation = headers()
    expectation.set('Nats-Expected-Last-Subject-Sequence', 'abc')
    await serving(intake, 'a', () =>
      client.request('events.a.web', '{"id":"1"}', { headers: expectation, timeout: 2_000 }),
    )
    expect(intake.submitted[0]?.batch).toMatchObject([{ reason: 'invalid_envelope' }])
  })

  test('an intake that throws costs one message its answer, not all of them theirs', async () => {
    let calls = 0
    const intake: Intake = {
      submit(batch) {
        calls += 1
        if (calls === 1) throw new TypeError('a defect')
        return Promise.resolve(batch.map(() => appended(2)))
      },
    }
    await serving(intake, 'a', async () => {
      await expect(client.request('events.a.web', '{"id":"1"}', { timeout: 300 })).rejects.toThrow()
      const answer = await client.request('events.a.web', '{"id":"2"}')
      expect(answer.json()).toMatchObject({ seq: 2 })
    })
  })

  test('an answer too large for the server goes without its results', async () => {
    const intake = scriptedIntake((_, index) => appended(index + 1))
    const many = JSON.stringify(Array.from({ length: 120_000 }, (_, id) => ({ id })))
    const answer = await serving(intake, 'a', () => client.request('events.a.web', many, { timeout: 10_000 }))
    expect(answer.json()).toEqual({ stream: 'headwater_a', seq: 120_000 })
  })

  test('the importer’s publisher reads the whole answer', async () => {
    const intake = scriptedIntake(() => appended(5))
    const ack = await serving(intake, 'a', async () => {
      const publisher = await openPublisher(server.url, 2_000)
      const answer = await publisher.publish('events.a.web', Buffer.from('{"id":"1"}'))
      await publisher.close()
      return answer
    })
    expect(ack).toMatchObject({ seq: 5, results: [{ status: 'appended' }] })
  })
})

describeNats('a nats-server that goes away', () => {
  test('stopping ends all the same, in bounded time', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'headwater-nats-'))
    const server = await testNatsServer(directory, false)
    const intake = scriptedIntake(() => appended(1))
    const nats = await openNatsIntake({
      url: server.url,
      workspace: 'a',
      mode: 'direct',
      intake,
      clock: systemClock,
      onStatus: () => undefined,
    })
    await server.stop()
    await nats.stop()
    expect(nats.connection.isClosed()).toBe(true)
    rmSync(directory, { recursive: true, force: true })
  })
})
