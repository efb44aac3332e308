/**
 * Theorem: with the write key alone nobody decides anything, whichever way over HTTP an event takes and whatever stands beside
 * it in its batch; such an event is answered `forbidden`, leaves nothing behind, and hurts no neighbour. Whoever hands in
 * the read token too may send it. What reports is taken from everybody who may write.
 */
import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { GUARDED_TYPES, isGuarded } from '../../engine/events/guarded.ts'
import { registry, SPEC_NAMES } from '../../engine/events/registry.ts'
import type { World } from './world.ts'
import { AS_READER, AS_WRITER, createWorld, WRITE_KEY } from './world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
beforeEach(() => {
  world.intake.submitted.length = 0
})
afterAll(() => world.close())

const AS_ADMIN = { ...AS_READER, 'headwater-write-key': WRITE_KEY }
const guarded = [...GUARDED_TYPES]
/** What a page, a shop and people themselves say. */
const REPORTS = [
  'cdp.identify',
  'cdp.page',
  'Order Completed',
  'consent.granted',
  'privacy.requested',
  'my.own',
]

const post = (url: string, payload: unknown, headers: Readonly<Record<string, string>> = AS_WRITER) =>
  world.app.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', ...headers },
    payload: JSON.stringify(payload),
  })

const submitted = () => world.intake.submitted.flat().map((one) => ('value' in one ? one.value : one))

describe('guarded types', () => {
  it('are those that decide, and no others', () => {
    expect(guarded).toEqual(
      expect.arrayContaining(['identity.cut', 'rules.published', 'field.defined', 'field.locked']),
    )
    for (const type of guarded) expect(registry.find(type), type).toBeDefined()
    for (const type of REPORTS) expect(isGuarded({ type }), type).toBe(false)
  })

  it('are no names that a track call could have', () => {
    for (const type of guarded) expect(SPEC_NAMES.has(type), type).toBe(false)
  })

  it('are told from whatever else is sent as an event', () => {
    for (const value of [null, 7, 'identity.cut', ['identity.cut'], {}, { type: ['identity.cut'] }])
      expect(isGuarded(value)).toBe(false)
  })
})

describe('with the write key alone', () => {
  it.each(guarded)('%s is forbidden', async (type) => {
    const answer = await post('/v1/events', { id: '1', source: 'web', type, data: {} })
    expect(answer.statusCode).toBe(403)
    expect(answer.json()).toMatchObject({
      type: 'urn:headwater:problem:forbidden',
      results: [{ status: 'refused', id: '1', refusal: { code: 'forbidden' } }],
    })
    expect(submitted()).toEqual([])
  })

  it('a batch loses what decides, in place, and nothing else', async () => {
    const types = fc.array(fc.constantFrom(...guarded.slice(0, 4), ...REPORTS), {
      minLength: 1,
      maxLength: 12,
    })
    await fc.assert(
      fc.asyncProperty(types, async (sent) => {
        world.intake.submitted.length = 0
        const events = sent.map((type, at) => ({ id: String(at), source: 'web', type, data: {} }))
        const answer = await post('/v1/events', events)
        const allowed = events.filter(({ type }) => !GUARDED_TYPES.has(type))
        expect(submitted()).toEqual(allowed)
        expect(answer.statusCode).toBe(allowed.length === 0 ? 403 : 200)
        const { results } = answer.json() as { results: { status: string; id: string }[] }
        expect(results.map(({ status }) => status)).toEqual(
          sent.map((type) => (GUARDED_TYPES.has(type) ? 'refused' : 'appended')),
        )
        for (const [at, { status, id }] of results.entries())
          if (status === 'refused') expect(id).toBe(String(at))
      }),
      { numRuns: 50 },
    )
  })

  it('binary mode, key in the query and Basic user are no way round', async () => {
    const binary = { 'ce-id': '1', 'ce-source': 'web', 'ce-type': 'identity.cut', 'ce-specversion': '1.0' }
    expect((await post('/v1/events', {}, { ...AS_WRITER, ...binary })).statusCode).toBe(403)
    const event = { id: '1', source: 'web', type: 'field.locked', data: {} }
    expect((await post(`/v1/events?access_token=${WRITE_KEY}`, event, {})).statusCode).toBe(403)
    const authorization = `Basic ${Buffer.from(`${WRITE_KEY}:`).toString('base64')}`
    expect((await post('/v1/events', event, { authorization })).statusCode).toBe(403)
    const twice = { ...AS_WRITER, 'headwater-write-key': WRITE_KEY }
    expect((await post('/v1/events', event, twice)).statusCode).toBe(403)
    expect(submitted()).toEqual([])
  })

  it('trackers can name no such type', async () => {
    await post('/v1/track', { messageId: '1', userId: 'u', event: 'identity.cut', type: 'identity.cut' })
    await post('/v1/batch', { batch: [{ messageId: '2', userId: 'u', type: 'rules.published', event: 'x' }] })
    expect(world.intake.submitted.flat().length).toBe(2)
    for (const value of submitted()) expect(isGuarded(value)).toBe(false)
  })

  it('nothing that was refused is made a decision by correcting it', async () => {
    const decision = { id: '1', source: 'web', type: 'field.locked', data: {} }
    const kept = { bytes: Buffer.from(JSON.stringify(decision)), message: 'too early' }
    world.quarantined.set('q1', kept)
    const url = '/v1/quarantine/q1/resubmit'
    const again = (headers: Record<string, string>) => world.app.inject({ method: 'POST', url, headers })
    expect((await post(url, { event: decision })).statusCode).toBe(403)
    expect((await again(AS_WRITER)).statusCode).toBe(403)
    expect(submitted()).toEqual([])
    expect((await post(url, { event: { ...decision, type: 'cdp.page' } })).statusCode).toBe(200)
    expect((await post(url, { event: decision }, AS_ADMIN)).statusCode).toBe(200)
    expect((await again(AS_ADMIN)).statusCode).toBe(200)
  })
})

describe('with both', () => {
  it.each(guarded)('%s is taken', async (type) => {
    const event = { id: '1', source: 'web', type, data: {} }
    expect((await post('/v1/events', event, AS_ADMIN)).statusCode).toBe(200)
    expect(submitted()).toEqual([event])
  })

  it('a wrong read token beside the write key sends, and decides nothing', async () => {
    const wrong = { authorization: 'Bearer wrong', 'headwater-write-key': WRITE_KEY }
    const event = { id: '1', source: 'web', type: 'cdp.page', data: {} }
    expect((await post('/v1/events', event, wrong)).statusCode).toBe(200)
    expect((await post('/v1/events', { ...event, type: 'identity.cut' }, wrong)).statusCode).toBe(403)
  })

  it('the read token with a wrong write key sends nothing', async () => {
    const wrong = { ...AS_READER, 'headwater-write-key': 'wrong' }
    expect((await post('/v1/events', { id: '1', source: 'web', type: 'cdp.page' }, wrong)).statusCode).toBe(
      403,
    )
    expect(submitted()).toEqual([])
  })
})
