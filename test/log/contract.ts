import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NewEvent } from '../../engine/events/event.ts'
import type { Appended, Log, LogFailure } from '../../engine/log/log.ts'
import { anEvent, appends, collect, identityId, positions, present, T0 } from './events.ts'

export interface OpenLog {
  readonly log: Log
  /** Closes it and removes what it left. */
  dispose(): Promise<void>
}

type Result = E.Either<LogFailure, Appended>

function appended(result: Result | undefined): Appended {
  if (result === undefined || E.isLeft(result)) throw new Error(JSON.stringify(result))
  return result.right
}

function failure(result: Result | undefined): LogFailure {
  if (result === undefined || E.isRight(result)) throw new Error(`appended: ${JSON.stringify(result)}`)
  return result.left
}

/** What every log does, whatever it stands on. */
export function logContract(name: string, open: () => Promise<OpenLog>): void {
  describe(`${name}: the log's contract`, () => {
    let opened: OpenLog
    let log: Log
    beforeEach(async () => {
      opened = await open()
      log = opened.log
    })
    afterEach(() => opened.dispose())

    const current = (): Log => log
    describe('appending', () => appendingContract(current))
    describe('batches that throw', () => throwingContract(current))
    describe('atomic appends', () => atomicContract(current))
    describe('expectations', () => expectationContract(current))
    describe('reading', () => readingContract(current))
    describe('streams and identities', () => indexContract(current))
    describe('ids', () => idContract(current))
    describe('what comes back', () => roundTripContract(current))
    describe('subscriptions', () => subscriptionContract(current))
    describe('closing', () => closingContract(current))
  })
}

function appendingContract(log: () => Log): void {
  it('assigns strictly increasing positions from 1, and revisions from 0 in each stream', async () => {
    const results = await log().append(
      appends(anEvent({ stream: 'a-1' }), anEvent({ stream: 'b-1' }), anEvent({ stream: 'a-1' })),
    )
    const places = results.map(appended)
    expect(places[0]?.position).toBe(1)
    expect(places.map((place) => place.revision)).toEqual([0, 0, 1])
    for (let i = 1; i < places.length; i++) {
      expect(places[i]?.position).toBeGreaterThan(places[i - 1]?.position ?? 0)
    }
  })

  it('is empty at first, and takes an empty batch', async () => {
    expect(log().head()).toEqual({ position: 0, received: 0 })
    expect(await log().append([])).toEqual([])
    expect(await collect(log().read())).toEqual([])
    expect(await collect(log().readBackwards())).toEqual([])
    expect(await log().at(1)).toBeUndefined()
    expect(log().streamHead('a-1')).toBeUndefined()
  })

  it('shows events in head and reads once they are durable, and not before', async () => {
    const promise = log().append(appends(anEvent({ received: T0 + 5 })))
    expect(log().head().position).toBe(0)
    expect(await collect(log().readStream('deal-1'))).toEqual([])
    const place = appended((await promise)[0])
    expect(log().head()).toEqual({ position: place.position, received: T0 + 5 })
    expect(await positions(log())).toEqual([place.position])
  })

  it('keeps the order of concurrent appends', async () => {
    const batches = await Promise.all(
      Array.from({ length: 50 }, () => log().append(appends(anEvent(), anEvent()))),
    )
    const places = batches.flat().map(appended)
    expect(places.map((place) => place.revision)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(await positions(log())).toEqual(places.map((place) => place.position))
  })

  it('refuses a too large event alone, among good ones', async () => {
    const large = anEvent({ data: { text: 'x'.repeat(1024 * 1024) } })
    const results = await log().append(appends(anEvent(), large, anEvent()))
    const failed = failure(results[1])
    expect(failed).toMatchObject({ _tag: 'EventTooLarge', limitBytes: 1024 * 1024 })
    expect(failed._tag === 'EventTooLarge' && failed.sizeBytes).toBeGreaterThan(1024 * 1024)
    expect([results[0], results[2]].map(appended).map((place) => place.revision)).toEqual([0, 1])
    expect(await positions(log())).toHaveLength(2)
  })

  it('throws on a received that decreases, and goes on', async () => {
    await log().append(appends(anEvent({ received: T0 + 10 })))
    await expect(log().append(appends(anEvent({ received: T0 + 9 })))).rejects.toThrow(/received/)
    await expect(
      log().append(appends(anEvent({ received: T0 + 12 }), anEvent({ received: T0 + 11 }))),
    ).rejects.toThrow(/received/)
    const results = await log().append(appends(anEvent({ received: T0 + 10 })))
    expect(appended(results[0]).revision).toBe(1)
  })

  it.each([
    ['an undefined element', [undefined]],
    ['a bigint', 1n],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['a lone surrogate', 'x\ud800'],
    ['a __proto__ key', JSON.parse('{"__proto__": 1}')],
  ])('throws on data that is not plain: %s', async (_, value) => {
    await expect(log().append(appends(anEvent({ data: { value } })))).rejects.toThrow()
    await expect(log().append(appends(anEvent({ data: value as NewEvent['data'] })))).rejects.toThrow()
    const results = await log().append(appends(anEvent()))
    expect(appended(results[0])).toMatchObject({ revision: 0 })
    expect(await positions(log())).toHaveLength(1)
  })
}

function throwingContract(log: () => Log): void {
  const NOT_PLAIN = [
    ['a lone surrogate', anEvent({ data: { text: 'x\ud800' } })],
    ['an undefined element', anEvent({ data: { list: [undefined] } })],
  ] as const

  it.each(NOT_PLAIN)('leave nothing of their other events: %s', async (_, bad) => {
    const user = { id: identityId(1), namespace: 'user' }
    const before = anEvent({ stream: 'a-1' })
    const lost = [
      anEvent({ stream: 'a-1', received: T0 + 9, identities: [user] }),
      anEvent({ stream: 'new-1', received: T0 + 9 }),
    ]
    const first = log().append(appends(before))
    const thrown = log().append(appends(...lost, { ...bad, received: T0 + 9 }, anEvent({ received: T0 + 9 })))
    expect(log().streamHead('a-1')).toEqual({ position: 1, revision: 0 })
    expect(log().streamHead('new-1')).toBeUndefined()
    const after = anEvent({ stream: 'a-1', received: T0 + 1 })
    const second = log().append([{ event: after, expected: { revision: 0 } }])
    await expect(thrown).rejects.toThrow()
    expect((await first).map(appended)).toEqual([{ position: 1, revision: 0 }])
    expect((await second).map(appended)).toEqual([{ position: 2, revision: 1 }])
    expect(log().head()).toEqual({ position: 2, received: T0 + 1 })
    expect((await collect(log().read())).map((event) => event.id)).toEqual([before.id, after.id])
    expect(await collect(log().readStream('new-1'))).toEqual([])
    expect(await collect(log().readIdentity(user.id))).toEqual([])
  })

  it.each([false, true])('alike when they are large (atomic: %s)', async (atomic) => {
    const large = () => anEvent({ stream: 'a-1', received: T0 + 9, data: { text: 'x'.repeat(900_000) } })
    const sealed = [{ keyId: identityId(7), blob: new Uint8Array([1, 2]) }]
    const data = { list: [-0, 0.5, null], nested: { a: 'b' } }
    const durable = anEvent({ stream: 'a-1' })
    await log().append(appends(durable))
    const kept = [
      anEvent({ stream: 'a-1', received: T0 + 1, data: structuredClone(data), normalised: { 'd.e': 1 } }),
      anEvent({ stream: 'b-1', received: T0 + 2, sealed, actor: 'x', sequence: 3, type: 'deal.won' }),
    ]
    const [one] = kept
    const first = log().append(appends(...kept))
    Object.assign(one?.data.nested ?? {}, { a: 'changed since' })
    const thrown = log().append(appends(large(), large(), large(), NOT_PLAIN[0][1]), { atomic })
    const received = { received: T0 + 9 }
    const late = log().append(appends(...[large(), large(), large()], { ...NOT_PLAIN[1][1], ...received }))
    const after = anEvent({ stream: 'a-1', received: T0 + 2 })
    const second = log().append(appends(after))
    await expect(thrown).rejects.toThrow()
    await expect(late).rejects.toThrow()
    const places = [...(await first), ...(await second)].map(appended)
    expect(places.map((place) => place.position)).toEqual([2, 3, 4])
    expect(places.map((place) => place.revision)).toEqual([1, 0, 2])
    const stored = [{ ...kept[0], data }, kept[1], after].map((event, i) => ({ ...event, ...places[i] }))
    expect(await collect(log().read({ from: 2 }))).toStrictEqual(stored)
    expect((await collect(log().readStream('a-1'))).map((event) => event.position)).toEqual([1, 2, 4])
    expect((await log().append(appends(large()))).map(appended)).toEqual([{ position: 5, revision: 3 }])
  })
}

function atomicContract(log: () => Log): void {
  it('appends all', async () => {
    const results = await log().append(appends(anEvent(), anEvent()), { atomic: true })
    expect(results.map(appended).map((place) => place.revision)).toEqual([0, 1])
  })

  it('or none, and all answer with the first failure', async () => {
    const results = await log().append(
      [
        { event: anEvent({ stream: 'a-1' }) },
        { event: anEvent({ stream: 'b-1' }), expected: { revision: 7 } },
        { event: anEvent({ stream: 'c-1' }), expected: { revision: 9 } },
      ],
      { atomic: true },
    )
    const first = { _tag: 'WrongExpected', stream: 'b-1', actualRevision: -1, actualPosition: 0 }
    expect(results.map(failure)).toEqual([first, first, first])
    expect(log().streamHead('a-1')).toBeUndefined()
    expect(await positions(log())).toEqual([])
  })

  it('none when one is too large, and the places are free again', async () => {
    const large = anEvent({ data: { text: 'x'.repeat(2 * 1024 * 1024) } })
    const both = Promise.all([
      log().append(appends(anEvent())),
      log().append(appends(anEvent(), large), { atomic: true }),
      log().append(appends(anEvent())),
    ])
    const [before, failed, after] = await both
    expect(failed.map(failure).map((each) => each._tag)).toEqual(['EventTooLarge', 'EventTooLarge'])
    expect([...before, ...after].map(appended).map((place) => place.revision)).toEqual([0, 1])
    expect(await positions(log())).toHaveLength(2)
  })

  it('none when the batch is too large as a whole, though it is taken event by event', async () => {
    const batch = Array.from({ length: 9 }, () => anEvent({ data: { text: 'x'.repeat(1_000_000) } }))
    const results = await log().append(appends(...batch), { atomic: true })
    const limitBytes = 8 * 1024 * 1024
    for (const result of results) expect(failure(result)).toMatchObject({ _tag: 'EventTooLarge', limitBytes })
    expect(log().head().position).toBe(0)
    expect((await log().append(appends(...batch))).map(appended).at(-1)?.revision).toBe(8)
    expect(await positions(log())).toHaveLength(9)
  })

  it('sees the batch itself in its expectations', async () => {
    const expecting = (revision: number) => ({ event: anEvent(), expected: { revision } })
    const results = await log().append([expecting(-1), expecting(0), expecting(1)], { atomic: true })
    expect(results.map(appended).map((place) => place.revision)).toEqual([0, 1, 2])
  })
}

function expectationContract(log: () => Log): void {
  it('compares the revision, -1 standing for no stream', async () => {
    const expecting = async (revision: number) =>
      (await log().append([{ event: anEvent(), expected: { revision } }]))[0]
    expect(failure(await expecting(0))).toMatchObject({ actualRevision: -1, actualPosition: 0 })
    expect(appended(await expecting(-1)).revision).toBe(0)
    const wrong = failure(await expecting(-1))
    expect(wrong).toEqual({ _tag: 'WrongExpected', stream: 'deal-1', actualRevision: 0, actualPosition: 1 })
    expect(appended(await expecting(0)).revision).toBe(1)
  })

  it('compares the position, 0 standing for no stream', async () => {
    const expecting = async (position: number) =>
      (await log().append([{ event: anEvent(), expected: { position } }]))[0]
    expect(failure(await expecting(1))).toMatchObject({ actualRevision: -1, actualPosition: 0 })
    const first = appended(await expecting(0))
    await log().append(appends(anEvent({ stream: 'other-1' })))
    expect(failure(await expecting(0))).toMatchObject({ actualPosition: first.position, actualRevision: 0 })
    expect(appended(await expecting(first.position)).revision).toBe(1)
  })

  it('checks against what is under way', async () => {
    const expecting = (revision: number) => log().append([{ event: anEvent(), expected: { revision } }])
    const both = Promise.all([expecting(-1), expecting(-1), expecting(0)])
    expect(log().streamHead('deal-1')).toMatchObject({ revision: 1 })
    const [first, second, third] = await both
    expect(appended(first[0]).revision).toBe(0)
    expect(failure(second[0])._tag).toBe('WrongExpected')
    expect(appended(third[0]).revision).toBe(1)
  })

  it('fails one event of a batch and none of its neighbours', async () => {
    const results = await log().append([
      { event: anEvent({ stream: 'a-1' }) },
      { event: anEvent({ stream: 'a-1' }), expected: { revision: -1 } },
      { event: anEvent({ stream: 'a-1' }), expected: { revision: 0 } },
    ])
    expect(results.map(E.isRight)).toEqual([true, false, true])
    expect(appended(results[2]).revision).toBe(1)
  })
}

function readingContract(log: () => Log): void {
  const types = ['deal.created', 'deal.won', 'deal.lost']
  async function fill(count: number): Promise<number[]> {
    const results: Result[] = []
    for (let i = 0; i < count; i += 7) {
      const batch = Array.from({ length: Math.min(7, count - i) }, (_, j) =>
        anEvent({ type: types[(i + j) % 3] ?? '' }),
      )
      results.push(...(await log().append(appends(...batch))))
    }
    return results.map(appended).map((place) => place.position)
  }

  it('reads forwards from any position, with a limit', async () => {
    const all = await fill(30)
    for (const from of [undefined, -3, 0, 1, 2, 8, 15, 30]) {
      const expected = all.filter((position) => position >= (from ?? 1))
      expect(await positions(log(), { from })).toEqual(expected)
      expect(await positions(log(), { from, limit: 5 })).toEqual(expected.slice(0, 5))
    }
    expect(await positions(log(), { from: (all.at(-1) ?? 0) + 1 })).toEqual([])
    expect(await positions(log(), { limit: 0 })).toEqual([])
  })

  it('reads backwards from any position, with a limit', async () => {
    const all = await fill(30)
    for (const from of [undefined, 1, 2, 8, 15, 30, 99]) {
      const expected = all.filter((position) => position <= (from ?? 99)).reverse()
      const read = async (limit?: number) =>
        (await collect(log().readBackwards({ from, limit }))).map((event) => event.position)
      expect(await read()).toEqual(expected)
      expect(await read(4)).toEqual(expected.slice(0, 4))
    }
    expect(await collect(log().readBackwards({ from: 0 }))).toEqual([])
    expect(await collect(log().readBackwards({ limit: 0 }))).toEqual([])
  })

  it('reads some types only, in both directions', async () => {
    const all = await fill(30)
    const wanted = new Set(['deal.won', 'unheard.of'])
    const expected = all.filter((_, i) => i % 3 === 1)
    expect(await positions(log(), { types: wanted })).toEqual(expected)
    expect(await positions(log(), { types: wanted, from: 9, limit: 3 })).toEqual(
      expected.filter((position) => position >= 9).slice(0, 3),
    )
    const back = await collect(log().readBackwards({ types: wanted, limit: 3 }))
    expect(back.map((event) => event.position)).toEqual(expected.reverse().slice(0, 3))
    expect(await positions(log(), { types: new Set(['unheard.of']) })).toEqual([])
    expect(await positions(log(), { types: new Set() })).toEqual([])
  })

  it('finds the event at a position', async () => {
    const all = await fill(10)
    for (const position of all) expect((await log().at(position))?.position).toBe(position)
    for (const position of [-1, 0, 11, 1e6]) expect(await log().at(position)).toBeUndefined()
  })
}

function indexContract(log: () => Log): void {
  it('reads a stream, in both directions, from a position, with a limit', async () => {
    for (let i = 0; i < 6; i++) {
      await log().append(appends(anEvent({ stream: 'a-1' }), anEvent({ stream: 'b-1' })))
    }
    const read = async (options: Parameters<Log['readStream']>[1]) =>
      (await collect(log().readStream('a-1', options))).map((event) => event.position)
    expect(await read({})).toEqual([1, 3, 5, 7, 9, 11])
    expect(await read({ from: 4, limit: 2 })).toEqual([5, 7])
    expect(await read({ direction: 'backwards' })).toEqual([11, 9, 7, 5, 3, 1])
    expect(await read({ direction: 'backwards', from: 6, limit: 2 })).toEqual([5, 3])
    expect(await read({ from: 12 })).toEqual([])
    expect(await collect(log().readStream('none-1'))).toEqual([])
    expect(log().streamHead('a-1')).toEqual({ position: 11, revision: 5 })
    const revisions = (await collect(log().readStream('a-1'))).map((event) => event.revision)
    expect(revisions).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('reads by identity, leading or not, each event once', async () => {
    const one = { id: identityId(1), namespace: 'user' }
    const two = { id: identityId(2), namespace: 'email' }
    await log().append(
      appends(
        anEvent({ identities: [one] }),
        anEvent({ identities: [two, one] }),
        anEvent({ identities: [two] }),
        anEvent({ identities: [one, two, { ...one, namespace: 'contact' }] }),
      ),
    )
    const read = async (id: string, options: Parameters<Log['readIdentity']>[1] = {}) =>
      (await collect(log().readIdentity(id, options))).map((event) => event.position)
    expect(await read(one.id)).toEqual([1, 2, 4])
    expect(await read(two.id)).toEqual([2, 3, 4])
    expect(await read(one.id, { direction: 'backwards', limit: 2 })).toEqual([4, 2])
    expect(await read(one.id, { from: 2 })).toEqual([2, 4])
    expect(await read(identityId(3))).toEqual([])
  })
}

function idContract(log: () => Log): void {
  /** After comparison with the log, as callers do. */
  const places = async (source: string, id: string): Promise<number[]> => {
    const found: number[] = []
    for (const position of log().idCandidates(source, id)) {
      const event = await log().at(position)
      if (event?.source === source && event.id === id) found.push(position)
    }
    return found.sort((a, b) => a - b)
  }

  it('tells the positions of an id of a source, in small and large logs', async () => {
    const ids = ['a', 'b', 'é', '', 'a b', '__proto__', 'x'.repeat(3_000)]
    for (const [round, source] of ['crm', 'web', 'crma'].entries()) {
      for (const id of ids) await log().append(appends(anEvent({ id, source, data: { round } })))
      await log().append(
        appends(...Array.from({ length: 200 }, () => anEvent({ data: { text: 'x'.repeat(99) } }))),
      )
    }
    const events = await collect(log().read())
    for (const { id, source, position } of events) expect(await places(source, id)).toEqual([position])
    expect(await places('crm', 'c')).toEqual([])
    expect(await places('cr', 'ma')).toEqual([])
  })

  it('tells all positions where an id was appended more than once', async () => {
    await log().append(appends(anEvent({ id: 'a' }), anEvent(), anEvent({ id: 'a' })))
    await log().append(appends(anEvent({ id: 'a' }), anEvent({ id: 'a', source: 'web' })))
    expect(await places('crm', 'a')).toEqual([1, 3, 4])
    expect(await places('web', 'a')).toEqual([5])
  })

  it('knows an id when its event is durable, and never one that was not appended', async () => {
    const appending = log().append([
      { event: anEvent({ id: 'soon' }) },
      { event: anEvent({ id: 'refused' }), expected: { revision: 7 } },
    ])
    expect(await places('crm', 'soon')).toEqual([])
    await appending
    expect(await places('crm', 'soon')).toEqual([1])
    expect(await places('crm', 'refused')).toEqual([])
  })
}

function roundTripContract(log: () => Log): void {
  async function roundTrip(event: ReturnType<typeof anEvent>) {
    const place = appended((await log().append(appends(event)))[0])
    const back = await log().at(place.position)
    if (back === undefined) throw new Error('no event')
    expect(present(back)).toStrictEqual({ ...event, ...place })
  }

  it('every field of the envelope', () =>
    roundTrip(
      anEvent({
        stream: 'opportunity-0061',
        type: 'Deal Reopened',
        schema: 3,
        time: -5,
        received: T0 + 1,
        sequence: 12,
        identities: [
          { id: identityId(1), namespace: 'user' },
          { id: 'f'.repeat(32), namespace: 'domain' },
        ],
        actor: 'steward-1',
        origin: 'erp',
        causation: 'c-1',
        correlation: 'k-1',
        basedOn: 17,
        originalTime: T0 - 77,
        sentTime: T0 - 7,
        normaliser: 4,
      }),
    ))

  it('absent, zero and blank in the envelope as three different things', async () => {
    await roundTrip(anEvent())
    await roundTrip(anEvent({ sequence: 0, basedOn: 0, originalTime: 0, sentTime: 0 }))
    await roundTrip(anEvent({ actor: '', origin: '', causation: '', correlation: '' }))
    await log().append(
      appends(
        anEvent({ sequence: 3, actor: 'x' }),
        anEvent(),
        anEvent({ sequence: 0, actor: '', causation: '' }),
      ),
    )
    const mixed = (await collect(log().read())).slice(3)
    expect(mixed.map((event) => event.sequence)).toEqual([3, undefined, 0])
    expect(mixed.map((event) => event.actor)).toEqual(['x', undefined, ''])
    expect(mixed.map((event) => event.causation)).toEqual([undefined, undefined, ''])
  })

  it('absent, null and blank in the data as three different things', async () => {
    await roundTrip(anEvent({ data: { a: null, b: '', d: { e: null, f: '' } }, normalised: { 'd.e': null } }))
    await roundTrip(anEvent({ data: {} }))
    const place = appended((await log().append(appends(anEvent({ data: { a: undefined, b: 1 } }))))[0])
    expect((await log().at(place.position))?.data).toStrictEqual({ b: 1 })
  })

  it('numbers exactly', () =>
    roundTrip(
      anEvent({
        data: {
          integers: [0, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -1, -32, -33],
          negative: [-128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53) + 1],
          large: [2 ** 53, 2 ** 60, 2 ** 64, 1e300],
          fractions: [0.1, -0.5, 1e-300, -0],
        },
      }),
    ))

  it('strings of every length and script', () =>
    roundTrip(
      anEvent({
        id: '事件-ü-🙂',
        data: {
          lengths: [0, 1, 31, 32, 255, 256, 65535, 65536].map((length) => 'x'.repeat(length)),
          scripts: ['ü'.repeat(20), '漢'.repeat(300), '🙂'.repeat(20000), '\u0000', 'e\u0301'],
          'kéy 🙂': 1,
        },
      }),
    ))

  it('sealed parts', () =>
    roundTrip(
      anEvent({
        data: {},
        sealed: [
          { keyId: 'ab'.repeat(16), blob: new Uint8Array([0, 255, 1]) },
          { keyId: identityId(9), blob: new Uint8Array(70_000).fill(7) },
        ],
      }),
    ))

  it('a payload just below the limit', () => roundTrip(anEvent({ data: { text: 'ü'.repeat(500_000) } })))

  it('and nothing that happens outside afterwards', async () => {
    const data = { list: [1], nested: { a: 'b' } }
    const blob = new Uint8Array([1, 2])
    const identities = [{ id: identityId(1), namespace: 'user' }]
    await log().append(appends(anEvent({ data, identities, sealed: [{ keyId: identityId(1), blob }] })))
    data.list.push(2)
    data.nested.a = 'c'
    blob[0] = 9
    identities.pop()
    for (let again = 0; again < 2; again++) {
      const read = await log().at(1)
      expect(read?.data).toEqual({ list: [1], nested: { a: 'b' } })
      expect(read?.sealed[0]?.blob).toEqual(new Uint8Array([1, 2]))
      expect(read?.identities).toHaveLength(1)
      read?.sealed[0]?.blob.fill(0)
      Object.assign(read?.data ?? {}, { list: 'changed' })
    }
  })

  it('as JSON too', async () => {
    await log().append(appends(anEvent({ data: { a: 1 } })))
    expect(JSON.parse(JSON.stringify(await log().at(1)))).toMatchObject({ data: { a: 1 }, position: 1 })
  })
}

function subscriptionContract(log: () => Log): void {
  /** Collects positions until there are `count`, then aborts. */
  async function subscribed(count: number, options: { from?: number; types?: ReadonlySet<string> } = {}) {
    const abort = new AbortController()
    const seen: number[] = []
    for await (const batch of log().subscribe({ ...options, signal: abort.signal })) {
      for (const event of batch) seen.push(event.position)
      if (seen.length >= count) abort.abort()
    }
    return seen
  }

  it('catches up, then goes on live', async () => {
    await log().append(appends(anEvent(), anEvent(), anEvent()))
    const seen = subscribed(6, { from: 2 })
    for (let i = 0; i < 4; i++) await log().append(appends(anEvent()))
    expect(await seen).toEqual([2, 3, 4, 5, 6, 7])
  })

  it('waits for a position that is still to come', async () => {
    await log().append(appends(anEvent()))
    const seen = subscribed(2, { from: 3 })
    for (let i = 0; i < 3; i++) await log().append(appends(anEvent()))
    expect(await seen).toEqual([3, 4])
  })

  it('delivers some types only', async () => {
    const seen = subscribed(2, { types: new Set(['deal.won']) })
    for (const type of ['deal.created', 'deal.won', 'deal.created', 'deal.won']) {
      await log().append(appends(anEvent({ type })))
    }
    expect(await seen).toEqual([2, 4])
  })

  it('leaves no gap and repeats nothing beside concurrent appends', async () => {
    const count = 600
    const subscribers = Array.from({ length: 3 }, (_, i) => subscribed(count - i * 10, { from: 1 + i * 10 }))
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let i = 0; i < count / 4; i += 3) {
        const stream = `w-${writer}`
        await log().append(appends(anEvent({ stream }), anEvent({ stream }), anEvent({ stream })))
      }
    })
    await Promise.all(writers)
    const all = await positions(log())
    expect(all).toHaveLength(count)
    const seen = await Promise.all(subscribers)
    seen.forEach((each, i) => {
      expect(each).toEqual(all.slice(i * 10))
    })
  })

  it('ends on abort, at once when it was aborted before', async () => {
    const abort = new AbortController()
    const ended = collect(log().subscribe({ signal: abort.signal }))
    await Promise.resolve()
    abort.abort()
    expect(await ended).toEqual([])
    await log().append(appends(anEvent()))
    expect(await collect(log().subscribe({ signal: AbortSignal.abort() }))).toEqual([])
  })
}

function closingContract(log: () => Log): void {
  it('waits for what is under way, ends subscriptions, and refuses what comes later', async () => {
    const subscription = collect(log().subscribe({ signal: new AbortController().signal }))
    const underWay = log().append(appends(anEvent()))
    const closed = log().close()
    const late = log().append(appends(anEvent()))
    expect(appended((await underWay)[0])).toEqual({ position: 1, revision: 0 })
    expect(failure((await late)[0])).toEqual({ _tag: 'LogClosed' })
    await closed
    await subscription
    expect(() => log().read()).toThrow(/closed/)
    expect(() => log().head()).toThrow(/closed/)
    await expect(log().at(1)).rejects.toThrow(/closed/)
    await log().close()
  })
}
