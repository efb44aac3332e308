import assert from 'node:assert/strict'
import { Packr } from 'msgpackr'
import type { AnyProjection, Configuration, DecodedEvent } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import type { CellValue, ColumnType, Row } from '../../engine/store/table.ts'
import { configuration, fold, handles, type States } from '../projections/given.ts'
import { deepFreeze } from './candidates.ts'
import { withoutClock } from './without-clock.ts'

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

/** What the laws have in common of a sample; all of it is frozen. */
interface History {
  /** With what the sample's configuration defines. */
  readonly projection: AnyProjection
  readonly config: Configuration
  /** Those that can be folded. */
  readonly events: readonly DecodedEvent[]
  readonly chances: readonly number[]
  /** Folded in the order given. */
  readonly whole: States
  /** Of the states in `whole`. */
  readonly bytes: ReadonlyMap<string, Uint8Array>
}

type Law = (history: History) => void

const LAWS: Readonly<Record<LawName, Law>> = {
  order(history) {
    const { projection, config, events, chances } = history
    same(fold(projection, events.toReversed(), config), history, 'backwards')
    const shuffled = events.map((each, i) => [chances[i] ?? 0, each] as const).sort(([a], [b]) => a - b)
    const other = shuffled.map(([, each]) => each)
    same(fold(projection, other, config), history, 'shuffled')
  },
  'disjoint split'(history) {
    const { projection, config, events, chances } = history
    const parts = [0, 1, 2].map((part) => events.filter((_, i) => (chances[i] ?? 0) % 3 === part))
    const [a, b, c] = parts.map((part) => fold(projection, part, config)) as [States, States, States]
    const join = (left: States, right: States) => joined(projection, left, right, config)
    same(join(join(a, b), c), history, 'joined in order')
    same(join(c, join(b, a)), history, 'joined backwards')
  },
  'duplication and overlap'(history) {
    const { projection, config, events, chances, whole } = history
    const some = events.filter((_, i) => (chances[i] ?? 0) % 2 === 0)
    same(fold(projection, some, config, whole), history, 'repeated')
    same(joined(projection, whole, fold(projection, some, config), config), history, 'overlapping')
  },
  purity({ projection, config, whole, bytes }) {
    for (const [key, state] of whole) {
      const initial = deepFreeze(projection.initial(key))
      const before = bytes.get(key) ?? new Uint8Array()
      assertBytes(projection.join(initial, state, config), before, 'initial on the left')
      assertBytes(projection.join(state, initial, config), before, 'initial on the right')
      projection.table.rows(state, config, key)
      projection.explain?.(state, config)
      projection.due?.(state)
      projection.tick?.(state, { type: 'tick', at: Number.MAX_SAFE_INTEGER })
      assertBytes(state, before, 'a state that was read')
    }
  },
  storage({ projection, config, events, whole }) {
    const stored = new Map<string, Uint8Array>()
    for (const each of events) {
      for (const key of projection.keys(each)) {
        const bytes = stored.get(key)
        const before = bytes === undefined ? projection.initial(key) : packr.unpack(bytes)
        stored.set(key, packed(projection.reduce(before, each, config, key)))
      }
    }
    for (const [key, state] of whole) {
      const read: unknown = packr.unpack(stored.get(key) ?? new Uint8Array())
      assert.deepEqual(read, state, key)
      assert.deepEqual(rowsOf(projection, read, config, key), rowsOf(projection, state, config, key), key)
    }
  },
  'rows and explanations'({ projection, config, whole }) {
    for (const [key, state] of whole) {
      const rows = rowsOf(projection, state, config, key)
      assert.deepEqual(rowsOf(projection, state, config, key), rows, 'the same rows again')
      for (const [, row] of rows) checkRow(projection, row)
      const [only] = rows
      if (only !== undefined && rows.length === 1) checkExplanations(projection, state, config, only[1])
    }
  },
}

export const LAW_NAMES = Object.keys(LAWS) as readonly LawName[]

/** Which law a sample breaks, and by what. */
export class LawBroken extends Error {
  readonly law: LawName

  constructor(law: LawName, cause: unknown) {
    super(`the law of ${law} is broken: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.law = law
  }
}

/**
 * Throws `LawBroken` for the first of the laws that the sample breaks. Purity is always one of them: whatever a projection is
 * handed is frozen, and the clock and chance throw when it looks at them.
 */
export function checkLaws(projection: AnyProjection, sample: Sample, laws: readonly LawName[]): void {
  withoutClock(() => {
    const history = of('purity', () => historyOf(projection, sample))
    for (const law of laws) of(law, () => LAWS[law](history))
  })
}

function of<T>(law: LawName, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw new LawBroken(law, error)
  }
}

function historyOf(given: AnyProjection, { events: all, published, chances }: Sample): History {
  const config = configuration(...deepFreeze(published))
  const projection = projectionUnder(given, config)
  const { events, whole } = foldedOf(projection, deepFreeze(all), config)
  const bytes = new Map([...whole].map(([key, state]) => [key, packed(state)]))
  return { projection, config, events, chances, whole, bytes }
}

const packr = new Packr({ useRecords: false })

function packed(state: unknown): Uint8Array {
  return Uint8Array.prototype.slice.call(packr.pack(state))
}

/** Equal bytes, not only equal values: states must be canonical down to the order of keys. */
function assertBytes(state: unknown, expected: Uint8Array, what: string): void {
  const bytes = packr.pack(state)
  if (bytes.equals(expected)) return
  assert.deepEqual(state, packr.unpack(expected), what)
  assert.fail(`${what}: equal values of other bytes`)
}

function same(actual: States, { whole, bytes }: History, what: string): void {
  assert.equal(actual.size, whole.size, `${what}: keys`)
  for (const [key, state] of actual) {
    const expected = bytes.get(key)
    assert(expected !== undefined, `${what}: another key`)
    assertBytes(state, expected, what)
  }
}

/** Which events can't be folded depends on the event alone; the laws hold for the others. */
function foldedOf(
  projection: AnyProjection,
  events: readonly DecodedEvent[],
  config: Configuration,
): Pick<History, 'events' | 'whole'> {
  try {
    return { events, whole: frozenFold(projection, events, config) }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    const others = foldable(projection, events, config)
    return { events: others, whole: frozenFold(projection, others, config) }
  }
}

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
      if (error instanceof RangeError) return false
      throw error
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

/** Each state is frozen before anything is made of it: a mutation throws. */
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
