import assert from 'node:assert/strict'
import { Packr } from 'msgpackr'
import type { AnyProjection, Configuration, DecodedEvent } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import type { CellValue, ColumnType, Row } from '../../engine/store/table.ts'
import { configuration, fold, handles, type States } from '../projections/given.ts'
import { deepFreeze } from './candidates.ts'

/**
 * The laws of projections, each a function that throws where a sample breaks it. A sample is plain data: one that once broke a
 * law is kept as a file and tried for ever.
 */
export interface Sample {
  readonly events: readonly DecodedEvent[]
  readonly published: readonly DecodedEvent[]
  /** Where shuffling and splitting take their chances from. */
  readonly chances: readonly number[]
}

export type LawName =
  | 'order'
  | 'disjoint split'
  | 'duplication and overlap'
  | 'purity'
  | 'storage'
  | 'rows and explanations'

type Law = (projection: AnyProjection, sample: Sample) => void

const UNDER: Readonly<Record<LawName, Law>> = {
  order(projection, { events, published, chances }) {
    const config = configuration(...published)
    const all = foldable(projection, events, config)
    const one = fold(projection, all, config)
    same(fold(projection, all.toReversed(), config), one, 'backwards')
    const places = all.map((_, i) => chances[i] ?? 0)
    const shuffled = all.map((each, i) => [places[i] ?? 0, each] as const).sort(([a], [b]) => a - b)
    const other = shuffled.map(([, each]) => each)
    same(fold(projection, other, config), one, 'shuffled')
  },
  'disjoint split'(projection, { events, published, chances }) {
    const config = configuration(...published)
    const all = foldable(projection, events, config)
    const parts = [0, 1, 2].map((part) => all.filter((_, i) => (chances[i] ?? 0) % 3 === part))
    const [a, b, c] = parts.map((part) => fold(projection, part, config)) as [States, States, States]
    const whole = fold(projection, all, config)
    const join = (left: States, right: States) => joined(projection, left, right, config)
    same(join(join(a, b), c), whole, 'joined in order')
    same(join(c, join(b, a)), whole, 'joined backwards')
  },
  'duplication and overlap'(projection, { events, published, chances }) {
    const config = configuration(...published)
    const all = foldable(projection, events, config)
    const once = fold(projection, all, config)
    const some = all.filter((_, i) => (chances[i] ?? 0) % 2 === 0)
    same(fold(projection, [...all, ...some], config), once, 'repeated')
    same(joined(projection, once, fold(projection, some, config), config), once, 'overlapping')
  },
  purity(projection, { events, published }) {
    const config = configuration(...deepFreeze(published))
    const all = deepFreeze(foldable(projection, events, config))
    for (const [key, state] of frozenFold(projection, all, config)) {
      const bytes = bytesOf(state)
      const initial = deepFreeze(projection.initial(key))
      assert.equal(bytesOf(projection.join(initial, state, config)), bytes, 'initial on the left')
      assert.equal(bytesOf(projection.join(state, initial, config)), bytes, 'initial on the right')
      projection.table.rows(state, config, key)
      projection.explain?.(state, config)
      projection.due?.(state)
      projection.tick?.(state, { type: 'tick', at: Number.MAX_SAFE_INTEGER })
      assert.equal(bytesOf(state), bytes, 'a state that was read')
    }
  },
  storage(projection, { events, published }) {
    const config = configuration(...published)
    const all = foldable(projection, events, config)
    const stored = new Map<string, Uint8Array>()
    for (const each of all) {
      for (const key of projection.keys(each)) {
        const bytes = stored.get(key)
        const before = bytes === undefined ? projection.initial(key) : packr.unpack(bytes)
        stored.set(key, packed(projection.reduce(before, each, config, key)))
      }
    }
    for (const [key, state] of fold(projection, all, config)) {
      const read: unknown = packr.unpack(stored.get(key) ?? new Uint8Array())
      assert.deepEqual(read, state, key)
      assert.deepEqual(rowsOf(projection, read, config, key), rowsOf(projection, state, config, key), key)
    }
  },
  'rows and explanations'(projection, { events, published }) {
    const config = configuration(...published)
    for (const [key, state] of fold(projection, foldable(projection, events, config), config)) {
      const rows = rowsOf(projection, state, config, key)
      assert.deepEqual(rowsOf(projection, state, config, key), rows, 'the same rows again')
      for (const [, row] of rows) checkRow(projection, row)
      const [only] = rows
      if (only !== undefined && rows.length === 1) checkExplanations(projection, state, config, only[1])
    }
  },
}

/** Of the read model with what the sample's configuration defines. */
export const LAWS: Readonly<Record<LawName, Law>> = {
  order: defined(UNDER.order),
  'disjoint split': defined(UNDER['disjoint split']),
  'duplication and overlap': defined(UNDER['duplication and overlap']),
  purity: defined(UNDER.purity),
  storage: defined(UNDER.storage),
  'rows and explanations': defined(UNDER['rows and explanations']),
}

function defined(law: Law): Law {
  return (projection, sample) => law(projectionUnder(projection, configuration(...sample.published)), sample)
}

const packr = new Packr({ useRecords: false })

function packed(state: unknown): Uint8Array {
  return Uint8Array.prototype.slice.call(packr.pack(state))
}

/** Equal bytes, not only equal values: states must be canonical down to the order of keys. */
function bytesOf(state: unknown): string {
  return Buffer.from(packr.pack(state)).toString('hex')
}

function same(actual: States, expected: States, what: string): void {
  const plain = (states: States) =>
    [...states].map(([key, state]) => [key, bytesOf(state)]).sort(([a = ''], [b = '']) => (a < b ? -1 : 1))
  assert.deepEqual(plain(actual), plain(expected), what)
}

/** Which events can't be folded depends on the event alone; the laws hold for the others. */
function foldable(
  projection: AnyProjection,
  events: readonly DecodedEvent[],
  config: Configuration,
): readonly DecodedEvent[] {
  return events.filter((each) => {
    try {
      fold(projection, [each], config)
      return true
    } catch (error) {
      assert(error instanceof RangeError, String(error))
      return false
    }
  })
}

function joined(projection: AnyProjection, a: States, b: States, config: Configuration): States {
  const all = new Map(a)
  for (const [key, state] of b) {
    const mine = a.get(key)
    all.set(key, mine === undefined ? state : projection.join(mine, state, config))
  }
  return all
}

/** Whatever is handed in is frozen, each state too: a mutation throws. */
function frozenFold(
  projection: AnyProjection,
  events: readonly DecodedEvent[],
  config: Configuration,
): States {
  const states = new Map<string, unknown>()
  for (const each of events) {
    if (!handles(projection, each)) continue
    for (const key of projection.keys(each)) {
      const before = states.get(key) ?? deepFreeze(projection.initial(key))
      states.set(key, deepFreeze(projection.reduce(before, each, config, key)))
    }
  }
  return states
}

function rowsOf(projection: AnyProjection, state: unknown, config: Configuration, key: string) {
  return [...projection.table.rows(state, config, key)]
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
    assert(column !== undefined, `${projection.name}.${name} is a column`)
    if (value === null) continue
    assert(CELLS[column.type](value), `${projection.name}.${name} = ${JSON.stringify(value)}`)
  }
}

/** What a column shows of a value that an explanation names. */
function shown(projection: AnyProjection, name: string, value: unknown): unknown {
  const blank = value === '' && projection.table.columns[name]?.type !== 'text'
  return value === undefined || blank ? null : value
}

function checkExplanations(projection: AnyProjection, state: unknown, config: Configuration, row: Row): void {
  for (const [name, { value, winners }] of Object.entries(projection.explain?.(state, config) ?? {})) {
    const [column = '', ...member] = name.split('.')
    const cell = row[column]
    const what = `${projection.name}.${name}`
    if (member.length === 0) assert.deepEqual(cell ?? null, shown(projection, name, value), what)
    else if (value !== null) assert.deepEqual(Reflect.get(Object(cell), member.join('.')), value, what)
    assert(winners.length > 0, `${what} names its writes`)
  }
}
