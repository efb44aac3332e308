/**
 * Theorem: what changed between two moments is the difference of the two answers as of them, whole and nothing else, for
 * every view whose entities the log has an index by; and each cause is what it says: just before it the value was another
 * one, just after it it was what it became.
 */
import fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { changesOf } from '../../api/history/changes.ts'
import { configurationHistory, publishedHistory } from '../../api/history/configuration.ts'
import { pastProfiles } from '../../api/history/past-profile.ts'
import { recordAt } from '../../api/history/past-record.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { type Cell, cellsOf, isSameValue, keyOf } from '../../engine/projector/past-cells.ts'
import type { FieldChange } from '../../engine/projector/past-changes.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import { projections } from '../../projections/catalog.ts'
import { story, type Told } from '../history/story.ts'
import { type IntakeWorld, intakeWorld, NOON } from '../support/intake-world.ts'
import { SENT } from '../support/sent-events.ts'
import { openOf, tell } from './past-world.ts'

const DAY_MS = 86_400_000
const RUNS = process.env.HEADWATER_TEST_LONG === undefined ? 8 : 300
const PEOPLE = projections.filter(({ table }) => table.grain === 'profile')
const BY_NAMESPACE = [
  { name: 'lead', namespace: 'lead' },
  { name: 'account', namespace: 'account' },
]

const sent = fc
  .array(fc.tuple(SENT, fc.integer({ min: 0, max: 2 })), { minLength: 1, maxLength: 12 })
  .map((all) =>
    all.map(([event, days], i): Told => ({ event: { id: `s${i}`, ...event }, afterMs: days * DAY_MS })),
  )
const anyStory = fc.oneof(story, sent)

/** Rows of an entity as of a moment, by the way that answers a single row. */
type RowsAt = (moment: Moment) => Promise<readonly StoredRow[]>

interface Asked {
  readonly projection: AnyProjection
  readonly key: string
  readonly rowsAt: RowsAt
}

function entitiesOf(world: IntakeWorld, events: readonly RecordedEvent[]): readonly Asked[] {
  const open = openOf(world)
  const byName = new Map(projections.map((projection) => [projection.name, projection]))
  const past = pastProfiles({ log: world.log, projections: byName, openEvent: open })
  const configAt = configurationHistory(world.log, projections, open)
  const identities = new Map(
    events.flatMap((event) => event.identities.map((each) => [each.id, each.namespace] as const)),
  )
  const asked: Asked[] = []
  for (const [key, namespace] of identities) {
    for (const projection of PEOPLE)
      asked.push({
        ...{ projection, key },
        rowsAt: async (moment) => {
          const found = await past(key, moment)
          return E.isRight(found) ? (found.right?.fold(projection).rows ?? []) : []
        },
      })
    const named = BY_NAMESPACE.find((each) => each.namespace === namespace)
    const projection = named === undefined ? undefined : byName.get(named.name)
    if (projection === undefined) continue
    asked.push({
      ...{ projection, key },
      rowsAt: async (moment) => {
        const config = await configAt(moment)
        const found = await recordAt({ log: world.log, openEvent: open }, { projection, key, config }, moment)
        return E.isRight(found) ? found.right.rows : []
      },
    })
  }
  return asked
}

async function cellsAt({ rowsAt }: Asked, moment: Moment): Promise<ReadonlyMap<string, Cell>> {
  return cellsOf(new Map((await rowsAt(moment)).map(({ part, row }) => [part, row])))
}

/** The difference of two answers: key → values before and after; null stands for a column that isn't there. */
function difference(before: ReadonlyMap<string, Cell>, after: ReadonlyMap<string, Cell>) {
  const differing = new Map<string, readonly [unknown, unknown]>()
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [a, b] = [before.get(key), after.get(key)]
    if (!isSameValue(a, b)) differing.set(key, [a?.value, b?.value])
  }
  return differing
}

async function check(
  world: IntakeWorld,
  asked: Asked,
  from: Moment,
  to: Moment,
  around: (change: FieldChange) => readonly [before: Moment, after: Moment] | undefined,
): Promise<void> {
  const published = publishedHistory(world.log, projections, openOf(world))
  const { projection, key } = asked
  const deps = { log: world.log, openEvent: openOf(world) }
  const found = await changesOf(deps, published, { projection, key, from, to })
  if (E.isLeft(found)) throw new Error(found.left.what)
  const [then, later] = [await cellsAt(asked, from), await cellsAt(asked, to)]
  const fields = found.right?.fields ?? []
  const told = new Map(fields.map((change) => [keyOf(change), [change.from, change.to] as const]))
  expect(told, projection.name).toEqual(difference(then, later))
  for (const change of fields) {
    expect(change.times).toBeGreaterThan(0)
    expect(change.because.length).toBe(Math.min(change.times, 20))
    const moments = around(change)
    if (moments === undefined) continue
    const [before, after] = moments
    const id = keyOf(change)
    const place = `${projection.name} ${id}`
    expect(isSameValue((await cellsAt(asked, before)).get(id), later.get(id)), place).toBe(false)
    expect(isSameValue((await cellsAt(asked, after)).get(id), later.get(id)), place).toBe(true)
  }
}

async function withStory(
  told: readonly Told[],
  work: (world: IntakeWorld, events: readonly RecordedEvent[]) => Promise<void>,
): Promise<void> {
  const world = intakeWorld()
  try {
    await work(world, await tell(world, told))
  } finally {
    await world.close()
  }
}

const share = fc.double({ min: 0, max: 1, noNaN: true })

describe('between two moments', () => {
  test('received: the difference, and the last cause made it', async () => {
    await fc.assert(
      fc.asyncProperty(anyStory, share, share, (told, a, b) =>
        withStory(told, async (world, events) => {
          const at = (part: number) => Math.round(part * events.length)
          const momentAt = (count: number): Moment => {
            const { position, received } = events[count - 1] ?? { position: 0, received: 0 }
            return { by: 'received', position, received }
          }
          const [first, last] = [Math.min(at(a), at(b)), Math.max(at(a), at(b))]
          const around = ({ because }: FieldChange) => {
            const cause = because.at(-1)
            if (cause?._tag !== 'Event') return undefined
            const place = events.findIndex(({ position }) => position === cause.event.position)
            return [momentAt(place), momentAt(place + 1)] as const
          }
          for (const asked of entitiesOf(world, events))
            await check(world, asked, momentAt(first), momentAt(last), around)
        }),
      ),
      { numRuns: RUNS },
    )
  })

  test('occurred: the difference', async () => {
    const day = fc.integer({ min: -12, max: 30 })
    await fc.assert(
      fc.asyncProperty(anyStory, day, day, (told, a, b) =>
        withStory(told, async (world, events) => {
          const at = (days: number): Moment => ({
            ...{ by: 'occurred', ...world.log.head(), time: NOON + days * DAY_MS },
          })
          for (const asked of entitiesOf(world, events))
            await check(world, asked, at(Math.min(a, b)), at(Math.max(a, b)), () => undefined)
        }),
      ),
      { numRuns: RUNS },
    )
  })
})
