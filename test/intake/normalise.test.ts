// Normalising gives the one form of a phone, email, amount, currency, country or instant, records nothing where there is
// none, touches own properties only, and never fails; identities come out normalised, each once, the leading one first.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventDefinition, IdentityPath, Normalisation } from '../../engine/events/codec.ts'
import { parseMoney } from '../../engine/events/money.ts'
import { registry } from '../../engine/events/registry.ts'
import type { SourceDefaults } from '../../engine/intake/normalise.ts'
import { normalise, normaliseIdentity, statedIdentities } from '../../engine/intake/normalise.ts'
import { decimalText, instantText } from '../support/arbitrary.ts'

const BRITISH: SourceDefaults = { country: 'GB', currency: 'GBP', timeZone: 'Europe/London' }

function define(
  rules: Readonly<Record<string, Normalisation>>,
  identities: readonly IdentityPath[] = [],
): EventDefinition {
  const any = registry.find('clock.advanced')
  if (any === undefined) throw new Error('clock.advanced is in the catalogue')
  return { ...any, normalise: rules, identities }
}

/** What `how` makes of one value. */
function made(how: Normalisation, value: unknown, defaults: SourceDefaults = BRITISH): unknown {
  return normalise(define({ x: how }), { x: value }, defaults).x
}

function known(type: string): EventDefinition {
  const definition = registry.find(type)
  if (definition === undefined) throw new Error(`${type} is in the catalogue`)
  return definition
}

describe('each kind', () => {
  test.each<[Normalisation, unknown, unknown]>([
    ['email', '  Ann.Example@Example.COM ', 'ann.example@example.com'],
    ['email', 'ann+tag@sub.example.co.uk', 'ann+tag@sub.example.co.uk'],
    ['email', 'no-at.example.com', undefined],
    ['email', 'a@b', undefined],
    ['email', 'a@b@c.de', undefined],
    ['email', 'a b@c.de', undefined],
    ['email', 'a@c..de', undefined],
    ['email', `${'a'.repeat(250)}@b.de`, undefined],
    ['email', '\ud800@b.de', undefined],
    ['email', 42, undefined],
    ['phone', '020 7946 0958', '+442079460958'],
    ['phone', '+1 (415) 555-2671', '+14155552671'],
    ['phone', '0044 20 7946 0958', '+442079460958'],
    ['phone', 442079460958, '+442079460958'],
    ['phone', '12', undefined],
    ['phone', 'call me on 020 7946 0958', undefined],
    ['phone', '+999 123 456 789', undefined],
    ['phone', '0'.repeat(10_000), undefined],
    ['phone', {}, undefined],
    ['money', '12.50', 125_000],
    ['money', 0.1, 1_000],
    ['money', '', undefined],
    ['money', 1e300, undefined],
    ['currency', ' gbp', 'GBP'],
    ['currency', 'XQX', undefined],
    ['currency', '£', undefined],
    ['country', 'gb', 'GB'],
    ['country', 'United Kingdom', undefined],
    ['country', 'UK', undefined],
    ['country', 'ZZ', undefined],
    ['instant', '2011-07-01T08:26:00Z', Date.UTC(2011, 6, 1, 8, 26)],
    ['instant', '2011-07-01T08:26:00', Date.UTC(2011, 6, 1, 7, 26)],
    ['instant', '2011-07-01', Date.UTC(2011, 5, 30, 23)],
    ['instant', 'soon', undefined],
    ['instant', 1_767_225_600_000, undefined],
  ])('%s of %j is %j', (how, value, expected) => {
    expect(made(how, value)).toEqual(expected)
  })

  test('null and blank are normalised to nothing', () => {
    const kinds: readonly Normalisation[] = ['email', 'phone', 'money', 'currency', 'instant', 'country']
    for (const how of kinds) for (const value of [null, '', '   ']) expect(made(how, value)).toBeUndefined()
  })

  test('without a country only international numbers are phones; without a zone local times are UTC', () => {
    expect(made('phone', '020 7946 0958', {})).toBeUndefined()
    expect(made('phone', '+442079460958', {})).toBe('+442079460958')
    expect(made('phone', '020 7946 0958', { country: 'QQ' })).toBeUndefined()
    expect(made('instant', '2011-07-01', {})).toBe(Date.UTC(2011, 6, 1))
  })

  test('what is normal stays as it is', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (email) => {
        const once = made('email', email)
        if (once !== undefined) expect(made('email', once)).toBe(once)
      }),
    )
    fc.assert(
      fc.property(decimalText, (text) => {
        expect(made('money', text)).toBe(moneyOf(text))
      }),
    )
    fc.assert(
      fc.property(instantText, (text) => {
        expect(made('instant', text)).toBe(new Date(text).getTime())
      }),
    )
  })
})

function moneyOf(text: string): number | undefined {
  const parsed = parseMoney(text)
  return parsed._tag === 'Right' ? parsed.right : undefined
}

describe('paths', () => {
  test('a star stands for every element; only those with a value are recorded', () => {
    const order = known('Order Completed')
    const data = {
      order_id: 1,
      total: '27.5',
      currency: 'usd',
      country: 'gb',
      products: [{ price: 19 }, { price: null }, { sku: 'x' }, { price: '8.5' }],
    }
    expect(normalise(order, data, BRITISH)).toEqual({
      total: 275_000,
      currency: 'USD',
      country: 'GB',
      'products.0.price': 190_000,
      'products.3.price': 85_000,
    })
  })

  test('stars within stars', () => {
    const nested = define({ 'a.*.b.*': 'money' })
    const data = { a: [{ b: ['1', 'x'] }, {}, 5, { b: 7 }, { b: ['2'] }] }
    expect(normalise(nested, data, {})).toEqual({ 'a.0.b.0': 10_000, 'a.4.b.0': 20_000 })
  })

  test('neither prototypes nor arrays by index nor strings are walked into', () => {
    const odd = define({
      'a.constructor.name': 'country',
      'a.0': 'country',
      'a.length': 'money',
      'constructor.name': 'country',
    })
    const inherited = Object.create({ a: { length: 1 } }) as Record<string, unknown>
    for (const data of [{ a: 'DE' }, { a: ['DE'] }, { a: {} }, inherited, { a: null }]) {
      expect(normalise(odd, data, {})).toEqual({})
    }
    const own = JSON.parse('{"__proto__": {"a": {"length": 1}}}') as Record<string, unknown>
    expect(normalise(odd, own, {})).toEqual({})
  })

  test('a custom event has nothing to normalise and names nobody', () => {
    const data = { email: 'ann@example.com', total: '1.00' }
    expect(normalise(undefined, data, BRITISH)).toEqual({})
    expect(statedIdentities(undefined, data, {})).toEqual([])
  })

  test('any JSON whatever is survived', () => {
    const definitions = registry.types.map(known)
    fc.assert(
      fc.property(
        fc.constantFrom(...definitions),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (definition, data) => {
          statedIdentities(definition, data, normalise(definition, data, BRITISH))
        },
      ),
    )
    const deep = JSON.parse(`${'{"traits":'.repeat(2_000)}1${'}'.repeat(2_000)}`) as Record<string, unknown>
    expect(normalise(known('cdp.identify'), deep, BRITISH)).toEqual({})
  })
})

describe('the source’s currency', () => {
  const order = known('Order Completed')

  test('stands where an amount is stated and its currency left out', () => {
    expect(normalise(order, { total: 1 }, BRITISH)).toEqual({ total: 10_000, currency: 'GBP' })
    expect(normalise(order, { products: [{ price: 1 }] }, BRITISH)).toMatchObject({ currency: 'GBP' })
  })

  test('but not without an amount, nor where the sender said something', () => {
    expect(normalise(order, { coupon: 'x' }, BRITISH)).toEqual({})
    for (const currency of [null, '', 'XQX']) {
      expect(normalise(order, { total: 1, currency }, BRITISH)).toEqual({ total: 10_000 })
    }
    expect(normalise(order, { total: 1, currency: 'eur' }, BRITISH)).toEqual({
      total: 10_000,
      currency: 'EUR',
    })
    expect(normalise(order, { total: 1 }, {})).toEqual({ total: 10_000 })
  })
})

describe('statedIdentities', () => {
  function stated(type: string, data: Record<string, unknown>, defaults: SourceDefaults = BRITISH) {
    return statedIdentities(known(type), data, normalise(known(type), data, defaults), defaults).map(
      ({ namespace, value }) => `${namespace}:${value}`,
    )
  }

  test('in the order of their namespaces, whatever the order of the data', () => {
    const data = {
      anonymousId: 'a-1',
      traits: { phone: '020 7946 0958', email: ' Ann@Example.com' },
      userId: 42,
    }
    expect(stated('cdp.identify', data)).toEqual([
      'user:42',
      'email:ann@example.com',
      'phone:+442079460958',
      'anonymous:a-1',
    ])
  })

  test('each once, though several paths lead to it', () => {
    const context = { traits: { email: 'ANN@example.com' } }
    expect(stated('Order Completed', { order_id: 1, email: 'ann@example.com', context })).toEqual([
      'email:ann@example.com',
    ])
    const other = { order_id: 1, email: 'bob@example.com', context }
    expect(stated('Order Completed', other)).toEqual(['email:bob@example.com', 'email:ann@example.com'])
  })

  test('an email or phone without a normal form names nobody', () => {
    expect(stated('lead.created', { lead_id: ' l1 ', email: 'ann@', phone: '12' })).toEqual(['lead:l1'])
  })

  test('blank, null, over-long and ill-formed values, and values of other types, name nobody', () => {
    const values = ['', '  ', null, undefined, 'x'.repeat(513), '\ud800', true, {}, ['x'], Number.NaN]
    for (const userId of values) expect(stated('cdp.identify', { userId })).toEqual([])
    expect(stated('cdp.identify', { userId: 0 })).toEqual(['user:0'])
    expect(stated('cdp.identify', { userId: 'x'.repeat(512) })).toHaveLength(1)
  })

  test('people lead before companies, and domains are compared in lower case', () => {
    expect(stated('contact.created', { account_id: 'acc', contact_id: 'c' })).toEqual([
      'contact:c',
      'account:acc',
    ])
    expect(stated('account.created', { domain: ' Example.COM' })).toEqual(['domain:example.com'])
  })

  test('recipients and participants are not whom the event is about', () => {
    const recipients = [{ email: 'bob@example.com' }]
    expect(stated('Order Completed', { order_id: 1, userId: 'u', recipients })).toEqual(['user:u'])
  })

  test('a steward’s list names each with its own namespace', () => {
    const identities = [
      { namespace: 'email', value: ' Ann@Example.com ' },
      { namespace: 'phone', value: '020 7946 0958' },
      { namespace: 'user', value: '42' },
      { namespace: 'email', value: 'ann@example.com' },
      { namespace: 'email', value: 'nobody' },
      { value: 'x' },
      null,
    ]
    expect(stated('identity.linked', { steward: 's', identities })).toEqual([
      'user:42',
      'email:ann@example.com',
      'phone:+442079460958',
    ])
  })

  test('normaliseIdentity gives the form under which an event’s identity is found again', () => {
    expect(normaliseIdentity('email', ' Ann@Example.com')).toBe('ann@example.com')
    expect(normaliseIdentity('phone', '020 7946 0958', BRITISH)).toBe('+442079460958')
    expect(normaliseIdentity('domain', 'Example.COM')).toBe('example.com')
    expect(normaliseIdentity('user', ' 42 ')).toBe('42')
    expect(normaliseIdentity('phone', ' 12 ')).toBe('12')
  })
})
