/**
 * Theorem: without asking only those are linked who are sure enough by weights that can be relied on, with names and birth
 * date (or name and address) that speak for it and nothing that speaks against it, each profile once; by an event of the
 * engine's own that names the model; never beyond a limit or against a steward; and a cut undoes it for good.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LINK_PROBABILITY, surestOf } from '../../api/duplicates/automatic.ts'
import type { FoundCandidate, KindCount } from '../../api/duplicates/find.ts'
import { caughtUp, send, temporaryDirectory } from '../erasure/support.ts'
import { crowd, identify, openWorld, sendCrowd, visit, type World, ZEPHYRIN, ZEPHYRINE } from './support.ts'

const COUNT: KindCount = {
  kind: 'person',
  profiles: { compared: 2, sparse: 0, leftOut: 0 },
  pairs: { compared: 1, leftOut: 0 },
  candidates: { kept: 1, decided: 0, households: 0, leftOut: 0 },
  reliable: true,
}
const reason = (field: string, level = 'same', bits = 8) => ({ field, level, bits })
const TOLD = [reason('first_name'), reason('last_name'), reason('birth_date')]

function candidate(change: Partial<FoundCandidate> = {}): FoundCandidate {
  const pair = { kind: 'person', a: 'a', b: 'b' } as const
  return { ...pair, bits: 20, probability: LINK_PROBABILITY, priorBits: -4, reasons: TOLD, ...change }
}

describe('sure enough', () => {
  const linked = (one: FoundCandidate, count: Partial<KindCount> = {}) =>
    surestOf({ candidates: [one], kinds: [{ ...COUNT, ...count }] }).length === 1

  test.each<[string, boolean, Partial<FoundCandidate>, Partial<KindCount>]>([
    ['at the threshold', true, {}, {}],
    ['below it', false, { probability: LINK_PROBABILITY - 1e-6 }, {}],
    ['weights that are not to be relied on', false, {}, { reliable: false }],
    ['a field against it', false, { reasons: [...TOLD, reason('phone', 'same', -0.1)] }, {}],
    [
      'a field that differs and is learnt to say nothing',
      false,
      { reasons: [...TOLD, reason('city', 'different', 0)] },
      {},
    ],
    ['an absent field', true, { reasons: [...TOLD, reason('phone', 'absent', 0)] }, {}],
    ['no birth date', false, { reasons: [...TOLD.slice(0, 2), reason('birth_date', 'absent', 0)] }, {}],
    ['no first name', false, { reasons: TOLD.slice(1) }, {}],
    [
      'a company by name and address',
      true,
      { kind: 'company', reasons: [reason('name'), reason('address')] },
      { kind: 'company' },
    ],
    [
      'a company by its name alone',
      false,
      { kind: 'company', reasons: [reason('name')] },
      { kind: 'company' },
    ],
  ])('%s: %s', (_, isLinked, change, count) => {
    expect(linked(candidate(change), count)).toBe(isLinked)
  })

  test('each profile once, the surest first', () => {
    const pairs = [candidate(), candidate({ a: 'b', b: 'c' }), candidate({ a: 'c', b: 'd' })]
    expect(surestOf({ candidates: pairs, kinds: [COUNT] })).toEqual([pairs[0], pairs[2]])
  })
})

describe('an engine in the mode link', () => {
  let directory: ReturnType<typeof temporaryDirectory>
  let world: World
  beforeAll(async () => {
    directory = temporaryDirectory()
    world = await openWorld(directory.path, { duplicates: 'link' })
    await sendCrowd(world.engine, 150)
    await send(world.engine, identify('z1', ZEPHYRINE), visit('z2', ZEPHYRIN))
    // Two who are users of the same name: a limit keeps them apart.
    const [{ phone: _, ...other } = ZEPHYRINE] = crowd(1, 99)
    const again = { ...other, email: 'other@work.example' }
    await send(world.engine, identify('u1', other), identify('u2', again))
  }, 60_000)
  afterAll(async () => {
    await world.close()
    directory.remove()
  })

  async function profileOf(namespace: string, value: string): Promise<string> {
    await caughtUp(world.engine)
    const id = world.engine.keyStore.find(namespace, value) ?? ''
    return (await world.engine.store.members([id])).value.get(id)?.profile ?? id
  }

  test('links the sure pair, by an event that says who and by which model', async () => {
    const before = world.engine.log.head().position
    const status = await world.look()
    expect(status).toMatchObject({ mode: 'link', failure: null, run: { linked: 1, candidates: 2 } })
    expect(await profileOf('user', 'z1')).toBe(await profileOf('anonymous', 'z2'))
    expect(world.engine.log.head().position).toBe(before + 1)
    const event = await world.engine.log.at(before + 1)
    expect(event).toMatchObject({
      ...{ source: 'headwater', type: 'identity.linked' },
      data: { steward: 'headwater', rule: 'headwater-duplicates/1' },
    })
    expect(JSON.stringify(event?.data)).not.toMatch(/zephyrin|z1|z2/i)
  })

  test('not beyond a limit: those stay proposed, with what stands in the way', async () => {
    const { data } = await world.list()
    expect(data).toMatchObject([{ obstacle: { reason: 'limit', detail: 'user 2 > 1' } }])
    expect(await profileOf('user', 'u1')).not.toBe(await profileOf('user', 'u2'))
  })

  test('a cut of the pair that was linked takes them apart again, and the next run leaves them so', async () => {
    const identities = ['user:z1', `email:${ZEPHYRIN.email}`]
    await send(world.engine, {
      ...{ id: 'cut', source: 'steward', type: 'identity.cut', identities, data: { steward: 'kim' } },
    })
    expect(await profileOf('user', 'z1')).not.toBe(await profileOf('anonymous', 'z2'))
    expect((await world.look()).run).toMatchObject({ linked: 0, kinds: [{ candidates: { decided: 1 } }, {}] })
    expect(await profileOf('user', 'z1')).not.toBe(await profileOf('anonymous', 'z2'))
  })
})
