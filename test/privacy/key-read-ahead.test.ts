/**
 * Theorem: a reader that reads keys ahead opens exactly what one opens that looks each of them up: every part whose key is
 * there, whenever it was made, and none of an owner that it was told to forget.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { manualClock } from '../../engine/clock.ts'
import type { SealedPart } from '../../engine/events/event.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { KeyReadAhead } from '../../engine/privacy/key-read-ahead.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import type { DataKeyRow } from '../../engine/privacy/key-tables.ts'
import { openOpener } from '../../engine/privacy/opener.ts'
import { RETENTION_CLASSES } from '../../engine/privacy/privacy.ts'
import { SqliteTables } from '../../engine/privacy/sqlite-tables.ts'

const context = { source: 'web', id: 'e-1', type: 'cdp.identify' }
const PEOPLE = 6

interface Sealed {
  readonly owner: IdentityId
  readonly part: SealedPart
}

const step = fc.record({
  act: fc.constantFrom('seal' as const, 'seal' as const, 'erase' as const),
  person: fc.nat(PEOPLE - 1),
  retention: fc.constantFrom(...RETENTION_CLASSES),
})

function temporary(): string {
  return mkdtempSync(join(tmpdir(), 'headwater-ahead-'))
}

test('parts open until their owner is forgotten, whatever was read before', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), async (steps) => {
      const directory = temporary()
      const store = openKeyStore(directory, { clock: manualClock(0) })
      // Keeps next to nothing unwrapped, so that keys are asked for again and again.
      const reader = openOpener(directory, { cacheEntries: 2, readsAhead: true })
      const sealed: Sealed[] = []
      const erased = new Set<IdentityId>()
      for (const { act, person, retention } of steps) {
        const owner = store.identify({ namespace: 'user', value: String(person) })
        await store.flush()
        if (act === 'seal') {
          sealed.push({ owner, part: store.seal(owner, retention, Buffer.from('x'), context) })
          await store.flush()
        } else {
          await store.destroyOwner([owner])
          reader.forget(owner)
          erased.add(owner)
        }
        for (const { owner: each, part } of sealed)
          expect(reader.open(part, context) !== undefined).toBe(!erased.has(each))
      }
      reader.close()
      await store.close()
      rmSync(directory, { recursive: true })
    }),
    { numRuns: 12 },
  )
})

test('of keys made together, the fourth and all that follow are read already', async () => {
  const directory = temporary()
  const store = openKeyStore(directory, { clock: manualClock(0) })
  const parts = Array.from({ length: 40 }, (_, i) => {
    const owner = store.identify({ namespace: 'user', value: String(i) })
    return store.seal(owner, 'profile', Buffer.from('x'), context)
  })
  await store.flush()
  const tables = new SqliteTables(directory)
  let lookUps = 0
  const counted = {
    dataKeyById: (keyId: string) => {
      lookUps += 1
      return tables.dataKeyById(keyId)
    },
    dataKeysBeginning: (digits: string) => tables.dataKeysBeginning(digits),
    dataKeyOf: tables.dataKeyOf.bind(tables),
    identityByMac: tables.identityByMac.bind(tables),
    identityById: tables.identityById.bind(tables),
    isSuppressed: tables.isSuppressed.bind(tables),
  }
  const ahead = new KeyReadAhead(counted)
  const plain = (row: DataKeyRow | undefined) => row && { ...row, wrapped: Buffer.from(row.wrapped) }
  for (const { keyId } of parts)
    expect(plain(ahead.dataKeyById(keyId))).toEqual(plain(tables.dataKeyById(keyId)))
  // Two of the group they begin in, and two of another should they run into the next.
  expect(lookUps).toBeLessThanOrEqual(4)
  tables.close()
  await store.close()
  rmSync(directory, { recursive: true })
})
