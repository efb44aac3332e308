/**
 * Theorem: as of the head, one profile folded from the log's index is the row that is served, for every view of people;
 * as of any earlier moment it is what an engine serves that was only ever fed the events that count at that moment.
 * A record's deadlines fall due in the past as they did then.
 */

import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { momentOf } from '../../api/history/moment.ts'
import { pastProfiles } from '../../api/history/past-profile.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { toPlain } from '../../engine/log/recorded.ts'
import { LazyEvent } from '../../engine/privacy/lazy-event.ts'
import type { Opener } from '../../engine/privacy/privacy.ts'
import { counts, foldEntity, type Moment } from '../../engine/projector/asof.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import { projections } from '../../projections/catalog.ts'
import { lead } from '../../projections/crm/lead.ts'
import { arrayLog } from '../api/array-log.ts'
import { type IntakeWorld, intakeWorld, NOON } from '../support/intake-world.ts'
import { projectorWorld } from '../support/projector-world.ts'
import { story, type Told } from './story.ts'

const PEOPLE = projections.filter(({ table }) => table.grain === 'profile')
const RUNS = 8
const DAY_MS = 86_400_000

async function tell(world: IntakeWorld, told: readonly Told[]): Promise<readonly RecordedEvent[]> {
  for (const { event, afterMs } of told) {
    world.clock.advance(afterMs)
    await world.sendOne(event)
  }
  const events: RecordedEvent[] = []
  for await (const batch of world.log.read()) events.push(...batch.map(toPlain))
  return events
}

/** What an engine serves that knows these events only. */
async function servedFrom(world: IntakeWorld, events: readonly RecordedEvent[]) {
  const log = arrayLog()
  for (const event of events) log.push(event)
  const served = projectorWorld(world)
  await served.foldAll({ ...world, log })
  return served
}

/** As the process opens them. */
function openOf(world: IntakeWorld) {
  return (event: RecordedEvent) => new LazyEvent(event, world.keyStore, registry)
}

async function checkMoment(
  world: IntakeWorld,
  past: ReturnType<typeof pastProfiles>,
  moment: Moment,
  events: readonly RecordedEvent[],
): Promise<void> {
  const then = events.filter((event) => counts(moment, event))
  const served = await servedFrom(world, then)
  const everybody = new Set(events.flatMap(({ identities }) => identities.map(({ id }) => id)))
  const known = new Set(then.flatMap(({ identities }) => identities.map(({ id }) => id)))
  for (const id of everybody) {
    const found = await past(id, moment)
    const profile = E.isRight(found) ? found.right : undefined
    expect(profile !== undefined, `${id} was known`).toBe(known.has(id))
    if (profile === undefined) continue
    const members = (await served.reader.members([id])).value.get(id)
    expect({ profile: profile.id, members: profile.members }).toEqual(members)
    const answer = await served.reader.get(
      PEOPLE.map(({ name }) => name),
      id,
    )
    for (const projection of PEOPLE) {
      expect(profile.fold(projection).rows, projection.name).toEqual(
        answer.value.rows.get(projection.name) ?? [],
      )
    }
  }
  await served.close()
}

async function withStory<T>(
  told: readonly Told[],
  check: (world: IntakeWorld, events: readonly RecordedEvent[]) => Promise<T>,
): Promise<T> {
  const world = intakeWorld()
  try {
    return await check(world, await tell(world, told))
  } finally {
    await world.close()
  }
}

function pastOf(world: IntakeWorld) {
  const byName = new Map(projections.map((projection) => [projection.name, projection]))
  return pastProfiles({ log: world.log, projections: byName, openEvent: openOf(world) })
}

describe('a profile', () => {
  test('as of the head is the row that is served', async () => {
    await fc.assert(
      fc.asyncProperty(story, (told) =>
        withStory(told, async (world, events) => {
          const { position, received } = world.log.head()
          await checkMoment(world, pastOf(world), { by: 'received', position, received }, events)
        }),
      ),
      { numRuns: RUNS },
    )
  })

  test('opens each event once, whatever is folded of it', async () => {
    const traits = { email: 'jane@example.com', phone: '+442079460018' }
    const jane = { id: '1', source: 'web', type: 'cdp.identify', time: new Date(NOON).toISOString() }
    const told = [{ event: { ...jane, data: { userId: 'u1', traits } }, afterMs: 0 }]
    await withStory(told, async (world, events) => {
      let decrypted = 0
      const counting: Opener = {
        open: (part, event) => {
          decrypted += 1
          return world.keyStore.open(part, event)
        },
      }
      const openEvent = (event: RecordedEvent) => new LazyEvent(event, counting, registry)
      const byName = new Map(projections.map((projection) => [projection.name, projection]))
      const past = pastProfiles({ log: world.log, projections: byName, openEvent })
      const { position, received } = world.log.head()
      const [id = ''] = events[0]?.identities.map((identity) => identity.id) ?? []
      const found = await past(id, { by: 'received', position, received })
      const then = E.isRight(found) ? found.right : undefined
      for (const projection of PEOPLE) expect(then?.fold(projection)).toEqual(then?.fold(projection))
      expect(decrypted).toBe(events[0]?.sealed.length)
    })
  })

  test('goes by the configuration of that moment', async () => {
    const phone = (id: string, source: string, value: string) => ({
      event: {
        ...{ id, source, type: 'cdp.identify', time: new Date(NOON - DAY_MS).toISOString() },
        data: { userId: 'u1', traits: { phone: value } },
      },
      afterMs: 0,
    })
    const registered = (source: string, priority: number, days: number) => ({
      event: {
        ...{ id: `source-${source}`, source, type: 'source.registered' },
        ...{ time: new Date(NOON + days * DAY_MS).toISOString(), data: { source, priority } },
      },
      afterMs: 2 * DAY_MS,
    })
    const told = [
      phone('1', 'erp', '+442079460018'),
      phone('2', 'web', '+442079460999'),
      registered('web', 2, 1),
      registered('erp', 1, 2),
    ]
    await withStory(told, async (world, events) => {
      const past = pastOf(world)
      const [id] = events[0]?.identities.map((identity) => identity.id) ?? []
      const view = PEOPLE.find(({ name }) => name === 'profile')
      if (id === undefined || view === undefined) throw new Error('somebody has a profile')
      const phoneAt = async (moment: Moment) => {
        const found = await past(id, moment)
        return E.isRight(found) ? found.right?.fold(view).rows[0]?.row.phone : found.left
      }
      const head = world.log.head()
      const [, second, third] = events
      if (second === undefined || third === undefined) throw new Error('four events were told')
      const occurred = (days: number): Moment => ({ by: 'occurred', ...head, time: NOON + days * DAY_MS })
      // Nobody ranked: at one instant the later id wins.
      expect(await phoneAt({ by: 'received', ...second })).toBe('+442079460999')
      expect(await phoneAt(occurred(0))).toBe('+442079460999')
      expect(await phoneAt({ by: 'received', ...third })).toBe('+442079460999')
      expect(await phoneAt(occurred(1))).toBe('+442079460999')
      expect(await phoneAt({ by: 'received', ...head })).toBe('+442079460018')
      expect(await phoneAt(occurred(2))).toBe('+442079460018')
      expect(await phoneAt(occurred(-2))).toBe(undefined)
    })
  })

  test('as of an earlier moment is what an engine fed only what counts then would serve', async () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    const day = fc.integer({ min: -10, max: 1 })
    await fc.assert(
      fc.asyncProperty(story, share, day, (told, part, days) =>
        withStory(told, async (world, events) => {
          const past = pastOf(world)
          const head = world.log.head()
          const at = events[Math.floor(part * (events.length - 1))]
          if (at === undefined) throw new Error('a story has events')
          const { position, received } = at
          await checkMoment(world, past, { by: 'received', position, received }, events)
          await checkMoment(world, past, { by: 'occurred', ...head, time: NOON + days * DAY_MS }, events)
        }),
      ),
      { numRuns: RUNS },
    )
  })
})

test("a record's deadlines fall due as they did then", async () => {
  await fc.assert(
    fc.asyncProperty(story, (told) =>
      withStory(told, async (world, events) => {
        const leads = new Set(
          events.flatMap(({ identities }) =>
            identities.filter(({ namespace }) => namespace === 'lead').map(({ id }) => id),
          ),
        )
        fc.pre(leads.size > 0)
        for (const { position, received } of events) {
          const then = events.filter((event) => event.position <= position)
          const served = await servedFrom(world, then)
          const moment: Moment = { by: 'received', position, received }
          const rows = await served.rowsOf('lead')
          const config = new ConfigurationState()
          for (const event of then) {
            if ((lead.configuredBy as readonly string[]).includes(event.type))
              config.apply(openOf(world)(event))
          }
          for (const key of leads) {
            const projection = projections.find(({ name }) => name === 'lead')
            if (projection === undefined) throw new Error('there is a lead view')
            const own = events.filter(({ identities }) => identities.some(({ id }) => id === key))
            const folded = foldEntity({ projection, key, atoms: [key], config }, own, moment, openOf(world))
            const expected = rows.filter((row) => row.key === key).map(({ part, row }) => [part, row])
            expect([...folded.rows].map(([part, row]) => [part, row])).toEqual(expected)
          }
          await served.close()
        }
      }),
    ),
    { numRuns: 6 },
  )
})

describe('a moment', () => {
  test('is found in a long log as in a short one', async () => {
    const log = arrayLog(1_000)
    const events = Array.from({ length: 9_000 }, (_, i) => ({
      position: 1 + i + 3 * Math.floor(i / 7),
      received: 1_000 + Math.floor(i / 5),
    }))
    for (const [i, event] of events.entries()) log.push({ ...event, id: String(i) })
    const last = (holds: (event: (typeof events)[number]) => boolean) =>
      events.filter(holds).at(-1) ?? { position: 0, received: 0 }
    for (const time of [0, 999, 1_000, 1_001, 1_500, 2_799, 2_800, 9_999]) {
      const moment = await momentOf(log, { _tag: 'Instant', time }, 'received')
      expect(moment).toEqual({ by: 'received', ...last(({ received }) => received <= time) })
    }
    for (const position of [1, 7, 8, 9, 1_023, 1_024, 1_025, 2_048, 4_096, 8_191, 8_192, 12_000]) {
      const moment = await momentOf(log, { _tag: 'Position', position }, 'received')
      expect(moment).toEqual({ by: 'received', ...last((event) => event.position <= position) })
    }
  })

  test('is found by its instant or position, gaps and equal instants or not', async () => {
    const placed = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 3 })), {
        minLength: 1,
        maxLength: 20,
      })
      .map((steps) => {
        let position = 0
        let received = 1_000
        return steps.map(([gap, ms]) => {
          position += gap
          received += ms
          return { position, received }
        })
      })
    await fc.assert(
      fc.asyncProperty(placed, fc.nat({ max: 90 }), async (events, n) => {
        const log = arrayLog()
        for (const [i, event] of events.entries()) log.push({ ...event, id: String(i) })
        const time = 995 + n
        const known = events.filter(({ received }) => received <= time).at(-1) ?? { position: 0, received: 0 }
        expect(await momentOf(log, { _tag: 'Instant', time }, 'received')).toEqual({
          by: 'received',
          ...known,
        })
        const position = n + 1
        const upTo = events.filter((event) => event.position <= position).at(-1) ?? {
          position: 0,
          received: 0,
        }
        const beyond = position > log.head().position
        expect(await momentOf(log, { _tag: 'Position', position }, 'received')).toEqual(
          beyond ? undefined : { by: 'received', ...upTo },
        )
      }),
      { numRuns: 200 },
    )
  })
})
