/**
 * Theorem: sealing and opening an event gives back its data as sent; what stays in the clear holds nothing personal;
 * each person's part opens with that person's key alone, in that event alone.
 */
import * as fc from 'fast-check'
import * as t from 'io-ts'
import { beforeEach, describe, expect, test } from 'vitest'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { people, personal } from '../../engine/events/codec.ts'
import type { NewEvent, RecordedEvent } from '../../engine/events/event.ts'
import { createRegistry } from '../../engine/events/registry.ts'
import { createMemoryKeyStore } from '../../engine/privacy/memory-key-store.ts'
import type { ErasingKeyStore } from '../../engine/privacy/privacy.ts'
import { SealBroken, WORKSPACE_OWNER } from '../../engine/privacy/privacy.ts'
import { openEvent, reassemble, sealEvent } from '../../engine/privacy/sealing.ts'

const guests = people(t.partial({ email: t.unknown, contact: t.unknown, name: t.unknown }), [
  'email',
  'email',
])

const meeting: EventDefinition = {
  schema: 2,
  codec: t.partial({
    total: t.unknown,
    place: t.unknown,
    name: personal(t.unknown),
    traits: personal(t.unknown),
    guests,
  }),
  category: 'meeting',
  retention: 'service',
  identities: [],
  normalise: { 'traits.phone': 'phone', total: 'money' },
  upcasters: { 1: ({ venue, ...rest }) => ({ ...rest, place: venue }) },
}
const registry = createRegistry({ 'meeting.held': meeting })
const context = { source: 'web', id: 'e-1', type: 'meeting.held' }

let keys: ErasingKeyStore
let leading: string
beforeEach(() => {
  keys = createMemoryKeyStore()
  leading = keys.identify({ namespace: 'user', value: 'leading' })
})

type Data = Readonly<Record<string, unknown>>

function seal(data: Data, normalised: Data = {}, definition: EventDefinition | undefined = meeting) {
  return sealEvent({ definition, context, data, normalised, leading }, keys)
}

function sealCustom(data: Data, owner = leading) {
  return sealEvent({ definition: undefined, context, data, normalised: {}, leading: owner }, keys)
}

function recorded(parts: Pick<NewEvent, 'data' | 'normalised' | 'sealed'>, schema = 2): RecordedEvent {
  const place = { position: 7, revision: 0, stream: 'meeting-1', time: 1, received: 2 }
  return { ...context, ...place, ...parts, schema, identities: [], normaliser: 1 }
}

function open(parts: Pick<NewEvent, 'data' | 'normalised' | 'sealed'>) {
  return reassemble({ ...context, ...parts }, keys)
}

describe('round trip', () => {
  // MessagePack has no negative zero that is an integer; JSON.stringify drops its sign likewise.
  const json = fc
    .jsonValue({ maxDepth: 3 })
    .map((value) => JSON.stringify(value))
    .filter((text) => !text.includes('__proto__'))
    .map((text): unknown => JSON.parse(text))
  const guest = fc.oneof(
    json,
    fc.record({
      email: fc.constantFrom('a@example.com', ' A@Example.com', 'b@example.com', '', 7, null),
      name: json,
    }),
  )
  const data = fc.record(
    {
      total: json,
      place: json,
      name: json,
      traits: json,
      guests: fc.oneof(fc.array(guest, { maxLength: 5 }), json),
      'unknown to the codec': json,
      constructor: json,
    },
    { requiredKeys: [] },
  )

  test('data and normalised come back as they were, whatever they are', () => {
    fc.assert(
      fc.property(data, fc.boolean(), (sent, isKnown) => {
        const normalised = {
          'traits.phone': '+44',
          total: 1,
          'guests.0.email': 'x',
          'guests.9.email': 'y',
          'odd.one': 2,
        }
        const sealed = sealEvent(
          { definition: isKnown ? meeting : undefined, context, data: sent, normalised, leading },
          keys,
        )
        const opened = open(sealed)
        expect(opened.erased).toBe(0)
        expect(opened.data).toEqual(sent)
        expect(opened.normalised).toEqual(normalised)
      }),
      { numRuns: 300 },
    )
  })

  test('null, blank and absent stay three different things', () => {
    const sent = { name: null, traits: '', guests: null, extra: null }
    expect(open(seal(sent)).data).toEqual(sent)
    expect(Object.keys(open(seal({ name: undefined })).data)).toEqual([])
  })

  test('a property called __proto__ is data and changes no prototype', () => {
    const sent: Data = JSON.parse('{"__proto__": {"total": 1}, "total": 2}')
    const sealed = seal(sent)
    expect(Object.getPrototypeOf(sealed.data)).toBe(Object.prototype)
    expect(Object.getPrototypeOf(open(sealed).data)).toBe(Object.prototype)
    expect(sealed.sealed.length).toBe(1)
  })
})

describe('what stays in the clear', () => {
  test('is what the codec declares and does not mark; the number of people stays too', () => {
    const sent = {
      total: 12,
      name: 'PERSONAL',
      traits: { phone: 'PERSONAL' },
      odd: 'PERSONAL',
      guests: [{ email: 'PERSONAL@example.com' }, 'PERSONAL'],
    }
    const normalised = {
      total: 120_000,
      'traits.phone': 'PERSONAL',
      'guests.0.email': 'PERSONAL',
      'odd.x': 'PERSONAL',
    }
    const sealed = seal(sent, normalised)
    expect(sealed.data).toEqual({ total: 12, guests: [{}, {}] })
    expect(sealed.normalised).toEqual({ total: 120_000 })
    expect(Buffer.concat(sealed.sealed.map((part) => part.blob)).includes('PERSONAL')).toBe(false)
  })

  test('is nothing at all of a custom event', () => {
    const sealed = sealCustom({ a: 1, b: { c: 2 } })
    expect(sealed.data).toEqual({})
    expect(sealed.sealed.length).toBe(1)
    expect(open(sealed).data).toEqual({ a: 1, b: { c: 2 } })
    expect(sealCustom({}).sealed).toEqual([])
  })

  test('is the event itself, without a key being made, where nothing is personal', () => {
    const data = { total: 1 }
    const refuse = () => {
      throw new Error('not needed')
    }
    const untouched = sealEvent(
      { definition: meeting, context, data, normalised: {}, leading },
      { identify: refuse, seal: refuse, suppressed: refuse },
    )
    expect(untouched.data).toBe(data)
    expect(untouched.sealed).toEqual([])
  })
})

describe('owners', () => {
  const sent = {
    name: 'Lea',
    guests: [
      { email: 'Ann@Example.com ', name: 'Ann' },
      { email: 'bob@example.com', name: 'Bob' },
      { name: 'nobody' },
    ],
  }

  test('each person has a part; one erased, the others open', async () => {
    const sealed = seal(sent, { 'guests.0.name': 'ANN', 'guests.1.name': 'BOB' })
    expect(sealed.sealed.length).toBe(3)
    const ann = keys.find('email', 'ann@example.com')
    if (ann === undefined) throw new Error('the owner is the normalised identity')
    await keys.destroyOwner([ann])
    const opened = open(sealed)
    expect(opened.erased).toBe(1)
    expect(opened.data).toEqual({ name: 'Lea', guests: [{}, sent.guests[1], { name: 'nobody' }] })
    expect(opened.normalised).toEqual({ 'guests.1.name': 'BOB' })
    await keys.destroyOwner([leading])
    expect(open(sealed).data).toEqual({ guests: [{}, sent.guests[1], {}] })
    expect(open(sealed).erased).toBe(2)
  })

  test('the leading part comes first, and two elements of one person share a part', () => {
    const twice = { guests: [{ email: 'a@example.com' }, { email: 'A@example.com' }], name: 'Lea' }
    const sealed = seal(twice)
    expect(sealed.sealed.length).toBe(2)
    expect(sealed.sealed[0]?.keyId).toBe(keys.seal(leading, 'service', new Uint8Array(), context).keyId)
  })

  test('somebody who was erased is not collected again, and reads as erased', async () => {
    const first = seal(sent)
    const ann = keys.find('email', 'ann@example.com')
    if (ann === undefined) throw new Error('Ann is known')
    await keys.destroyOwner([ann])
    const again = seal(sent, { 'guests.0.name': 'ANN' })
    expect(keys.find('email', 'ann@example.com')).toBeUndefined()
    expect(open(again)).toEqual(open({ ...first, normalised: {} }))
    expect(open(again).erased).toBe(1)
    expect(open(again).normalised).toEqual({})
  })

  test('where the definition normalises the owner, what can not be normalised names nobody', () => {
    const definition = { ...meeting, normalise: { 'guests.*.email': 'email' } } as const
    const sealed = seal(
      { guests: [{ email: 'n/a' }, { email: 'x' }] },
      { 'guests.1.email': 'x@example.com' },
      definition,
    )
    expect(keys.find('email', 'n/a')).toBeUndefined()
    expect(keys.find('email', 'x@example.com')).toBeDefined()
    expect(sealed.sealed.length).toBe(2)
  })

  test('events of nobody are sealed under the workspace', () => {
    const sealed = sealCustom({ a: 1 }, WORKSPACE_OWNER)
    expect(sealed.sealed[0]?.keyId).toBe(
      keys.seal(WORKSPACE_OWNER, 'behaviour', new Uint8Array(), context).keyId,
    )
  })
})

describe('opening', () => {
  test('a part moved into another event is broken, not erased', () => {
    const { sealed } = seal({ name: 'Lea' })
    for (const other of [{ id: 'e-2' }, { source: 'crm' }, { type: 'meeting.planned' }]) {
      const event = { ...context, ...other, data: {}, normalised: {}, sealed }
      expect(() => reassemble(event, keys)).toThrow(SealBroken)
    }
  })

  test('the envelope is kept and older data is lifted with its personal parts in place', () => {
    const event = recorded(seal({ venue: 'Old Street', name: 'Lea' }), 1)
    const opened = openEvent(event, keys, registry)
    expect(opened.data).toEqual({ place: 'Old Street', name: 'Lea' })
    expect(opened).toMatchObject({
      position: 7,
      revision: 0,
      stream: 'meeting-1',
      ...context,
      time: 1,
      received: 2,
    })
    expect(opened).not.toHaveProperty('sealed')
  })

  test('the recorded event is not changed by it', () => {
    const event = recorded(seal({ name: 'Lea', guests: [{ email: 'a@example.com' }] }))
    const before = JSON.stringify(event)
    openEvent(event, keys, registry)
    expect(JSON.stringify(event)).toBe(before)
  })
})
