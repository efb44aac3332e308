// Theorem: an event's evidence is a star around the first identity of each kind; people and companies are never linked;
// evidence survives storing.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Identity, NAMESPACES, namespaceOf } from '../../engine/events/identity.ts'
import { type Evident, evidenceOf } from '../../engine/identity/evidence.ts'
import { decodeEvidence, encodeEvidence } from '../../engine/identity/stored.ts'
import { evidences } from './evidence-arbitrary.ts'

const event = (type: string, identities: readonly Identity[], id = 'e1', source = 'web'): Evident => ({
  type,
  id,
  source,
  time: 5,
  position: 7,
  identities,
})

const identity = (id: string, namespace: string): Identity => ({ id, namespace })
const [user, email, account, domain] = [
  identity('1', 'user'),
  identity('2', 'email'),
  identity('3', 'account'),
  identity('4', 'domain'),
] as const

describe('evidenceOf', () => {
  test('an ordinary event links the others of each kind with its first', () => {
    const phone = identity('5', 'phone')
    const found = evidenceOf(event('cdp.track', [user, email, account, phone, domain]))
    expect(found.map((each) => [each.kind, each.a, each.b])).toEqual([
      ['link', '1', '2'],
      ['link', '1', '5'],
      ['link', '3', '4'],
    ])
    expect(found[0]).toMatchObject({
      rule: 'stated',
      aNamespace: 'user',
      bNamespace: 'email',
      time: 5,
      eventId: 'e1',
      position: 7,
    })
  })

  test('decisions', () => {
    expect(evidenceOf(event('identity.linked', [user, email]))[0]).toMatchObject({
      kind: 'link',
      rule: 'steward',
    })
    expect(evidenceOf(event('identity.cut', [user, email]))[0]).toMatchObject({ kind: 'cut', a: '1', b: '2' })
    expect(evidenceOf(event('identity.cut_lifted', [user, email]))[0]).toMatchObject({ kind: 'cut_lifted' })
    expect(evidenceOf(event('identity.kept_apart', [user, email]))[0]).toMatchObject({ kind: 'kept_apart' })
    expect(evidenceOf(event('rules.published', [user, email]))).toEqual([])
  })

  test('one identity, or the same twice, is no evidence', () => {
    expect(evidenceOf(event('cdp.track', []))).toEqual([])
    expect(evidenceOf(event('cdp.track', [user]))).toEqual([])
    expect(evidenceOf(event('cdp.track', [user, user]))).toEqual([])
  })

  test('never links or cuts across kinds, and stays below k pieces', () => {
    const namespace = fc.constantFrom(...NAMESPACES.keys(), 'loyalty', 'constructor')
    const identities = fc.uniqueArray(fc.tuple(fc.nat(20), namespace), { selector: ([id]) => id })
    const type = fc.constantFrom('cdp.track', 'identity.linked', 'identity.cut', 'identity.cut_lifted')
    fc.assert(
      fc.property(identities, type, (some, of) => {
        const kinds = new Map(some.map(([id, name]) => [String(id), namespaceOf(name).kind]))
        const found = evidenceOf(
          event(
            of,
            some.map(([id, name]) => identity(String(id), name)),
          ),
        )
        for (const { a, b } of found) expect(kinds.get(a)).toBe(kinds.get(b))
        expect(found.length).toBe(Math.max(0, some.length - new Set(kinds.values()).size))
      }),
    )
  })

  test('ids are the same for the same event and differ between events, whatever their names', () => {
    const ids = (id: string, source: string) =>
      evidenceOf(event('t', [user, email, identity('9', 'phone')], id, source)).map((each) => each.id)
    expect(ids('e', 's')).toEqual(ids('e', 's'))
    expect(
      new Set([...ids('b/c', 'a'), ...ids('c', 'a/b'), ...ids('c', 'a'), ...ids('', 'a/b/c')]).size,
    ).toBe(8)
  })
})

test('stored evidence comes back as it was', () => {
  fc.assert(
    fc.property(evidences(), (some) => {
      for (const each of some) expect(decodeEvidence(encodeEvidence(each))).toEqual(each)
    }),
  )
})
