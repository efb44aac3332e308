/**
 * Theorem: an event that is opened when it is first asked for says what one opened at once says, its erasure and its
 * damage included, and costs no decryption as long as nobody asks for its data.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { registry } from '../../engine/events/registry.ts'
import { LazyEvent } from '../../engine/privacy/lazy-event.ts'
import { type Opener, SealBroken } from '../../engine/privacy/privacy.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { IntakeWorld } from '../support/intake-world.ts'
import { intakeWorld } from '../support/intake-world.ts'

let world: IntakeWorld

beforeEach(async () => {
  world = intakeWorld()
  await world.send(
    {
      id: '1',
      source: 'web',
      type: 'cdp.identify',
      data: { userId: 'u1', traits: { email: 'A@Example.com' } },
    },
    {
      id: '2',
      source: 'web',
      type: 'made.up',
      identities: ['user:u1'],
      data: { n: 1, nested: { a: [null, ''] } },
    },
    {
      id: '3',
      source: 'crm',
      type: 'opportunity.created',
      data: { opportunity_id: 'd1', amount: '5', owner: 'kim' },
    },
  )
})

afterEach(async () => {
  await world.close()
})

const PROPERTIES = ['data', 'normalised', 'erased'] as const

async function compareAll(): Promise<number> {
  let erased = 0
  for await (const batch of world.log.read()) {
    for (const recorded of batch) {
      const atOnce = openEvent(recorded, world.keyStore, registry)
      const lazy = new LazyEvent(recorded, world.keyStore, registry)
      for (const name of PROPERTIES) expect(lazy[name]).toEqual(atOnce[name])
      const { data: _data, normalised: _normalised, erased: count, ...envelope } = atOnce
      expect({ ...lazy }).toEqual(envelope)
      erased += count
    }
  }
  return erased
}

test('it says what an event opened at once says, erased or not', async () => {
  expect(await compareAll()).toBe(0)
  const id = world.keyStore.find('user', 'u1')
  expect(id).toBeDefined()
  await world.keyStore.destroyOwner(id === undefined ? [] : [id])
  expect(await compareAll()).toBe(2)
})

test('it decrypts once, and only when asked; what is broken throws each time', async () => {
  let opened = 0
  const counting: Opener = {
    open(part, context) {
      opened += 1
      return world.keyStore.open(part, context)
    },
  }
  const broken: Opener = {
    open() {
      throw new SealBroken('key')
    },
  }
  const recorded = await world.log.at(1)
  if (recorded === undefined) throw new Error('the first event is there')
  const lazy = new LazyEvent(recorded, counting, registry)
  expect([lazy.type, lazy.time, lazy.identities.length, opened]).toEqual([
    'cdp.identify',
    recorded.time,
    recorded.identities.length,
    0,
  ])
  expect(lazy.data).toBe(lazy.data)
  expect(lazy.normalised).toMatchObject({ 'traits.email': 'a@example.com' })
  expect(opened).toBe(1)
  const damaged = new LazyEvent(recorded, broken, registry)
  for (const name of PROPERTIES) expect(() => damaged[name]).toThrow(SealBroken)
})
