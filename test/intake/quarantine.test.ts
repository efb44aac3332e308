/**
 * Theorem: a refused body that was acknowledged can be read again for 30 days and then by nobody; putting it twice keeps it
 * once; what a sender wrote is in no file in the clear; a flood is refused instead of filling the disk.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ManualClock } from '../../engine/clock.ts'
import { manualClock } from '../../engine/clock.ts'
import type { Kept, Quarantine, Refusable } from '../../engine/intake/quarantine.ts'
import { LARGEST_BODY_BYTES, openQuarantine } from '../../engine/intake/quarantine.ts'
import { QuarantineUnreadable } from '../../engine/intake/quarantine-tables.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { createMemoryKeyStore } from '../../engine/privacy/memory-key-store.ts'
import type { KeyStore } from '../../engine/privacy/privacy.ts'

const START = Date.UTC(2026, 0, 10, 12)
const DAY_MS = 86_400_000

let directory: string
let clock: ManualClock
let keys: KeyStore
let quarantine: Quarantine

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-quarantine-'))
  clock = manualClock(START)
  keys = createMemoryKeyStore({ clock })
  quarantine = openQuarantine(directory, keys, clock)
})
afterEach(async () => {
  await quarantine.close()
  await keys.close()
  rmSync(directory, { recursive: true, force: true })
})

function refused(body: string | Uint8Array, more: Partial<Refusable> = {}): Refusable {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  return {
    body: bytes,
    reason: 'invalid_data',
    message: 'total: expected a number',
    source: 'web',
    received: clock.nowMs(),
    ...more,
  }
}

function right<L, R>(outcome: Either<L, R> | undefined): R {
  if (outcome === undefined || E.isLeft(outcome))
    throw new Error(`expected success: ${JSON.stringify(outcome)}`)
  return outcome.right
}

async function put(...items: Refusable[]): Promise<readonly Kept[]> {
  return (await quarantine.put(items)).map(right)
}

async function reopen(limitBytes?: number): Promise<void> {
  await quarantine.close()
  quarantine = openQuarantine(directory, keys, clock, { limitBytes })
}

function allBytes(): Buffer {
  return Buffer.concat(readdirSync(directory).map((name) => readFileSync(join(directory, name))))
}

describe('keeping', () => {
  test('a body comes back as it came, with all that was known of it, also after a restart', async () => {
    const item = refused(Buffer.from([0, 255, 10, 0xc3, 0x28]), {
      id: 'e-1',
      type: 'order placed',
      source: 'shop\u0000x',
    })
    const [kept] = await put(item)
    await reopen()
    expect(quarantine.get(kept?.quarantineId ?? '')).toEqual({
      quarantineId: kept?.quarantineId,
      hash: kept?.hash,
      body: item.body,
      reason: 'invalid_data',
      message: item.message,
      source: 'shop\u0000x',
      id: 'e-1',
      type: 'order placed',
      received: START,
      day: '2026-01-10',
      sizeBytes: 5,
      resubmitted: undefined,
    })
  })

  test('the same refusal on the same day is kept once, within a batch, between batches and after a restart', async () => {
    const [first, second] = await put(refused('x'), refused('x'))
    const used = quarantine.usedBytes
    clock.advance(1_000)
    const [third] = await put(refused('x'))
    await reopen()
    const [fourth] = await put(refused('x'))
    expect([second, third, fourth]).toEqual([first, first, first])
    expect(quarantine.usedBytes).toBe(used)
    expect(quarantine.list({ limit: 10 }).length).toBe(1)
  })

  test('what differs in body, source, reason, id or day is kept apart', async () => {
    const kept = await put(
      refused('x'),
      refused('y'),
      refused('x', { source: 'crm' }),
      refused('x', { reason: 'suppressed' }),
      refused('x', { id: 'e-1' }),
      refused('x', { received: START + DAY_MS }),
    )
    expect(new Set(kept.map(({ quarantineId }) => quarantineId)).size).toBe(6)
    expect(kept[0]?.hash).toBe(kept[2]?.hash)
    expect(kept[0]?.hash).not.toBe(kept[5]?.hash)
  })

  test('unknown and malformed ids are nobody', () => {
    for (const id of ['', 'x', `' OR 1=1 --`, 'f'.repeat(32), 'F'.repeat(32), 'f'.repeat(64)]) {
      expect(quarantine.get(id)).toBeUndefined()
    }
  })

  test('of a body above the largest size only hash and size are kept', async () => {
    const largest = new Uint8Array(LARGEST_BODY_BYTES)
    const [fits, beyond] = await put(refused(largest), refused(new Uint8Array(LARGEST_BODY_BYTES + 1)))
    expect(quarantine.get(fits?.quarantineId ?? '')?.body?.length).toBe(LARGEST_BODY_BYTES)
    const entry = quarantine.get(beyond?.quarantineId ?? '')
    expect(entry?.body).toBeUndefined()
    expect(entry?.sizeBytes).toBe(LARGEST_BODY_BYTES + 1)
    expect(entry?.hash).toBe(beyond?.hash)
  })

  test('neither body nor what the sender wrote into id and type is in a file', async () => {
    await put(refused('SECRET body', { id: 'SECRET id', type: 'SECRET type', message: 'SECRET message' }))
    expect(allBytes().includes('SECRET')).toBe(false)
    await reopen()
    expect(allBytes().includes('SECRET')).toBe(false)
    expect(allBytes().includes('invalid_data')).toBe(true)
  })

  test('bodies open after a restart of a durable key store as well', async () => {
    const durable = openKeyStore(join(directory, 'keys'), { clock })
    const first = openQuarantine(join(directory, 'q'), durable, clock)
    const [kept] = (await first.put([refused('x')])).map(right)
    await first.close()
    await durable.close()
    const again = openKeyStore(join(directory, 'keys'), { clock })
    const second = openQuarantine(join(directory, 'q'), again, clock)
    expect(String(second.get(kept?.quarantineId ?? '')?.body)).toBe('x')
    await second.close()
    await again.close()
  })
})

describe('listing', () => {
  test('newest first, by reason, page by page', async () => {
    for (let index = 0; index < 7; index++) {
      await put(
        refused(`body ${index}`, { reason: index % 2 === 0 ? 'not_json' : 'too_deep', id: `e-${index}` }),
      )
      if (index % 3 === 0) clock.advance(1)
    }
    const all = quarantine.list({ limit: 100 })
    expect(all.map(({ received }) => received)).toEqual(
      all.map(({ received }) => received).sort((a, b) => b - a),
    )
    expect(
      quarantine
        .list({ limit: 100, reason: 'not_json' })
        .map(({ id }) => id)
        .sort(),
    ).toEqual(['e-0', 'e-2', 'e-4', 'e-6'])
    const paged: string[] = []
    for (let last = all[0]; last !== undefined; ) {
      const before = paged.length === 0 ? undefined : { received: last.received, id: last.quarantineId }
      const page = quarantine.list({ limit: 2, before })
      paged.push(...page.map(({ quarantineId }) => quarantineId))
      last = page.at(-1)
    }
    expect(paged).toEqual(all.map(({ quarantineId }) => quarantineId))
  })

  test('a resubmitted entry says when', async () => {
    const [kept] = await put(refused('x'))
    clock.advance(5)
    expect(right(await quarantine.markResubmitted(kept?.quarantineId ?? ''))).toBe(true)
    expect(right(await quarantine.markResubmitted('f'.repeat(32)))).toBe(false)
    expect(quarantine.list({ limit: 1 })[0]?.resubmitted).toBe(START + 5)
  })
})

describe('the end of the 30 days', () => {
  test('a body lasts its 30 days, then its key and its row are gone and the newer ones stay', async () => {
    const [old] = await put(refused('old'))
    clock.advance(DAY_MS)
    const [newer] = await put(refused('newer'))
    clock.advance(29 * DAY_MS)
    expect(right(await quarantine.expire())).toEqual({ days: 0 })
    expect(quarantine.get(old?.quarantineId ?? '')).toBeDefined()
    clock.advance(DAY_MS)
    expect(right(await quarantine.expire())).toEqual({ days: 1 })
    expect(quarantine.get(old?.quarantineId ?? '')).toBeUndefined()
    expect(String(quarantine.get(newer?.quarantineId ?? '')?.body)).toBe('newer')
    expect(quarantine.list({ limit: 10 }).length).toBe(1)
    const [again] = await put(refused('old', { received: START }))
    expect(again?.hash, 'a guess can not be confirmed once the key is gone').not.toBe(old?.hash)
  })

  test('it is over also where nobody called expire', async () => {
    const [kept] = await put(refused('x'))
    clock.advance(32 * DAY_MS)
    expect(quarantine.get(kept?.quarantineId ?? '')).toBeUndefined()
    expect(quarantine.list({ limit: 10 })).toEqual([])
  })

  test('expiring frees room and leaves no bytes behind', async () => {
    await put(refused('x'.repeat(10_000)))
    const sealed = new DatabaseSync(join(directory, 'quarantine.sqlite'), { readOnly: true })
    const body = sealed.prepare('SELECT body FROM body').get()?.body
    sealed.close()
    if (!(body instanceof Uint8Array)) throw new Error('there is a body')
    const trace = Buffer.from(body.subarray(0, 64))
    expect(allBytes().includes(trace)).toBe(true)
    clock.advance(40 * DAY_MS)
    right(await quarantine.expire())
    expect(quarantine.usedBytes).toBe(0)
    expect(allBytes().includes(trace)).toBe(false)
  })
})

describe('limits and failures', () => {
  test('beyond the limit a body is refused, its smaller neighbour and a repetition are kept', async () => {
    await reopen(12_000)
    const outcomes = await quarantine.put([
      refused('a'.repeat(8_000)),
      refused('b'.repeat(8_000)),
      refused('c'),
      refused('a'.repeat(8_000)),
    ])
    expect(outcomes.map((outcome) => outcome._tag)).toEqual(['Right', 'Left', 'Right', 'Left'])
    const full = outcomes[1]
    expect(full !== undefined && E.isLeft(full) && full.left._tag).toBe('QuarantineFull')
    expect(right((await quarantine.put([refused('a'.repeat(8_000))]))[0])).toEqual(right(outcomes[0]))
    await reopen(12_000)
    expect((await quarantine.put([refused('b'.repeat(8_000))]))[0]?._tag).toBe('Left')
  })

  test('empty bodies count too', async () => {
    await reopen(5_000)
    const outcomes = await quarantine.put(
      Array.from({ length: 100 }, (_, index) => refused('', { id: String(index) })),
    )
    expect(outcomes.filter(E.isRight).length).toBeLessThan(10)
  })

  test('a key store that can not write fails the put, and the room is given back', async () => {
    await quarantine.close()
    const failing = createMemoryKeyStore({
      writer: (inner) => ({
        close: () => inner.close(),
        write: () => Promise.reject(new Error('fsync failed')),
      }),
    })
    quarantine = openQuarantine(directory, failing, clock)
    for (const round of ['flush', 'seal']) {
      const [outcome] = await quarantine.put([refused('x')])
      expect(outcome !== undefined && E.isLeft(outcome) && outcome.left._tag, round).toBe('KeyStoreFailed')
    }
    expect(quarantine.usedBytes).toBe(0)
  })

  test('a newer version and a damaged file are refused', async () => {
    await quarantine.close()
    const path = join(directory, 'quarantine.sqlite')
    const database = new DatabaseSync(path)
    database.exec('PRAGMA user_version = 2')
    database.close()
    expect(() => openQuarantine(directory, keys, clock)).toThrow(QuarantineUnreadable)
    writeFileSync(path, 'garbage'.repeat(1_000))
    expect(() => openQuarantine(directory, keys, clock)).toThrow(/damaged/)
    rmSync(path)
    quarantine = openQuarantine(directory, keys, clock)
  })
})
