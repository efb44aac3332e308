import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../engine/clock.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { LogReader } from '../../engine/log/log.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { foldPast } from '../../engine/projector/past-fold.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import { digestOf } from '../../engine/store/digest.ts'
import { openSqliteReader } from '../../engine/store/sqlite-reader.ts'
import { openSqliteSnapshot } from '../../engine/store/sqlite-snapshot.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import { projections as catalogue } from '../../projections/catalog.ts'
import { configurationHistory } from '../history/configuration.ts'

/** What one replayed read model came to. */
export interface ReplayedBuild {
  readonly projection: string
  readonly version: number
  /** Of the configuration that its rows depend on. */
  readonly configuration: string
  readonly build: string
  readonly rows: number
  /** See `engine/store/digest.ts`. */
  readonly digest: string
}

export interface Replayed {
  readonly moment: Moment
  readonly builds: readonly ReplayedBuild[]
  /** Events that could not be folded and rows that could not be made; at most 1,000 are counted. */
  readonly poison: number
  /** Erasures that the log holds behind the moment: what they took is missing, as it is everywhere. */
  readonly erasedSince: number
}

interface ReplayOptions {
  readonly log: LogReader
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly moment: Moment
  readonly projections: readonly AnyProjection[]
  /** Takes the file `read-models.sqlite`. */
  readonly out: string
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onProgress: (position: number) => void
}

export const REPLAYED_FILE = 'read-models.sqlite'

/** Folds read models as of a moment into a store of their own, and digests them; undefined: aborted on the way. */
export async function replay(options: ReplayOptions): Promise<Replayed | undefined> {
  const { log, open, moment, projections, out, clock, signal, onProgress } = options
  const config = await configurationHistory(log, projections, open)(moment)
  const path = join(out, REPLAYED_FILE)
  const store = openSqliteWriter(path)
  try {
    const folding = { log, store, projections, rules: DEFAULT_RULES, open, clock, signal }
    if (!(await foldPast({ ...folding, moment, config, onProgress }))) return undefined
  } finally {
    store.close()
  }
  const [poison, erasedSince] = await Promise.all([poisonIn(path), erasuresBehind(log, moment)])
  return { moment, builds: digested(path), poison, erasedSince }
}

const MAX_POISON = 1_000

async function poisonIn(path: string): Promise<number> {
  const reader = openSqliteReader(path, { specs: [], threads: 1 })
  try {
    return (await reader.poison(MAX_POISON)).value.length
  } finally {
    await reader.close()
  }
}

function digested(path: string): readonly ReplayedBuild[] {
  const snapshot = openSqliteSnapshot(path)
  try {
    return snapshot.builds.map(({ projection, version, configuration, build }) => {
      const { digest, rows } = digestOf(snapshot, build)
      return { projection, version, configuration, build, rows, digest }
    })
  } finally {
    snapshot.close()
  }
}

async function erasuresBehind(log: LogReader, { position }: Moment): Promise<number> {
  let count = 0
  const types = new Set(['person.erased'])
  for await (const batch of log.read({ from: position + 1, types })) count += batch.length
  return count
}

/** A wish as the command line states it: `profile`, or `profile@4` where only that version will do. */
export type Wanted =
  | { readonly _tag: 'Found'; readonly projections: readonly AnyProjection[] }
  | { readonly _tag: 'Unknown'; readonly name: string; readonly known: readonly string[] }
  | {
      readonly _tag: 'OtherVersion'
      readonly name: string
      readonly stated: string
      readonly version: number
    }

/** All of the catalogue where nothing is stated. */
export function wantedProjections(stated: readonly string[]): Wanted {
  const found: AnyProjection[] = []
  for (const each of stated) {
    const [name = '', version] = each.split('@')
    const projection = catalogue.find((candidate) => candidate.name === name)
    if (projection === undefined)
      return { _tag: 'Unknown', name, known: catalogue.map((known) => known.name) }
    if (version !== undefined && version !== String(projection.version))
      return { _tag: 'OtherVersion', name, stated: version, version: projection.version }
    if (!found.includes(projection)) found.push(projection)
  }
  return { _tag: 'Found', projections: stated.length === 0 ? catalogue : found }
}

/** Makes the directory; false if it holds something already. */
export function makeEmpty(directory: string): boolean {
  if (existsSync(directory) && readdirSync(directory).length > 0) return false
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return true
}
