// The registry lifts data step by step from any version that it knows, tells a newer version from one that can't be,
// leaves custom events alone, bounds what it says about bad data, and takes no definition that would leave something
// personal in clear.

import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { describe, expect, test } from 'vitest'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { people, personal } from '../../engine/events/codec.ts'
import { amount, id, shape, text } from '../../engine/events/fields.ts'
import { declaredProperties, personalProperties } from '../../engine/events/personal.ts'
import { createRegistry, registry } from '../../engine/events/registry.ts'

const base: EventDefinition = {
  schema: 3,
  codec: shape({ thing_id: id, total: amount }, { email: personal(text), note: text }),
  category: 'thing',
  record: 'thing_id',
  retention: 'transaction',
  identities: [['email', 'email']],
  normalise: { email: 'email', total: 'money' },
  upcasters: {
    1: ({ name, ...data }) => ({ ...data, thing_id: name }),
    2: ({ sum, ...data }) => ({ ...data, total: sum }),
  },
}

function withDefinition(changes: Partial<EventDefinition>): () => void {
  return () => createRegistry({ 'thing.done': { ...base, ...changes } })
}

function failureOf(type: string, schema: number, data: unknown, from = registry) {
  const decoded = from.decode(type, schema, data)
  if (E.isRight(decoded)) throw new Error('bad data was taken')
  return decoded.left
}

describe('schema versions', () => {
  const things = createRegistry({ 'thing.done': base })
  const versions: readonly Record<string, unknown>[] = [
    { name: 'a', sum: '1.50', x: null },
    { thing_id: 'a', sum: '1.50', x: null },
    { thing_id: 'a', total: '1.50', x: null },
  ]

  test('every version is lifted to the newest, and what was handed in stays as it was', () => {
    for (const [index, data] of versions.entries()) {
      const before = structuredClone(data)
      const decoded = things.decode('thing.done', index + 1, data)
      expect(decoded).toEqual(E.right({ data: versions[2], definition: base }))
      expect(things.upcast('thing.done', index + 1, data)).toEqual(versions[2])
      expect(data).toEqual(before)
    }
  })

  test('a step is taken once: lifting from 1 is lifting 1 to 2 and then from 2', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('name', 'sum', 'note'), fc.jsonValue()), (data) => {
        const second = base.upcasters?.[1]?.(data) ?? {}
        expect(things.upcast('thing.done', 1, data)).toEqual(things.upcast('thing.done', 2, second))
      }),
    )
  })

  test('a newer version is not an unknown one', () => {
    expect(failureOf('thing.done', 4, versions[2], things)).toEqual({
      _tag: 'schema_newer',
      schema: 4,
      known: 3,
    })
    for (const schema of [0, -1, 1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
      expect(failureOf('thing.done', schema, versions[2], things)).toEqual({ _tag: 'schema_unknown' })
      expect(failureOf('custom', schema, {}, things)).toEqual({ _tag: 'schema_unknown' })
    }
  })

  test('an upcaster that trips over bad data refuses the data', () => {
    const trips = createRegistry({
      'thing.done': {
        ...base,
        schema: 2,
        upcasters: { 1: (data) => ({ n: (data as { a: { b: 1 } }).a.b }) },
      },
    })
    expect(failureOf('thing.done', 1, {}, trips)._tag).toBe('invalid_data')
  })
})

test('a custom event of any version is taken as it is', () => {
  const data = { anything: [1, 'two'] }
  expect(registry.decode('wheel.turned', 7, data)).toEqual(E.right({ data, definition: undefined }))
  expect(registry.find('wheel.turned')).toBeUndefined()
})

test('names of Object.prototype are custom types', () => {
  for (const type of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    expect(registry.find(type)).toBeUndefined()
    expect(E.isRight(registry.decode(type, 1, {}))).toBe(true)
  }
})

describe('what is said about bad data', () => {
  test('data is an object', () => {
    for (const data of [null, undefined, 1, 'zebra', [], true]) {
      for (const type of ['lead.created', 'wheel.turned']) {
        const expected = { _tag: 'invalid_data', errors: [{ path: '', message: 'expected an object' }] }
        expect(failureOf(type, 1, data)).toEqual(expected)
      }
    }
  })

  test('the place and what belongs there, at most ten, however long the data', () => {
    const bad = { product_id: 'p', quantity: 'zebra', unit_price: {} }
    const failure = failureOf('erp.invoice_issued', 1, { lines: Array.from({ length: 50_000 }, () => bad) })
    if (failure._tag !== 'invalid_data') throw new Error('expected reasons')
    expect(failure.errors).toHaveLength(10)
    expect(failure.errors[0]?.path).toBe('invoice_id')
    expect(failure.errors[1]).toEqual({
      path: 'lines.0.quantity',
      message: 'expected number or decimal string',
    })
    expect(failure.errors[2]?.path).toBe('lines.0.unit_price')
  })

  test('neither values nor the sender’s own keys', () => {
    const failure = failureOf('exchange_rate.published', 1, {
      base: 'zebra',
      valid_on: 'zebra',
      rates: { zebra: 'zebra', EUR: '1.1' },
    })
    expect(JSON.stringify(failure)).not.toContain('zebra')
    expect(failure).toMatchObject({ errors: [{ path: 'base' }, { path: 'rates.*' }, { path: 'valid_on' }] })
  })

  test('inside an array or object that may also be null', () => {
    const failure = failureOf('Order Completed', 1, {
      order_id: 'o',
      products: [{ price: 1 }, { price: 'x' }],
    })
    expect(failure).toMatchObject({ errors: [{ path: 'products.1.price' }] })
    expect(failureOf('cdp.identify', 1, { traits: 'x' })).toMatchObject({ errors: [{ path: 'traits' }] })
  })
})

describe('strict where it matters', () => {
  const order = (changes: object) => registry.decode('Order Completed', 1, { order_id: 'o', ...changes })

  test('absent, null and blank are told apart and all taken where a field may be removed', () => {
    for (const total of [undefined, null, '', 0, '0.00', -1.5]) expect(E.isRight(order({ total }))).toBe(true)
    for (const total of ['1,50', '$1', ' 1', '1e3', Number.NaN, 1e300, true]) {
      expect(E.isLeft(order({ total }))).toBe(true)
    }
  })

  test('ids are printable, not blank, well-formed and bounded', () => {
    for (const order_id of ['536365', 536365, 'C536379', 'ä 1'])
      expect(E.isRight(order({ order_id }))).toBe(true)
    const bad = ['', '   ', 'a\u0000', 'a\nb', '\ud800', 'x'.repeat(257), 1.5, 2 ** 53, null]
    for (const order_id of bad) expect(E.isLeft(order({ order_id }))).toBe(true)
  })

  test('a source names a zone, country and currency that exist', () => {
    const source = (changes: object) => registry.decode('source.registered', 1, { source: 'web', ...changes })
    expect(E.isRight(source({ time_zone: 'Europe/London', default_country: 'GB', currency: 'GBP' }))).toBe(
      true,
    )
    for (const bad of [
      { time_zone: 'Mars/Olympus' },
      { default_country: 'gb' },
      { default_country: 'UK' },
      { currency: 'XQX' },
    ]) {
      expect(E.isLeft(source(bad))).toBe(true)
    }
  })
})

describe('personal properties', () => {
  test('are found in every part of the codec, declared ones too', () => {
    expect([...personalProperties(base).keys()]).toEqual(['email'])
    expect([...declaredProperties(base)].sort()).toEqual(['email', 'note', 'thing_id', 'total'])
    const nested: EventDefinition = {
      ...base,
      codec: t.intersection([
        shape({ thing_id: id, total: amount }, {}),
        t.partial({ email: personal(text) }),
      ]),
    }
    expect([...personalProperties(nested).keys()]).toEqual(['email'])
    expect(declaredProperties(nested).has('thing_id')).toBe(true)
    expect(personalProperties(nested)).toBe(personalProperties(nested))
  })

  test('recipients of an order and participants of an activity are people of their own', () => {
    const orders = registry.find('Order Completed')
    const activities = registry.find('activity.logged')
    if (orders === undefined || activities === undefined) throw new Error('both are in the catalogue')
    expect(personalProperties(orders).get('recipients')?.owner).toEqual(['email', 'email'])
    expect(personalProperties(activities).get('participants')?.owner).toEqual(['email', 'email'])
    expect(personalProperties(orders).get('email')?.owner).toBeUndefined()
  })
})

describe('a definition is refused', () => {
  test.each([
    ['with an upcaster missing', { upcasters: { 2: (data: object) => ({ ...data }) } }],
    ['with an upcaster too many', { schema: 2 }],
    ['with schema 0', { schema: 0, upcasters: {} }],
    ['with an identity in clear', { identities: [['user', 'note']] as const }],
    ['with an identity in an unknown property', { identities: [['user', 'nobody']] as const }],
    ['with an email that isn’t normalised', { normalise: {} }],
    ['with a personal record', { record: 'email' }],
    ['with an undeclared record', { record: 'other' }],
    [
      'with a required personal property',
      { codec: t.type({ thing_id: id, total: amount, email: personal(text) }) },
    ],
    [
      'with a personal part inside a property',
      {
        codec: shape(
          { thing_id: id, total: amount },
          { email: personal(text), note: t.partial({ by: personal(text) }) },
        ),
      },
    ],
    [
      'with people inside an array',
      {
        codec: shape(
          { thing_id: id, total: amount },
          { email: personal(text), note: t.array(people(t.partial({ email: text }), ['email', 'email'])) },
        ),
      },
    ],
    ['with a stream named by an identity it lacks', { record: undefined, streamNamespace: 'lead' }],
    [
      'with a codec of a strange type',
      { codec: shape({ thing_id: id, total: t.undefined }, { email: personal(text) }) },
    ],
  ])('%s', (_, changes) => {
    expect(withDefinition({})).not.toThrow()
    expect(withDefinition(changes)).toThrow()
  })
})
