/**
 * Theorem: a vault keeps no more keys unwrapped than it is told to, however many classes of retention there are, and of
 * identities twice as many; what it is told to forget is overwritten, of that owner and class alone, and asked for anew.
 */
import { expect, test } from 'vitest'
import type { KeyTables } from '../../engine/privacy/key-tables.ts'
import { macKey } from '../../engine/privacy/macs.ts'
import { RETENTION_CLASSES } from '../../engine/privacy/privacy.ts'
import { Vault } from '../../engine/privacy/vault.ts'

/** Tables that hold nothing: whatever a vault answers, it has cached. */
const EMPTY: KeyTables = {
  identityByMac: () => undefined,
  identityById: () => undefined,
  dataKeyById: () => undefined,
  dataKeyOf: () => undefined,
  isSuppressed: () => false,
}

const SECRETS = { masterKey: Buffer.alloc(32, 7), macKeys: [] }
const OWNERS = Array.from({ length: 8 }, (_, index) => index.toString(16).padStart(32, '0'))

function cached(vault: Vault): readonly string[] {
  const names = OWNERS.flatMap((owner) => RETENTION_CLASSES.map((retention) => [owner, retention] as const))
  return names
    .filter(([owner, retention]) => vault.dataKey(owner, retention) !== undefined)
    .map(([owner, retention]) => `${owner}/${retention}`)
}

test('the most keys kept are of all classes together', () => {
  const vault = new Vault(EMPTY, SECRETS, { cacheEntries: 10 })
  for (const owner of OWNERS) for (const retention of RETENTION_CLASSES) vault.newDataKey(owner, retention)
  const kept = cached(vault)
  expect(kept.length).toBeGreaterThanOrEqual(5)
  expect(kept.length).toBeLessThanOrEqual(10)
})

test('identities are known by their values for twice as many as keys are kept', () => {
  const macKeys = [macKey(1, Buffer.alloc(32, 9))]
  const vault = new Vault(EMPTY, { ...SECRETS, macKeys }, { cacheEntries: 10 })
  const values = Array.from({ length: 40 }, (_, index) => `u${index}`)
  for (const value of values) vault.newIdentity({ namespace: 'user', value })
  const kept = values.filter((value) => vault.find('user', value) !== undefined)
  expect(kept.length).toBeGreaterThan(10)
  expect(kept.length).toBeLessThanOrEqual(20)
})

test('forgetting overwrites the keys of an owner, or one of them, and no other', () => {
  const vault = new Vault(EMPTY, SECRETS)
  const [jane = '', joe = ''] = OWNERS
  const made = [jane, joe].map((owner) =>
    RETENTION_CLASSES.map((retention) => vault.newDataKey(owner, retention).key),
  )
  const wiped = (): readonly (readonly boolean[])[] =>
    made.map((keys) => keys.map(({ bytes }) => bytes.every((byte) => byte === 0)))
  vault.forget(jane, 'behaviour')
  const only = RETENTION_CLASSES.map((retention) => retention === 'behaviour')
  expect(wiped()).toEqual([only, RETENTION_CLASSES.map(() => false)])
  expect(cached(vault)).toHaveLength(2 * RETENTION_CLASSES.length - 1)
  vault.forget(jane)
  expect(wiped()).toEqual([RETENTION_CLASSES.map(() => true), RETENTION_CLASSES.map(() => false)])
  expect(cached(vault)).toEqual(RETENTION_CLASSES.map((retention) => `${joe}/${retention}`))
  vault.forgetEverything()
  expect(wiped().flat()).not.toContain(false)
  expect(cached(vault)).toEqual([])
})
