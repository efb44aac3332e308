/**
 * Theorem: a whole read model folded as of a moment is what the projector had at that position (received), and what a
 * plain fold of only those events that had happened, in the order of their time, comes to (occurred); for every view of
 * the catalogue, every position, and however the work is cut into windows and commits. One profile from the log's
 * index is the row of the whole table.
 */
import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { pastProfiles } from '../../api/history/past-profile.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { counts, type Moment } from '../../engine/projector/asof.ts'
import { eventsAt } from '../../engine/projector/past-log.ts'
import { columnList, decodeRow, encodeRow } from '../../engine/store/cells.ts'
import type { StoreReader } from '../../engine/store/store.ts'
import { projections } from '../../projections/catalog.ts'
import { arrayLog } from '../api/array-log.ts'
import { story, type Told } from '../history/story.ts'
import { type IntakeWorld, intakeWorld, NOON } from '../support/intake-world.ts'
import { projectorWorld } from '../support/projector-world.ts'
import { SENT } from '../support/sent-events.ts'
import { allRows, foldedAt, openOf, tell } from './past-world.ts'
import { plainRows } from './plain-fold.ts'

const DAY_MS = 86_400_000
const RUNS = process.env.HEADWATER_TEST_LONG === undefined ? 1 : 40

const sent = fc
  .array(fc.tuple(SENT, fc.integer({ min: 0, max: 2 })), { minLength: 1, maxLength: 12 })
  .map((all) =>
    all.map(([event, days], i): Told => ({ event: { id: `s${i}`, ...event }, afterMs: days * DAY_MS })),
  )
const anyStory = fc.oneof(story, sent)
const size = fc.constantFrom(1, 2, 3, 50)

async function withStory(
  told: readonly Told[],
  check: (world: IntakeWorld, events: readonly RecordedEvent[]) => Promise<void>,
): Promise<void> {
  const world = intakeWorld()
  try {
    await check(world, await tell(world, told))
  } finally {
    await world.close()
  }
}

test('received: at every position, what the projector had there', async () => {
  await fc.assert(
    fc.asyncProperty(anyStory, size, (told, each) =>
      withStory(told, async (world, events) => {
        const log = arrayLog()
        for (const event of events) {
          log.push(event)
          const served = projectorWorld(world)
          await served.foldAll({ ...world, log })
          const { position, received } = event
          const past = await foldedAt(world, { by: 'received', position, received }, each)
          for (const { name } of projections)
            expect(await allRows(past, name), `${name} at ${position}`).toEqual(await served.rowsOf(name))
          const everybody = [...new Set(events.flatMap(({ identities }) => identities.map(({ id }) => id)))]
          expect((await past.members(everybody)).value).toEqual(
            (await served.reader.members(everybody)).value,
          )
          await served.close()
          await past.close()
        }
      }),
    ),
    { numRuns: 4 * RUNS },
  )
})

test('a read model folded alone is what it is among the others', async () => {
  await fc.assert(
    fc.asyncProperty(anyStory, (told) =>
      withStory(told, async (world) => {
        const moment: Moment = { by: 'received', ...world.log.head() }
        const all = await foldedAt(world, moment, 50)
        for (const projection of projections) {
          const alone = await foldedAt(world, moment, 50, [projection])
          const { name } = projection
          expect(await allRows(alone, name), name).toEqual(await allRows(all, name))
          await alone.close()
        }
        await all.close()
      }),
    ),
    { numRuns: 3 * RUNS },
  )
})

test('identity rules count from when they were published, and not before', async () => {
  const identify = (id: string, email: string): Told => ({
    event: { id, source: 'web', type: 'cdp.identify', data: { userId: 'u1', traits: { email } } },
    afterMs: DAY_MS,
  })
  const rules = { kind: 'identity', version: '2', rules: { limits: { email: 1 } } }
  const published = { id: 'r', source: 'crm', type: 'rules.published', data: rules }
  const told = [
    identify('a', 'a@example.com'),
    identify('b', 'b@example.com'),
    { event: published, afterMs: DAY_MS },
  ]
  await withStory(told, async (world, events) => {
    expect(events).toHaveLength(3)
    const sizes: number[] = []
    for (const { position, received } of events) {
      const past = await foldedAt(world, { by: 'received', position, received }, 50)
      const id = events[1]?.identities[0]?.id ?? ''
      const byName = new Map(projections.map((projection) => [projection.name, projection]))
      const profiles = pastProfiles({ log: world.log, projections: byName, openEvent: openOf(world) })
      const found = await profiles(id, { by: 'received', position, received })
      const members = E.isRight(found) ? found.right?.members : []
      expect(members).toEqual((await past.members([id])).value.get(id)?.members)
      sizes.push(members?.length ?? 0)
      await past.close()
    }
    expect(sizes).toEqual([2, 3, 2])
  })
})

test('occurred: what had happened by then, in the order of time', async () => {
  const day = fc.integer({ min: -12, max: 30 })
  await fc.assert(
    fc.asyncProperty(anyStory, fc.array(day, { minLength: 3, maxLength: 5 }), size, (told, days, each) =>
      withStory(told, async (world, events) => {
        for (const on of days) await checkOccurred(world, events, NOON + on * DAY_MS, each)
      }),
    ),
    { numRuns: 8 * RUNS },
  )
})

async function checkOccurred(
  world: IntakeWorld,
  events: readonly RecordedEvent[],
  time: number,
  each: number,
): Promise<void> {
  const moment: Moment = { by: 'occurred', ...world.log.head(), time }
  const past = await foldedAt(world, moment, each)
  const then = events.filter((event) => counts(moment, event))
  for (const projection of projections) {
    const columns = columnList(projection.table)
    const expected = plainRows(projection, then, time, openOf(world))
    const stored = [...expected].map(
      ([key, row]) => [key, decodeRow(columns, encodeRow(columns, row), 0)] as const,
    )
    const found = await allRows(past, projection.name)
    const byKey = found.map(({ key, part, row }) => [`${key} ${part}`, row] as const)
    expect(new Map(byKey), projection.name).toEqual(new Map(stored))
  }
  await past.close()
}

test('one profile from the index is the row of the whole table', async () => {
  const people = projections.filter(({ table }) => table.grain === 'profile')
  const day = fc.integer({ min: -12, max: 30 })
  await fc.assert(
    fc.asyncProperty(anyStory, day, fc.double({ min: 0, max: 1, noNaN: true }), (told, days, share) =>
      withStory(told, async (world, events) => {
        const { position, received } = events[Math.floor(share * (events.length - 1))] ?? world.log.head()
        const byName = new Map(projections.map((projection) => [projection.name, projection]))
        const profiles = pastProfiles({ log: world.log, projections: byName, openEvent: openOf(world) })
        const occurred: Moment = { by: 'occurred', ...world.log.head(), time: NOON + days * DAY_MS }
        for (const moment of [{ by: 'received', position, received } as const, occurred]) {
          const past = await foldedAt(world, moment, 50)
          for (const id of new Set(events.flatMap(({ identities }) => identities.map((each) => each.id))))
            await checkPerson(past, await profiles(id, moment), id, people)
          await past.close()
        }
      }),
    ),
    { numRuns: 5 * RUNS },
  )
})

type Found = Awaited<ReturnType<ReturnType<typeof pastProfiles>>>

async function checkPerson(
  past: StoreReader,
  found: Found,
  id: string,
  people: typeof projections,
): Promise<void> {
  const profile = E.isRight(found) ? found.right : undefined
  const names = people.map(({ name }) => name)
  const { profile: key, rows } = (await past.get(names, id)).value
  if (profile !== undefined) expect(profile.id).toBe(key)
  for (const projection of people)
    expect(profile?.fold(projection).rows ?? [], projection.name).toEqual(rows.get(projection.name))
}

describe('events in the order of time', () => {
  const placed = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 40 })
  test('are those that count, sorted, each once, whatever the windows', async () => {
    await fc.assert(
      fc.asyncProperty(placed, size, fc.integer({ min: 0, max: 12 }), async (times, windowEvents, time) => {
        const log = arrayLog(3)
        const all = times.map((at, i) =>
          log.push({ id: String(i), time: at, received: i, position: 2 * i + 1 }),
        )
        const moment: Moment = { by: 'occurred', ...log.head(), time }
        const found: RecordedEvent[] = []
        const signal = new AbortController().signal
        for await (const batch of eventsAt(log, moment, { signal, windowEvents })) {
          expect(batch.length).toBeGreaterThan(0)
          found.push(...batch)
        }
        const expected = all.filter((event) => event.time <= time).sort((a, b) => a.time - b.time)
        expect(found.map(({ position }) => position)).toEqual(expected.map(({ position }) => position))
      }),
      { numRuns: 300 },
    )
  })
})
