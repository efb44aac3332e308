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
import type { AnyProjection, Configuration, DecodedEvent } from '../../engine/projector/projection.ts'
import type { CellValue, ColumnType, Row } from '../../engine/store/table.ts'
import { projections } from '../../projections/catalog.ts'
import { arbitraryConfiguration, arbitraryEvents } from './generate.ts'
import { fold, handles, NO_CONFIGURATION, type States } from './given.ts'

const packr = new Packr({ useRecords: false })

/** Projections that count: repeats are removed before they get there. */
const COUNTING: ReadonlyMap<string, string> = new Map([
  ['customer_orders', 'an invoice may come in several events, whose lines add up'],
  ['daily_events', 'counts events'],
  ['revenue', 'adds up lines'],
  ['session', 'counts events'],
  ['campaign_member', 'counts responses'],
  ['case', 'counts reopenings of senders that state no number'],
  ['hourly_activity', 'counts events'],
])

const RUNS = 25

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

function bytesOf(states: States): Record<string, string> {
  const entries = [...states].map(([key, state]) => [key, Buffer.from(packr.pack(state)).toString('hex')])
  return Object.fromEntries(entries.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)))
}

function joined(projection: AnyProjection, a: States, b: States): States {
  const all = new Map(a)
  for (const [key, state] of b) {
    const mine = a.get(key)
    all.set(key, mine === undefined ? state : projection.join(mine, state))
  }
  return all
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const each of Object.values(value)) freeze(each)
  }
  return value
}

const CELLS: Readonly<Record<ColumnType, (value: CellValue) => boolean>> = {
  text: (value) => typeof value === 'string',
  integer: (value) => Number.isSafeInteger(value),
  real: (value) => typeof value === 'number' && Number.isFinite(value),
  boolean: (value) => typeof value === 'boolean',
  instant: (value) => Number.isSafeInteger(value),
  day: (value) => typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value),
  money: (value) => Number.isSafeInteger(value),
  json: (value) => typeof value === 'object',
  identity: (value) => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value),
}

function checkRow(projection: AnyProjection, row: Row): void {
  for (const [name, value] of Object.entries(row)) {
    const column = projection.table.columns[name]
    expect(column, `${projection.name}.${name} is a column`).toBeDefined()
    if (column === undefined || value === null) continue
    expect(CELLS[column.type](value), `${projection.name}.${name} = ${JSON.stringify(value)}`).toBe(true)
  }
}

/** What a column shows of a value that an explanation names. */
function shown(projection: AnyProjection, name: string, value: unknown): unknown {
  const blank = value === '' && projection.table.columns[name]?.type !== 'text'
  return value === undefined || blank ? null : value
}

function checkExplanations(projection: AnyProjection, state: unknown, config: Configuration, row: Row): void {
  const explained = Object.entries(projection.explain?.(state, config) ?? {})
  for (const [name, { value, winners }] of explained) {
    const [column = '', ...member] = name.split('.')
    const cell = row[column]
    if (member.length === 0) {
      expect(cell ?? null, `${projection.name}.${name}`).toEqual(shown(projection, name, value))
    } else if (value !== null) expect(Reflect.get(Object(cell), member.join('.'))).toEqual(value)
    expect(winners.length, `${projection.name}.${name} names its writes`).toBeGreaterThan(0)
  }
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
  ])
})

describe.each(projections.map((each) => [each.name, each] as const))('%s', (_name, projection) => {
  const events = arbitraryEvents(projection)

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
      if (projection.handles !== 'every') expect(Object.keys(catalogue)).toContain(type)
    }
  })

  test('the order of events changes nothing', () => {
    const orders = events.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
    )
    fc.assert(
      fc.property(orders, ([all, shuffled]) => {
        const one = fold(projection, foldable(projection, all))
        const other = fold(projection, foldable(projection, shuffled))
        expect(bytesOf(other)).toEqual(bytesOf(one))
      }),
      { numRuns: RUNS },
    )
  })

  test('the join of parts is the fold of the whole', () => {
    fc.assert(
      fc.property(events, fc.infiniteStream(fc.nat({ max: 2 })), (all, parts) => {
        const chosen = foldable(projection, all)
        const split: DecodedEvent[][] = [[], [], []]
        for (const each of chosen) split[parts.next().value ?? 0]?.push(each)
        const [a, b, c] = split.map((part) => fold(projection, part)) as [States, States, States]
        const whole = bytesOf(fold(projection, chosen))
        expect(bytesOf(joined(projection, joined(projection, a, b), c))).toEqual(whole)
        expect(bytesOf(joined(projection, c, joined(projection, b, a)))).toEqual(whole)
      }),
      { numRuns: RUNS },
    )
  })

  test('nothing handed in is changed; the initial state is neutral', () => {
    fc.assert(
      fc.property(events, arbitraryConfiguration, (all, config) => {
        const states = fold(projection, freeze(foldable(projection, all)), config)
        for (const [key, state] of states) {
          const bytes = packr.pack(freeze(state)).toString('hex')
          const initial = freeze(projection.initial(key))
          for (const each of all.filter((one) => handles(projection, one))) {
            const chosen = foldable(projection, [each])
            for (const one of chosen)
              if (projection.keys(one).includes(key)) projection.reduce(state, one, config, key)
          }
          expect(packr.pack(projection.join(initial, state)).toString('hex')).toBe(bytes)
          expect(packr.pack(projection.join(state, initial)).toString('hex')).toBe(bytes)
          projection.table.rows(state, config, key)
          projection.explain?.(state, config)
          expect(packr.pack(state).toString('hex')).toBe(bytes)
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('a state stored and read again goes on as if it had never left', () => {
    fc.assert(
      fc.property(events, arbitraryConfiguration, (all, config) => {
        const chosen = foldable(projection, all)
        const stored = new Map<string, unknown>()
        for (const each of chosen) {
          for (const key of projection.keys(each)) {
            const before = stored.has(key)
              ? packr.unpack(stored.get(key) as Uint8Array)
              : projection.initial(key)
            const after = projection.reduce(before, each, config, key)
            stored.set(key, Uint8Array.prototype.slice.call(packr.pack(after)))
          }
        }
        for (const [key, state] of fold(projection, chosen, config)) {
          const read: unknown = packr.unpack(stored.get(key) as Uint8Array)
          expect(read).toEqual(state)
          const rows = projection.table.rows(state, config, key)
          expect([...projection.table.rows(read, config, key)]).toEqual([...rows])
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('rows hold what their columns promise, and explanations what the rows show', () => {
    let seen = 0
    fc.assert(
      fc.property(events, arbitraryConfiguration, (all, config) => {
        for (const [key, state] of fold(projection, foldable(projection, all), config)) {
          const rows = projection.table.rows(state, config, key)
          expect([...projection.table.rows(state, config, key)]).toEqual([...rows])
          for (const row of rows.values()) checkRow(projection, row)
          const [row] = rows.values()
          if (row !== undefined && rows.size === 1) checkExplanations(projection, state, config, row)
          seen += rows.size
        }
      }),
      { numRuns: RUNS },
    )
    expect(seen).toBeGreaterThan(RUNS / 2)
  })

  test('no row comes of no event', () => {
    const key =
      projection.name === 'daily_events'
        ? '["2026-03-01","a","b"]'
        : '["2026-03-01","ordered",null,null,null]'
    expect(projection.table.rows(projection.initial(key), NO_CONFIGURATION, key).size).toBe(0)
  })

  test.skipIf(COUNTING.has(projection.name))('duplicates and overlapping parts change nothing', () => {
    fc.assert(
      fc.property(events, fc.nat(), (all, at) => {
        const once = fold(projection, foldable(projection, all))
        const twice = fold(projection, foldable(projection, [...all, ...all.slice(at % all.length)]))
        expect(bytesOf(twice)).toEqual(bytesOf(once))
        const part = fold(projection, foldable(projection, all.slice(0, at % all.length)))
        expect(bytesOf(joined(projection, once, part))).toEqual(bytesOf(once))
      }),
      { numRuns: RUNS },
    )
  })
})

test('deadlines: ticks and events come in any order, and a tick settles what was due', () => {
  const ticking = projections.filter((each) => each.tick !== undefined)
  expect(ticking.map(({ name }) => name)).toEqual(['lead'])
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
          expect(packr.pack(projection.join(events, tick)).toString('hex')).toBe(whole)
          expect(packr.pack(projection.join(tick, events)).toString('hex')).toBe(whole)
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
