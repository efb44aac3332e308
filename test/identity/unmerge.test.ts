// Theorem: a merge that is undone leaves every read model of the catalogue as if it had never been, whatever came in
// between; only what counts the stewards' own events tells of it.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StatedIdentity } from '../../engine/events/identity.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'
import { type ProjectorWorld, projectorWorld } from '../support/projector-world.ts'
import { SENT } from '../support/sent-events.ts'

const PEOPLE: readonly StatedIdentity[] = [
  ...[1, 2, 3, 4, 5, 6].map((n) => ({ namespace: 'user', value: `u${n}` })),
  ...[1, 2, 3, 4, 5].map((n) => ({ namespace: 'email', value: `p${n}@example.com` })),
]

/** Read models that count events by type: of the decisions themselves they tell. */
const COUNTING = ['daily_events', 'hourly_activity']

interface Told {
  readonly before: readonly object[]
  readonly between: readonly object[]
  readonly after: readonly object[]
  readonly pairs: readonly (readonly [StatedIdentity, StatedIdentity])[]
}

const person = fc.constantFrom(...PEOPLE)
/** Two users never become one. */
const address = fc.constantFrom(...PEOPLE.filter(({ namespace }) => namespace === 'email'))
const told: fc.Arbitrary<Told> = fc.record({
  before: fc.array(SENT, { minLength: 8, maxLength: 16 }),
  between: fc.array(SENT, { maxLength: 8 }),
  after: fc.array(SENT, { maxLength: 4 }),
  pairs: fc.array(fc.tuple(person, address), { minLength: 2, maxLength: 5 }),
})

/** Both logs have as many events at the same positions, about the same ids. */
async function play(
  { before, between, after, pairs }: Told,
  types: readonly [string, string],
  world: IntakeWorld,
) {
  const folded = projectorWorld(world)
  let sent = 0
  let apartAllAlong = pairs
  const fold = async () => {
    await folded.foldAll()
    apartAllAlong = strangers(folded, world, apartAllAlong)
    return rowsOf(folded)
  }
  const send = async (event: object) => {
    sent += 1
    const result = await world.sendOne({ id: `e${sent}`, ...event })
    expect(result.status).toBe('appended')
  }
  const decide = async (type: string) => {
    for (const identities of pairs) await send({ source: 'crm', type, identities, data: { steward: 'kim' } })
  }
  for (const event of before) await send(event)
  await fold()
  await decide(types[0])
  const merged = await fold()
  for (const event of between) await send(event)
  await fold()
  await decide(types[1])
  const apart = await fold()
  for (const event of after) await send(event)
  const end = await fold()
  await folded.close()
  return { apartAllAlong, merged, apart, end }
}

async function rowsOf(folded: ProjectorWorld): Promise<Readonly<Record<string, readonly StoredRow[]>>> {
  const rows = await folded.rows()
  for (const name of COUNTING) expect(rows[name]).toBeDefined()
  return Object.fromEntries(Object.entries(rows).filter(([name]) => !COUNTING.includes(name)))
}

/** The pairs that nothing but the decision would ever have put together. */
function strangers(folded: ProjectorWorld, world: IntakeWorld, pairs: Told['pairs']): Told['pairs'] {
  const profileOf = ({ namespace, value }: StatedIdentity) => {
    const id = world.keyStore.find(namespace, value)
    return id === undefined ? value : (folded.store.writer.profileOf(id) ?? id)
  }
  return pairs.filter(([a, b]) => profileOf(a) !== profileOf(b))
}

const ann = { namespace: 'email', value: 'p1@example.com' }
const bob = { namespace: 'email', value: 'p2@example.com' }
const STORY: Told = {
  before: [
    {
      source: 'web',
      type: 'cdp.identify',
      data: { userId: 'u1', traits: { email: ann.value, name: 'Ann' } },
    },
    { source: 'crm', type: 'lead.created', data: { lead_id: 'l1', email: bob.value, name: 'Bob' } },
  ],
  between: [{ source: 'web', type: 'cdp.page', data: { userId: 'u1', name: 'Home' } }],
  after: [
    {
      source: 'web',
      type: 'cdp.identify',
      data: { userId: 'u1', traits: { email: ann.value, plan: 'gold' } },
    },
  ],
  pairs: [[ann, bob]],
}

describe('a merge that is undone', () => {
  test('leaves every read model as if it had never been', async () => {
    let merges = 0
    await fc.assert(
      fc.asyncProperty(told, async (story) => {
        const first = intakeWorld()
        const never = await play(story, ['identity.kept_apart', 'identity.kept_apart'], first)
        const pairs = never.apartAllAlong
        fc.pre(pairs.length > 0)
        const control = intakeWorld({ keyStore: first.keyStore })
        const undone = intakeWorld({ keyStore: first.keyStore })
        const without = await play(
          { ...story, pairs },
          ['identity.kept_apart', 'identity.kept_apart'],
          control,
        )
        const found = await play({ ...story, pairs }, ['identity.linked', 'identity.cut'], undone)
        if (JSON.stringify(found.merged) !== JSON.stringify(without.merged)) merges += 1
        expect(found.apart).toEqual(without.apart)
        expect(found.end).toEqual(without.end)
        for (const world of [control, undone]) {
          await world.intake.close()
          await world.quarantine.close()
        }
        await first.close()
      }),
      {
        numRuns: process.env['HEADWATER_TEST_LONG'] === undefined ? 8 : 300,
        examples: [[STORY]],
        includeErrorInReport: true,
      },
    )
    // Some merge changes what is shown, or the theorem would say nothing.
    expect(merges).toBeGreaterThan(0)
  })
})
