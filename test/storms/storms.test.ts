// Theorem: whatever storm of merges comes, each event costs a bounded number of look-ups and writes however many came before
// it, nobody has the thread for longer than one profile's members take, and who is who is the partition.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { evidenceOf } from '../../engine/identity/evidence.ts'
import { DEFAULT_RULES, type IdentityRules } from '../../engine/identity/identity.ts'
import { partition } from '../../engine/identity/partition.ts'
import { projections } from '../../projections/catalog.ts'
import { stormWorld } from './storm-world.ts'

const IS_LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
if (IS_LONG) vi.setConfig({ testTimeout: 300_000 })
/** Read models whose rows are joined from all members of a profile. */
const JOINED = projections.filter(({ table }) => table.grain === 'profile').length

/** Per event: its own states and the membership and evidence of whom it names. */
const LOOK_UPS_PER_EVENT = 4 * JOINED
const WRITES_PER_EVENT = 30

let storm: ReturnType<typeof stormWorld>
beforeEach(() => {
  storm = stormWorld()
})
afterEach(() => storm.close())

const linked = (a: string, b: string) => ({
  ...{ type: 'identity.linked', source: 'crm', identities: [a, b], data: { steward: 'kim' } },
})
const page = (anonymousId: string) => ({ type: 'cdp.page', data: { anonymousId, name: 'Home' } })
const identify = (ids: object, traits: object) => ({ type: 'cdp.identify', data: { ...ids, traits } })

async function checkMembers(rules: IdentityRules = DEFAULT_RULES): Promise<ReadonlyMap<string, number>> {
  const evidence = []
  for await (const batch of storm.world.log.read()) evidence.push(...batch.flatMap(evidenceOf))
  const sizes = new Map<string, number>()
  for (const { id, members } of partition(evidence, rules).profiles) {
    sizes.set(id, members.length)
    for (const member of members) expect(storm.store.writer.profileOf(member) ?? member).toBe(id)
  }
  return sizes
}

describe('a chain of 100 merges', () => {
  const LENGTH = 100
  const chain = Array.from({ length: LENGTH }, (_, i) => linked(`anonymous:a${i}`, `anonymous:a${i + 1}`))

  test.each([
    ['one after the other', chain],
    ['the last link first', chain.toReversed()],
    ['pairs first', [...chain.filter((_, i) => i % 2 === 0), ...chain.filter((_, i) => i % 2 === 1)]],
  ])('%s', async (_, events) => {
    await storm.send(Array.from({ length: LENGTH + 1 }, (_, i) => page(`a${i}`)))
    const work = await storm.send(events, 1)
    expect(work.lookUps).toBeLessThan(LENGTH * LOOK_UPS_PER_EVENT)
    expect(work.longestStep).toBeLessThan(LOOK_UPS_PER_EVENT)
    expect([...(await checkMembers()).values()]).toEqual([LENGTH + 1])
  })

  test('cut in the middle falls in two, and heals', async () => {
    await storm.send(chain)
    const decide = (type: string) => ({ ...linked('anonymous:a50', 'anonymous:a51'), type })
    const work = await storm.send([decide('identity.cut')])
    expect([...(await checkMembers()).values()].sort()).toEqual([50, 51])
    expect(work.lookUps).toBeLessThan(LENGTH * 2 + JOINED * LENGTH)
    expect(work.written).toBeLessThan(LENGTH + WRITES_PER_EVENT)
    await storm.send([decide('identity.cut_lifted')])
    expect([...(await checkMembers()).values()]).toEqual([LENGTH + 1])
  })
})

describe('a profile of many identities', () => {
  test('grows in proportion, and shows what all of them did', async () => {
    const grown = []
    const people = IS_LONG ? 1_000 : 400
    for (let from = 0; from < people; from += people / 2) {
      const ids = Array.from({ length: people / 2 }, (_, i) => `a${from + i}`)
      await storm.send(ids.map(page))
      grown.push(
        await storm.send(
          ids.map((id) => identify({ anonymousId: id }, { email: 'x@example.com' })),
          5,
        ),
      )
    }
    const [first, second] = grown.map(({ lookUps, written }) => lookUps + written)
    expect(second).toBeLessThan(2 * (first ?? 0))
    expect([...(await checkMembers()).values()]).toEqual([people + 1])
    const id = storm.profileOf('email', 'x@example.com') ?? ''
    const { value } = await storm.reader.get(['active_people'], id)
    expect(value.members).toHaveLength(people + 1)
    expect(value.rows.get('active_people')).toHaveLength(1)

    const more = await storm.send([identify({ anonymousId: 'a1' }, { email: 'x@example.com', name: 'Jo' })])
    expect(more.lookUps).toBeLessThan(JOINED * people)
    expect(more.longestStep).toBeLessThanOrEqual(people + 1)
    expect(more.written).toBeLessThan(WRITES_PER_EVENT)
    const { value: shown } = await storm.reader.get(['profile'], id)
    expect(shown.rows.get('profile')).toMatchObject([{ row: { name: 'Jo' } }])
  })
})

describe('one device shared by many people', () => {
  const PEOPLE = IS_LONG ? 10_000 : 1_500
  const crowd = Array.from({ length: PEOPLE }, (_, i) =>
    identify({ anonymousId: 'tablet', userId: `u${i}` }, { name: `n${i}` }),
  )

  test('stays with one of them; the others wait for review, at the same cost each', async () => {
    const halves = [crowd.slice(0, PEOPLE / 2), crowd.slice(PEOPLE / 2)]
    const [first, second] = [await storm.send(halves[0] ?? [], 25), await storm.send(halves[1] ?? [], 25)]
    expect(second.lookUps).toBeLessThan(1.2 * first.lookUps)
    expect(second.written).toBeLessThan(1.2 * first.written)
    expect(first.lookUps).toBeLessThan((PEOPLE / 2) * LOOK_UPS_PER_EVENT)
    const sizes = [...(await checkMembers()).values()]
    expect([sizes.length, Math.max(...sizes)]).toEqual([PEOPLE, 2])
    const { value } = await storm.reader.review(0, 500)
    expect(value).toHaveLength(500)
  })

  test('comes together when rules allow it, up to the greatest size, and falls apart again', async () => {
    await storm.send(crowd, 500)
    const publish = (rules: object) => ({
      type: 'rules.published',
      source: 'crm',
      data: { kind: 'identity', rules },
    })
    const together = await storm.send([publish({ limits: { user: null }, maxComponent: 1_000 })])
    const sizes = await checkMembers({
      ...DEFAULT_RULES,
      limits: { email: 5, phone: 5 },
      maxComponent: 1_000,
    })
    expect(Math.max(...sizes.values())).toBe(1_000)
    // One read for each identity, and a state of each in every joined read model, whole profiles at a time.
    expect(together.lookUps).toBeLessThan((PEOPLE + 1) * (4 + 2 * JOINED))
    const apart = await storm.send([publish({ blocked: { namespaces: ['anonymous'] } })])
    expect(Math.max(...(await checkMembers({ ...DEFAULT_RULES, maxComponent: 1 })).values())).toBe(1)
    expect(apart.lookUps).toBeLessThan((PEOPLE + 1) * (4 + 2 * JOINED))
    expect((await storm.reader.review(0, 1)).value).toEqual([])
  })
})
