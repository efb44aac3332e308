// Theorem: the harness of the projections' laws can fail. What goes by arrival, counts duplicates, looks at the clock or at chance,
// changes what it is handed, or takes null for absent is found in few samples, each by its law and in a sample of few events.
import { expect, test } from 'vitest'
import type { EventOf } from '../../engine/events/catalogue.ts'
import type { AnyProjection, Projection } from '../../engine/projector/projection.ts'
import { oneRow } from '../../engine/store/table.ts'
import { arbitrarySample } from '../projections/generate.ts'
import { LAW_NAMES, type LawName } from './projection-laws.ts'
import { trySamples } from './try-samples.ts'

type Type = 'opportunity.updated'
/** The newest write of a deal's owner. */
interface State {
  readonly time: number
  readonly position: number
  readonly owner: string | null
}

const NEVER: State = { time: 0, position: 0, owner: null }

function newer(a: State, b: State): State {
  return b.time > a.time || (b.time === a.time && b.position > a.position) ? b : a
}

function written({ time, position, data }: EventOf<Type>): State {
  const { owner } = data
  return owner === undefined ? NEVER : { time, position, owner: owner ?? null }
}

const lawful: Projection<State, Type> = {
  name: 'owner',
  version: 1,
  handles: ['opportunity.updated'],
  configuredBy: [],
  keys: ({ data }) => [data.opportunity_id],
  initial: () => NEVER,
  reduce: (state, event) => newer(state, written(event)),
  join: newer,
  explain: ({ time, position, owner }) => {
    if (position === 0) return {}
    return {
      owner: {
        value: owner,
        rule: 'latest',
        winners: [[owner, time, '', 0, '', position, 0]],
        overruled: [],
      },
    }
  },
  table: {
    grain: 'record',
    columns: { owner: { type: 'text', about: 'whose deal it is' } },
    indexes: [],
    rows: ({ position, owner }) => oneRow(position === 0 ? undefined : { owner }),
  },
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const later = (state: State, ms: number): State => ({ ...state, time: state.time + ms })
const withMap = (state: State): State => Object.assign({ times: new Map([[state.time, 1]]) }, state)
const { reduce } = lawful
const key = 'O1'

const PLANTED: Readonly<Record<string, readonly [law: LawName, planted: Partial<Projection<State, Type>>]>> =
  {
    'going by arrival': [
      'order',
      { reduce: (state, event) => (event.data.owner === undefined ? state : written(event)) },
    ],
    'ties by arrival': [
      'order',
      {
        reduce: (state, event) => {
          const write = written(event)
          return write.time >= state.time && write.position > 0 ? { ...write, position: 1 } : state
        },
        join: (a, b) => (b.time > a.time ? b : a),
      },
    ],
    'properties in order of arrival': [
      'order',
      {
        reduce(state, event, config) {
          const { time, position, owner } = reduce(state, event, config, key)
          return event.time < state.time ? { owner, time, position } : { time, position, owner }
        },
      },
    ],
    'null taken for absent': [
      'order',
      {
        reduce: (state, event, config) => {
          const next = reduce(state, event, config, key)
          return { ...next, owner: next.owner ?? state.owner }
        },
      },
    ],
    'a join that loses a part': ['purity', { join: (a) => a }],
    'a join that goes by side': [
      'disjoint split',
      { join: (a, b) => (b.time >= a.time && b.position > 0 ? b : a) },
    ],
    'counting duplicates': [
      'duplication and overlap',
      {
        reduce: (state) => ({ ...state, position: state.position + 1 }),
        join: (a, b) => ({ ...a, position: a.position + b.position }),
      },
    ],
    'a property that is undefined': [
      'purity',
      {
        reduce: (state, event, config) => {
          const next = reduce(state, event, config, key)
          return { ...next, at: next.position === 0 ? undefined : next.time }
        },
      },
    ],
    'a state that is not plain data': [
      'storage',
      {
        initial: () => withMap(NEVER),
        reduce: (state, event, config) => withMap(reduce(state, event, config, key)),
      },
    ],
    'the time of day': ['purity', { reduce: (state) => later(state, Date.now()) }],
    'a date of now': ['purity', { reduce: (state) => later(state, Date.parse(new Date().toISOString())) }],
    'the monotonic clock': ['purity', { reduce: (state) => later(state, performance.now()) }],
    'the clock in a row': [
      'purity',
      { table: { ...lawful.table, rows: () => oneRow({ owner: `${Date.now()}` }) } },
    ],
    chance: ['purity', { reduce: (state) => later(state, Math.random()) }],
    'a state changed in place': [
      'purity',
      {
        reduce(state, event, config) {
          const mutable: Mutable<State> = state
          mutable.owner = reduce(state, event, config, key).owner
          return mutable
        },
      },
    ],
    'an event changed in place': [
      'purity',
      {
        reduce(state, event, config) {
          const mutable: Mutable<EventOf<Type>['data']> = event.data
          mutable.owner ??= 'nobody'
          return reduce(state, event, config, key)
        },
      },
    ],
    'an initial state that is not neutral': [
      'purity',
      { join: (a, b) => ({ ...newer(a, b), position: Math.min(a.position, b.position) }) },
    ],
    'a cell of another type': [
      'rows and explanations',
      { table: { ...lawful.table, columns: { owner: { type: 'integer', about: 'whose deal it is' } } } },
    ],
    'an explanation of something else': [
      'rows and explanations',
      { explain: () => ({ owner: { value: 'else', rule: 'latest', winners: [], overruled: [] } }) },
    ],
  }

const SAMPLES = { numRuns: 300, seed: 1 }

function tried(projection: AnyProjection) {
  return trySamples(projection, arbitrarySample(projection), SAMPLES).broken
}

test('what keeps the laws is let through', () => expect(tried(lawful)).toBeUndefined())

test('each law finds something', () => {
  expect(new Set(Object.values(PLANTED).map(([law]) => law))).toEqual(new Set(LAW_NAMES))
})

test.each(Object.entries(PLANTED))('%s', (_what, [law, planted]) => {
  const broken = tried({ ...lawful, ...planted })
  expect(broken?.law, broken?.error.message).toBe(law)
  expect(broken?.sample.events.length).toBeLessThanOrEqual(3)
})
