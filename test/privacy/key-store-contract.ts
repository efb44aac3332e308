import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import type { ErasingKeyStore, KeyClass, SealContext } from '../../engine/privacy/privacy.ts'
import { SealBroken, WORKSPACE_OWNER } from '../../engine/privacy/privacy.ts'

/** What every key store must do. `open` makes an empty one, with caches of so many entries. */
export function keyStoreContract(name: string, open: (cacheEntries: number) => ErasingKeyStore): void {
  describe(`${name} keeps the contract of a key store`, () => {
    let store: ErasingKeyStore
    beforeEach(() => {
      store = open(1_000)
    })
    afterEach(() => store.close())

    identities(() => store)
    sealing(() => store)
    destroying(() => store)

    test('a closed store refuses everything', async () => {
      await store.close()
      const closed = (work: () => unknown) => expect(work).toThrow(KeyStoreError)
      closed(() => store.identify({ namespace: 'email', value: 'a@example.com' }))
      closed(() => store.find('email', 'a@example.com'))
      closed(() => store.seal(WORKSPACE_OWNER, 'profile', bytes('x'), context))
      await expect(store.flush()).rejects.toThrow(KeyStoreError)
    })
  })
}

const context: SealContext = { source: 'web', id: 'e-1', type: 'cdp.identify' }

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Values that an encoding might confuse. */
const STRANGE = [
  '',
  ' ',
  'a',
  'A',
  '\u0000',
  '\ud800',
  '\ud801',
  '\ufffd',
  '\ud800\ud800',
  '\u00ff',
  '__proto__',
  'ü',
  'u\u0308',
]

function identities(store: () => ErasingKeyStore): void {
  test('an identity has one random id, by which it is found and revealed', async () => {
    const id = store().identify({ namespace: 'email', value: 'ann@example.com' })
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    for (const round of ['pending', 'durable']) {
      expect(store().identify({ namespace: 'email', value: 'ann@example.com' }), round).toBe(id)
      expect(store().find('email', 'ann@example.com'), round).toBe(id)
      expect(store().reveal(id), round).toEqual({ namespace: 'email', value: 'ann@example.com' })
      await store().flush()
    }
    expect(store().find('email', 'bob@example.com')).toBeUndefined()
    expect(store().find('phone', 'ann@example.com')).toBeUndefined()
    expect(store().reveal('f'.repeat(32))).toBeUndefined()
  })

  test('different identities never share an id, however strange their values are', async () => {
    const stated = STRANGE.map((value) => ({ namespace: 'user', value }))
    stated.push({ namespace: 'ab', value: 'c' }, { namespace: 'a', value: 'bc' })
    stated.push(
      { namespace: 'user', value: 'x'.repeat(1_000_000) },
      { namespace: 'user', value: 'x'.repeat(999_999) },
    )
    const ids = stated.map((one) => store().identify(one))
    expect(new Set(ids).size).toBe(stated.length)
    await store().flush()
    for (const [index, one] of stated.entries()) {
      expect(store().find(one.namespace, one.value)).toBe(ids[index])
      expect(store().reveal(ids[index] ?? '')).toEqual(one)
    }
  })
}

function sealing(store: () => ErasingKeyStore): void {
  test('what is sealed opens again, in its event only', () => {
    const owner = store().identify({ namespace: 'user', value: '1' })
    const text = fc.string({ unit: 'binary', maxLength: 20 })
    const contexts = fc.record({ source: text, id: text, type: text })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), contexts, contexts, (plaintext, at, other) => {
        const part = store().seal(owner, 'profile', plaintext, at)
        expect(new Uint8Array(store().open(part, at) ?? [])).toEqual(new Uint8Array(plaintext))
        expect(part.blob.length).toBe(plaintext.length + 28)
        if (JSON.stringify(at) === JSON.stringify(other)) return
        expect(() => store().open(part, other)).toThrow(SealBroken)
      }),
      { numRuns: 100 },
    )
  })

  test('a boundary between source, id and type can not be moved', () => {
    const part = store().seal(WORKSPACE_OWNER, 'profile', bytes('x'), { source: 'ab', id: 'c', type: 'd' })
    for (const moved of [
      { source: 'a', id: 'bc', type: 'd' },
      { source: 'ab', id: '', type: 'cd' },
    ]) {
      expect(() => store().open(part, moved)).toThrow(SealBroken)
    }
  })

  test('nor can it be imitated by what they contain', () => {
    const zeros = '\u0000'.repeat(4)
    const part = store().seal(WORKSPACE_OWNER, 'profile', bytes('x'), {
      source: `a${zeros}b`,
      id: 'c',
      type: 'd',
    })
    expect(() => store().open(part, { source: 'a', id: `b${zeros}c`, type: 'd' })).toThrow(SealBroken)
  })

  test('every changed, missing or added byte is noticed', () => {
    const part = store().seal(WORKSPACE_OWNER, 'profile', bytes('some text'), context)
    for (let at = 0; at < part.blob.length; at++) {
      const blob = Uint8Array.from(part.blob)
      blob[at] = (blob[at] ?? 0) ^ 1
      expect(() => store().open({ ...part, blob }, context)).toThrow(SealBroken)
      expect(() => store().open({ ...part, blob: part.blob.subarray(0, at) }, context)).toThrow(SealBroken)
    }
    expect(() => store().open({ ...part, blob: Buffer.concat([part.blob, Buffer.of(0)]) }, context)).toThrow(
      SealBroken,
    )
    expect(store().open(part, context)).toBeDefined()
  })

  test('no two seals of the same bytes are alike, and no nonce comes twice', () => {
    const nonces = new Set<string>()
    for (let i = 0; i < 5_000; i++) {
      const { blob } = store().seal(WORKSPACE_OWNER, 'profile', bytes('same'), context)
      nonces.add(Buffer.from(blob.subarray(0, 12)).toString('hex'))
    }
    expect(nonces.size).toBe(5_000)
  })

  test('owners and classes have keys of their own; a key unknown here opens nothing', () => {
    const ann = store().identify({ namespace: 'user', value: 'ann' })
    const seals: [string, KeyClass][] = [
      [ann, 'profile'],
      [ann, 'service'],
      [WORKSPACE_OWNER, 'profile'],
    ]
    const keys = seals.map(([owner, retention]) => store().seal(owner, retention, bytes('x'), context).keyId)
    expect(new Set(keys).size).toBe(3)
    expect(store().seal(ann, 'profile', bytes('y'), context).keyId).toBe(keys[0])
    expect(store().open({ keyId: 'e'.repeat(32), blob: new Uint8Array(40) }, context)).toBeUndefined()
  })

  test('a MAC depends on owner, class and bytes, and is another one under a new key', async () => {
    const mac = (retention: KeyClass, text: string) => store().mac(WORKSPACE_OWNER, retention, bytes(text))
    const first = mac('quarantine:2026-01-01', 'x')
    expect(first).toMatch(/^[0-9a-f]{64}$/)
    expect(mac('quarantine:2026-01-01', 'x')).toBe(first)
    expect(mac('quarantine:2026-01-01', 'y')).not.toBe(first)
    expect(mac('quarantine:2026-01-02', 'x')).not.toBe(first)
    await store().destroyKey(WORKSPACE_OWNER, 'quarantine:2026-01-01')
    expect(mac('quarantine:2026-01-01', 'x')).not.toBe(first)
  })
}

function destroying(store: () => ErasingKeyStore): void {
  test.each([true, false])(
    'a destroyed key takes its parts with it and nothing else; durable: %j',
    async (durable) => {
      const ann = store().identify({ namespace: 'user', value: 'ann' })
      const gone = store().seal(ann, 'behaviour', bytes('gone'), context)
      const stays = store().seal(ann, 'profile', bytes('stays'), context)
      if (durable) await store().flush()
      const destroyed = store().destroyKey(ann, 'behaviour')
      for (const round of ['under way', 'durable']) {
        expect(store().open(gone, context), round).toBeUndefined()
        expect(store().open(stays, context), round).toBeDefined()
        expect(store().find('user', 'ann'), round).toBe(ann)
        await destroyed
      }
      const later = store().seal(ann, 'behaviour', bytes('later'), context)
      expect(later.keyId).not.toBe(gone.keyId)
      expect(store().open(later, context)).toBeDefined()
      await store().destroyKey(ann, 'service')
    },
  )

  test.each([true, false])('an erased person is nobody and suppressed; durable: %j', async (durable) => {
    const [ann, bob] = ['ann', 'bob'].map((value) => store().identify({ namespace: 'user', value }))
    if (ann === undefined || bob === undefined) throw new Error('two people')
    const parts = [ann, bob].map((owner) => store().seal(owner, 'profile', bytes(owner), context))
    if (durable) await store().flush()
    const erased = store().destroyOwner([ann])
    for (const round of ['under way', 'durable']) {
      expect(
        parts.map((part) => store().open(part, context) !== undefined),
        round,
      ).toEqual([false, true])
      expect(store().find('user', 'ann'), round).toBeUndefined()
      expect(store().reveal(ann), round).toBeUndefined()
      expect(store().suppressed({ namespace: 'user', value: 'ann' }), round).toBe(true)
      expect(store().suppressed({ namespace: 'user', value: 'bob' }), round).toBe(false)
      expect(store().suppressed({ namespace: 'email', value: 'ann' }), round).toBe(false)
      await erased
    }
    expect(store().identify({ namespace: 'user', value: 'ann' })).not.toBe(ann)
    // Only new consent leads there: see who calls `identify`.
    expect(store().suppressed({ namespace: 'user', value: 'ann' })).toBe(false)
  })

  test('the workspace itself can not be erased', async () => {
    await expect(store().destroyOwner([WORKSPACE_OWNER])).rejects.toThrow('nobody to erase')
  })
}
