/**
 * Theorem: every projection of the catalogue is a pure fold that forgets the order of its events. Any order and any
 * disjoint split of a key's events gives the same state, `initial` is neutral in `join`, nothing handed in is changed,
 * states survive MessagePack, rows follow from the state alone and hold what their columns promise, and what is
 * explained is what is shown. Where the rules only choose, duplicates and overlapping splits change nothing either.
 */
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { catalogue } from '../../engine/events/catalogue.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import { projections } from '../../projections/catalog.ts'
import type { Sample } from '../laws/projection-laws.ts'
import { keepForEver } from '../laws/regressions.ts'
import { type Tried, trySamples } from '../laws/try-samples.ts'
import { definitions } from './defined.ts'
import { arbitraryEvents, arbitrarySample, definedSample } from './generate.ts'
import { configuration, fold, NO_CONFIGURATION } from './given.ts'

const packr = new Packr({ useRecords: false })

/** Of projections whose keys have a form of their own. */
const KEYS: ReadonlyMap<string, string> = new Map([
  ['daily_events', '["2026-03-01","a","b"]'],
  ['record_conflict', 'opportunity O1'],
  ['custom_record', 'visit:V1'],
])

const DEFINED = configuration(...definitions)
const OBJECT_TYPES: ReadonlySet<string> = new Set(['visit.created', 'visit.updated', 'visit.archived'])

const LONG = process.env.HEADWATER_TEST_LONG !== undefined
const RUNS = LONG ? 10_000 : 25

/** Which events can't be folded depends on the event alone; the laws hold for the others. */
function foldable(projection: AnyProjection, events: readonly DecodedEvent[]): DecodedEvent[] {
  return events.filter((each) => {
    try {
      fold(projection, [each])
      return true
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError)
      return false
    }
  })
}

function rowsIn(projection: AnyProjection, { events, published }: Sample): number {
  const config = configuration(...published)
  const states = fold(projection, foldable(projection, events), config)
  return [...states].reduce((sum, [key, state]) => sum + projection.table.rows(state, config, key).size, 0)
}

/** Fails where a sample broke a law, and keeps it for ever. */
function expectKept({ name }: AnyProjection, { broken }: Tried): void {
  if (broken === undefined) return
  const { law, sample, error } = broken
  throw new Error(`${name} breaks the law of ${law}; ${keepForEver(name, law, sample)} shows how`, {
    cause: error,
  })
}

test('names are those of the routes, each once', () => {
  expect(projections.map(({ name }) => name)).toEqual([
    'profile',
    'account',
    'contact',
    'lead',
    'opportunity',
    'pipeline',
    'customer_orders',
    'daily_events',
    'active_people',
    'revenue',
    'quarantine',
    'session',
    'campaign',
    'campaign_member',
    'case',
    'hourly_activity',
    'conflict',
    'record_conflict',
    'custom_record',
  ])
})

/** What handles nothing without definitions is tried with them. */
const tried = projections.map((each) => (each.handles.length === 0 ? projectionUnder(each, DEFINED) : each))

describe.each(tried.map((each) => [each.name, each] as const))('%s', (_name, projection) => {
  test('its description is sound', () => {
    const { columns, indexes, search } = projection.table
    expect(Object.keys(columns)).not.toContain('key')
    expect(Object.keys(columns)).not.toContain('part')
    for (const [name, { about }] of Object.entries(columns)) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/)
      expect(about.length).toBeGreaterThan(5)
    }
    for (const name of [...indexes.flat(), ...(search ?? [])]) expect(Object.keys(columns)).toContain(name)
    for (const name of search ?? []) expect(columns[name]?.type).toBe('text')
    for (const type of [...projection.handles, ...projection.configuredBy]) {
      if (projection.handles === 'every' || OBJECT_TYPES.has(type)) continue
      expect(Object.keys(catalogue)).toContain(type)
    }
  })

  test('keeps the laws', { timeout: LONG ? 600_000 : 30_000 }, () => {
    let seen = 0
    const numRuns = LONG ? 10_000 : 100 + 5 * projection.handles.length
    const tried = trySamples(projection, arbitrarySample(projection), { numRuns }, (sample) => {
      seen += rowsIn(projection, sample)
    })
    expectKept(projection, tried)
    // Of conflicts, the rarest rows, there is one in two samples.
    expect(seen).toBeGreaterThan(numRuns / 10)
  })

  test('no row comes of no event', () => {
    const key = KEYS.get(projection.name) ?? '["2026-03-01","ordered",null,null,null]'
    expect(projection.table.rows(projection.initial(key), NO_CONFIGURATION, key).size).toBe(0)
  })
})

const defining = projections
  .map((each) => projectionUnder(each, DEFINED))
  .filter((each, i) => each !== projections[i])

test('fields and objects are defined for', () => {
  expect(defining.map(({ name }) => name)).toEqual([
    'profile',
    'account',
    'contact',
    'lead',
    'opportunity',
    'campaign',
    'case',
    'conflict',
    'record_conflict',
    'custom_record',
  ])
})

test.each(defining.map((each) => [each.name, each] as const))(
  '%s keeps the laws with defined fields of every type',
  { timeout: LONG ? 600_000 : 30_000 },
  (name, projection) => {
    let seen = 0
    const numRuns = LONG ? 10_000 : 100
    const tried = trySamples(projection, definedSample(projection), { numRuns }, (sample) => {
      seen += definedCells(projection, sample)
    })
    expectKept(projections.find((each) => each.name === name) ?? projection, tried)
    expect(seen).toBeGreaterThan(5)
  },
)

/** Of conflicts: how many are about defined fields. */
function definedCells(projection: AnyProjection, { events, published }: Sample): number {
  const config = configuration(...published)
  let cells = 0
  for (const [key, state] of fold(projection, foldable(projection, events), config)) {
    for (const [part, row] of projection.table.rows(state, config, key)) {
      if (part.startsWith('d_')) cells += 1
      for (const [name, value] of Object.entries(row)) if (/(^|__)d_/.test(name) && value !== null) cells += 1
    }
  }
  return cells
}

test('deadlines: ticks and events come in any order, and a tick settles what was due', () => {
  const ticking = tried.filter((each) => each.tick !== undefined)
  expect(ticking.map(({ name }) => name)).toEqual([
    'profile',
    'account',
    'contact',
    'lead',
    'opportunity',
    'pipeline',
    'campaign',
    'case',
    'conflict',
    'record_conflict',
    'custom_record',
  ])
  for (const projection of ticking) {
    fc.assert(
      fc.property(arbitraryEvents(projection), fc.nat({ max: 12 }), (all, after) => {
        const at = Date.parse('2026-03-01T12:00:00.500Z')
        for (const key of fold(projection, all).keys()) {
          const mine = all.filter((each) => projection.keys(each).includes(key))
          const early = ticked(projection, mine, Math.min(after, mine.length), at, key)
          const late = ticked(projection, mine, mine.length, at, key)
          expect(packr.pack(early).toString('hex')).toBe(packr.pack(late).toString('hex'))
          const events = ticked(projection, mine, -1, at, key)
          const tick = ticked(projection, [], 0, at, key)
          const whole = packr.pack(late).toString('hex')
          expect(packr.pack(projection.join(events, tick, NO_CONFIGURATION)).toString('hex')).toBe(whole)
          expect(packr.pack(projection.join(tick, events, NO_CONFIGURATION)).toString('hex')).toBe(whole)
          const due = projection.due?.(late)
          if (due === undefined) continue
          expect(due).toBeGreaterThan(at)
          expect(projection.due?.(projection.tick?.(late, { type: 'tick', at: due }))).toBeUndefined()
        }
      }),
      { numRuns: RUNS },
    )
  }
})

function ticked(
  projection: AnyProjection,
  events: readonly DecodedEvent[],
  after: number,
  at: number,
  key: string,
): unknown {
  let state = projection.initial(key)
  for (let i = 0; i <= events.length; i++) {
    if (i === after) state = projection.tick?.(state, { type: 'tick', at }) ?? state
    const each = events[i]
    if (each !== undefined) state = projection.reduce(state, each, NO_CONFIGURATION, key)
  }
  return state
}
