/**
 * Theorem: whatever value of an identity is put into whatever property or attribute of whatever event, the log doesn't hold
 * it in clear: it is sealed, an identity's id stands in its place, or the event is refused for that reason. What is taken
 * comes back as it was sent; without its keys it is valid still, and touches the same rows of every read model.
 */
import fc from 'fast-check'
import type * as t from 'io-ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { propertyCodecs } from '../../engine/events/personal.ts'
import { registry } from '../../engine/events/registry.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import type { Opener } from '../../engine/privacy/privacy.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import { projections } from '../../projections/catalog.ts'
import { definitions } from '../projections/defined.ts'
import { configuration } from '../projections/given.ts'
import { arbitraryData, arbitraryOf } from '../support/arbitrary.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'

/** Whom every event names. */
const IDENTITIES = ['lead:lead-of-jane', 'email:jane.doe@example.com', 'phone:+44 20 7946 0018']

/** What may be taken for no other's, however it is written, and whoever the event is about. */
const ADDRESSES = [
  'jane.doe@example.com',
  'email:Jane.Doe@Example.com',
  'signup-jane.doe%40example.com',
  'for jane.doe＠example.com, by hand',
  '+442079460018',
  'ring +44 (20) 7946-0018 at noon',
  // As copied from a page: with invisible characters, and the dashes of typographers.
  'jane\u00ad.doe@\u200bexample\u200b.com',
  '+\u206044\u201120\u20117946\u20130018',
  '+44  20 / 7946 · 0018',
]
/** What is one where the event names that person. */
const OWN = ['lead:lead-of-jane', '020 7946 0018', '442079460018']
const NEEDLE = /jane|7946\W*0018/i

const all = registry.types.map((type) => {
  const definition = registry.find(type)
  if (definition === undefined) throw new Error(`${type} is listed and not found`)
  return [type, definition] as const
})

const DEFINED = configuration(...definitions)
const views = projections.map((each) => projectionUnder(each, DEFINED))
const NO_KEYS: Opener = { open: () => undefined }

let world: IntakeWorld
beforeEach(() => {
  world = intakeWorld()
})
afterEach(() => world.close())

interface Planted {
  readonly what: string
  /** Of the data, where it was put. */
  readonly name?: string
  readonly event: Readonly<Record<string, unknown>>
}

/** Every shape that the codec lets hold this text: itself, or somewhere within what it takes. */
function holding(codec: t.Mixed, text: string): readonly unknown[] {
  const plain = [text, [text], { x: text }, { [text]: 1 }, [{ x: { y: [text] } }]]
  const samples = fc
    .sample(arbitraryOf(codec), { numRuns: 1, seed: 11 })
    .flatMap((each) => within(each, text))
  return [...plain, ...samples].filter((each) => codec.is(each))
}

/** The value with the text in the place of each of its leaves, and as the name of one more. */
function within(value: unknown, text: string): readonly unknown[] {
  if (Array.isArray(value))
    return value.flatMap((each, at) => within(each, text).map((other) => value.with(at, other)))
  if (typeof value !== 'object' || value === null) return [text]
  const others = Object.entries(value).flatMap(([name, each]) =>
    within(each, text).map((other) => ({ ...value, [name]: other })),
  )
  return [...others, { ...value, [text]: 1 }]
}

let next = 0

function planted(texts: readonly string[], identities: readonly string[]): readonly Planted[] {
  return all.flatMap(([type, definition]) => {
    const [base = {}] = fc.sample(arbitraryData(definition), { numRuns: 1, seed: 5 })
    return [...propertyCodecs(definition.codec)].flatMap(({ name, codec }) => {
      const text = texts[next++ % texts.length] ?? ''
      // As a decision has them: a view of records, whose keys anything may be.
      const about = 'steward' in base ? { view: 'opportunity', field: 'amount' } : {}
      return holding(codec, text).map((value) => ({
        what: `${type} ${name} ${JSON.stringify(value)}`,
        name,
        event: {
          ...{ id: `e${next++}`, source: 'crm', type, identities },
          data: { ...base, ...about, [name]: value },
        },
      }))
    })
  })
}

async function recorded(): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const batch of world.log.read()) events.push(...batch)
  return events
}

async function sendAll(of: readonly Planted[]): Promise<readonly IntakeResult[]> {
  const results: IntakeResult[] = []
  for (let at = 0; at < of.length; at += 500)
    results.push(...(await world.send(...of.slice(at, at + 500).map(({ event }) => event))))
  return results
}

/** Everything of the event but ciphertext, where ids of identities are made at random. */
function clearOf(event: RecordedEvent): string {
  // Data is read when asked for: a spread wouldn't.
  const text = JSON.stringify({ ...event, sealed: [], data: event.data, normalised: event.normalised })
  return text.replaceAll(/(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])/g, 'id')
}

function keysOf(projection: AnyProjection, event: DecodedEvent): readonly string[] | 'unfoldable' {
  try {
    return [...projection.keys(event)].sort()
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError)
    return 'unfoldable'
  }
}

const REASONS = ['personal_in_clear', 'reserved_type', 'invalid_data']

describe.each([
  ['about somebody else', ADDRESSES, []],
  ['about that person', [...ADDRESSES, ...OWN], IDENTITIES],
])('in an event %s', (_, texts, identities) => {
  test('no property holds it in clear', { timeout: 60_000 }, async () => {
    const sent = planted(texts, identities)
    const results = await sendAll(sent)
    const taken = results.filter(({ status }) => status === 'appended').length
    const refused = results.filter((each) => each.status === 'quarantined')
    expect(sent.length).toBeGreaterThan(1_500)
    expect(taken).toBeGreaterThan(1_000)
    expect(refused.filter(({ reason }) => reason === 'personal_in_clear').length).toBeGreaterThan(300)
    for (const { reason, message } of refused) {
      expect(REASONS).toContain(reason)
      expect(message).not.toMatch(NEEDLE)
    }
    expect(taken + refused.length).toBe(sent.length)
    const byId = new Map(sent.map((each) => [each.event['id'], each]))
    for (const event of await recorded()) {
      const of = byId.get(event.id)
      expect(clearOf(event), of?.what ?? event.type).not.toMatch(NEEDLE)
      if (of === undefined) continue
      const definition = registry.find(event.type)
      const whole = openEvent(event, world.keyStore, registry)
      const bare = openEvent(event, NO_KEYS, registry)
      expect(whole.data, of.what).toEqual(of.event['data'])
      expect(definition?.codec.is(bare.data), of.what).toBe(true)
      if (Object.hasOwn(bare.data, of.name ?? '')) continue
      for (const view of views) {
        if (view.handles === 'every' || !view.handles.includes(event.type)) continue
        expect(keysOf(view, bare), `${view.name}: ${of.what}`).toEqual(keysOf(view, whole))
      }
    }
  })

  test('no attribute of the envelope does', async () => {
    const attributes = [
      'id',
      'source',
      'type',
      'subject',
      'actor',
      'origin',
      'causation',
      'correlation',
      'other',
    ]
    const sent = attributes.flatMap((name) =>
      texts.flatMap((text) =>
        ['cdp.page', 'case.opened', 'made.up'].map((type) => {
          const base = { id: `e${next++}`, source: 'crm', type, identities, data: { case_id: 'c1' } }
          return { what: `${name} ${text}`, event: { ...base, [name]: text } }
        }),
      ),
    )
    const results = await sendAll(sent)
    for (const [at, result] of results.entries()) {
      const what = sent[at]?.what ?? ''
      const isKept = /^(id|source|type)/.test(what)
      const expected = isKept ? [result.status, 'quarantined'] : [result.status, 'appended']
      expect(expected[0], what).toBe(expected[1])
      if (result.status === 'quarantined')
        expect(['personal_in_clear', 'invalid_envelope']).toContain(result.reason)
    }
    for (const event of await recorded()) expect(clearOf(event)).not.toMatch(NEEDLE)
  })
})

describe('a decision', () => {
  const decided = async (data: Readonly<Record<string, unknown>>, identities: readonly string[] = []) => {
    const event = { id: `d${next++}`, source: 'crm', type: 'field.locked', identities }
    const [result] = await world.send({ ...event, data: { field: 'owner', steward: 'kim', ...data } })
    return result?.status === 'quarantined' ? result.reason : result?.status
  }

  test.each([
    ['a person’s view', 'lead', 'lead-of-jane', []],
    ['the golden record', 'profile', 'email:jane.doe@example.com', []],
    ['a record that is called as its customer is', 'case', 'Lead-of-Jane', IDENTITIES],
    ['an object’s record', 'visit', 'visit:jane.doe@example.com', []],
    ['an object’s record that is called as its customer is', 'visit', 'visit:lead-of-jane', IDENTITIES],
    ['no view', null, 'lead-of-jane', IDENTITIES],
  ])('about %s isn’t taken by somebody’s name', async (_, view, key, identities) => {
    expect(await decided({ view, key }, identities)).toBe('personal_in_clear')
    for (const event of await recorded()) expect(clearOf(event)).not.toMatch(NEEDLE)
  })

  test('is taken by an id that names nobody', async () => {
    expect(await decided({ view: 'lead', key: '0'.repeat(32) })).toBe('appended')
    expect(await decided({ view: 'case', key: 'C-7' }, IDENTITIES)).toBe('appended')
    expect(await decided({ view: 'visit', key: 'visit:7' }, IDENTITIES)).toBe('appended')
    expect(await decided({}, IDENTITIES)).toBe('appended')
  })
})

test('who works a deal may be known by an address: it is sealed, and goes with the customer', async () => {
  const data = { opportunity_id: 'O1', owner: 'anna@acme.example.com', stage: 'won @ last' }
  await world.send({ id: '1', source: 'crm', type: 'opportunity.created', identities: ['contact:c'], data })
  const [stored] = await recorded()
  expect(stored?.data).toEqual({ opportunity_id: 'O1', stage: 'won @ last' })
  expect((await world.events())[0]?.data).toEqual(data)
  await world.keyStore.destroyOwner([stored?.identities[0]?.id ?? ''])
  expect((await world.events())[0]?.data).toEqual({ opportunity_id: 'O1', stage: 'won @ last' })
})

test('what names nobody stays as it is', async () => {
  const texts = ['logo@2x.png', 'lib@1.2.3', '50% off', '+1', '2026-03-01T12:00:00+05:30', '@home', 'u1']
  const events = texts.map((text, at) => ({
    id: `t${at}`,
    source: 'https://crm.example.com/a%20b+c',
    type: 'Product Viewed',
    identities: ['user:u1', 'phone:+44 20 7946 0018'],
    actor: text,
    data: { product_id: text, name: text, price: '+12345678.50' },
  }))
  expect(new Set((await world.send(...events)).map(({ status }) => status))).toEqual(new Set(['appended']))
  const stored = (await recorded()).map(({ actor, data }) => [actor, data['product_id'], data['name']])
  expect(stored).toEqual(texts.map((text) => [text, text, text]))
})

test('whoever was erased isn’t collected again where only such a text names them', async () => {
  const jane = { namespace: 'email', value: 'jane.doe@example.com' }
  await world.keyStore.destroyOwner([world.keyStore.identify(jane)])
  const texts = {
    actor: { actor: 'email:jane.doe@example.com' },
    owner: { data: { owner: 'jane.doe@example.com' } },
  }
  for (const [id, more] of Object.entries(texts)) {
    const event = { id, source: 'crm', type: 'case.opened', data: {}, ...more }
    const [result] = await world.send({ ...event, data: { case_id: 'c', ...event.data } })
    expect(result).toMatchObject({ status: 'quarantined', reason: 'suppressed' })
  }
  expect(world.keyStore.suppressed(jane)).toBe(true)
})

test('a stream that is named beforehand may hold no address anywhere in its name', async () => {
  const value = { id: '1', source: 'crm', type: 'made.up', data: {} }
  const [result] = await world.intake.submit([{ value, stream: 'order-of-jane.doe@example.com-7' }], {
    defaultSource: 'crm',
  })
  expect(result).toMatchObject({ status: 'quarantined', reason: 'invalid_envelope' })
})
