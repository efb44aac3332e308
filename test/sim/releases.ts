import type {
  AnyProjection,
  Configuration,
  EnvelopeProjection,
  Projection,
} from '../../engine/projector/projection.ts'
import { oneRow } from '../../engine/store/table.ts'
import { projections as catalogue } from '../../projections/catalog.ts'

/** What a release of the engine folds: the whole catalogue, and two read models that are made to be hard. */
export type Release = readonly AnyProjection[]

/** Counts every event, so that one too many or too few shows. Its meaning differs from version to version. */
function tally(version: number): EnvelopeProjection<number> {
  return {
    name: 'sim_tally',
    version,
    handles: 'every',
    configuredBy: version === 2 ? ['source.registered'] : [],
    keys: (event) => (version === 3 ? [event.source] : [event.type, event.source]),
    initial: () => 0,
    reduce: (state) => state + version,
    join: (a, b) => a + b,
    table: {
      grain: 'bucket',
      columns: { events: { type: 'integer', about: 'How many events there were, times the version.' } },
      indexes: [],
      rows: (state) => oneRow({ events: state }),
    },
  }
}

type Fragile = 'cdp.page' | 'cdp.track' | 'cdp.identify'

/** Some of its events can't be folded; of some of its states no row can be made, or none that can be stored. */
const fragile: Projection<number, Fragile> = {
  name: 'sim_fragile',
  version: 1,
  handles: ['cdp.page', 'cdp.track', 'cdp.identify'],
  configuredBy: [],
  keys: (event) => event.identities.slice(0, 1).map(({ id }) => id),
  initial: () => 0,
  reduce(state, event) {
    if (event.type === 'cdp.page' && event.data.name === 'boom') throw new Error('a page that breaks it')
    if (event.type === 'cdp.track' && event.data.event === 'boom') throw new Error('a call that breaks it')
    return state + 1
  },
  join: (a, b) => a + b,
  table: {
    grain: 'profile',
    columns: { events: { type: 'integer', about: 'How many of them could be folded.' } },
    indexes: [],
    rows(state) {
      if (state % 7 === 3) throw new Error('no row of this can be made')
      return oneRow({ events: state % 7 === 5 ? 2 ** 60 : state })
    },
  },
}

const raised: Release = catalogue.map((each, at) => (at % 2 === 0 ? raisedBy(1_000, each) : each))

function raisedBy(by: number, projection: AnyProjection): AnyProjection {
  const version = projection.version + by
  const { under } = projection
  if (under === undefined) return { ...projection, version }
  const known = new WeakMap<Configuration, AnyProjection>()
  return {
    ...projection,
    version,
    under(config) {
      const own = known.get(config) ?? { ...under(config), version, under: undefined }
      known.set(config, own)
      return own
    },
  }
}

/** An upgrade leads to any of them, a lower number is a return to the release before. */
export const RELEASES: readonly Release[] = [
  [...catalogue, tally(1), fragile],
  [...raised, tally(2), fragile],
  [...catalogue, tally(3)],
]
