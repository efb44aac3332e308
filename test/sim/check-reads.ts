import { isDeepStrictEqual } from 'node:util'
import type { BuildsMode } from '../../engine/projector/builds.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import { columnList, decodeRow } from '../../engine/store/cells.ts'
import type { MemoryStore } from '../../engine/store/memory.ts'
import type { StoreSnapshot } from '../../engine/store/snapshot.ts'
import type { BuildStatus, PoisonEvent, StoredRow, StoreReader } from '../../engine/store/store.ts'
import type { Row } from '../../engine/store/table.ts'
import { configurationOf, foldPlainly, type Groups, groupsOf, plainRows, type Reading } from './oracle.ts'
import { isIdentityRules } from './plain-rules.ts'
import { RELEASES } from './releases.ts'
import { must } from './violation.ts'

/** What a check of the read models goes by. */
export interface Truth {
  /** The whole log. */
  readonly readings: readonly Reading[]
  /** Somebody was erased in this run: what was poison before may have been sealed under a destroyed key. */
  readonly hasErased: boolean
  /** `hold`: of which configuration a build is that serves is an operator's business. */
  readonly mode: BuildsMode
}

const CONFIGURES: ReadonlySet<string> = new Set(
  RELEASES.flat().flatMap((projection): readonly string[] => projection.configuredBy),
)

/** Every build that has got as far as those that serve, and who belongs together, equal what is folded plainly up to there. */
export async function checkStore(store: MemoryStore, truth: Truth): Promise<void> {
  const snapshot = store.writer.snapshot()
  const { position } = snapshot.checkpoint
  const told = await membersTold(store, upTo(truth.readings, position))
  const possible = possibleGroups(truth.readings, position)
  const groups = possible.find((each) => violationOfMembers(told, each) === undefined)
  must(groups !== undefined, () => violationOfMembers(told, possible[0] ?? new Map()) ?? '')
  for (const build of snapshot.builds) {
    const isHalfMade = !build.serving && build.position < position
    if (isHalfMade) continue
    must(build.position === position, () => `${build.build} stands at ${build.position}, not at ${position}`)
    await checkBuild({ store, snapshot }, build, groups, truth)
  }
}

export function upTo(readings: readonly Reading[], position: number): readonly Reading[] {
  return readings.slice(0, position)
}

function projectionOf({ projection, version }: BuildStatus): AnyProjection {
  const found = RELEASED.find((each) => each.name === projection && each.version === version)
  must(found !== undefined, () => `a build of ${projection} version ${version}, which no release has`)
  return found
}

const RELEASED = RELEASES.flat()

async function checkBuild(
  { store, snapshot }: { readonly store: MemoryStore; readonly snapshot: StoreSnapshot },
  build: BuildStatus,
  groups: Groups,
  truth: Truth,
): Promise<void> {
  const released = projectionOf(build)
  const readings = upTo(truth.readings, build.position)
  const of = `${build.build} at ${build.position}`
  // Held builds, and those that don't serve, may be of whatever was published at some time.
  const most = build.serving && truth.mode === 'auto' ? 1 : Number.POSITIVE_INFINITY
  const possible = possibleConfigurations(truth.readings, build.position, most)
  const config = possible.find(({ hashed }) => build.configuration === hashed(released))?.config
  must(config !== undefined, () => `${of} has another configuration than what was published by then`)
  const projection = released.under?.(config) ?? released
  const { states, poison } = foldPlainly(projection, readings, config)
  const plain = plainRows(projection, states, config, groups)
  compareRows(of, rowsOf(snapshot, build.build, projection), plain)
  const reader = store.reader([{ projection: projection.name, table: projection.table }])
  if (build.serving) compareRows(`${of}, read`, await allRows(reader, projection), plain)
  const noted = (await reader.poison(10_000)).value.filter((each) => each.build === build.build)
  await reader.close()
  checkPoison(of, noted, poison, truth)
}

function checkPoison(
  of: string,
  noted: readonly PoisonEvent[],
  poison: ReadonlySet<number>,
  { hasErased }: Truth,
): void {
  const positions = new Set(noted.map(({ position }) => position))
  for (const position of poison)
    must(positions.has(position), () => `${of}: poison at ${position} isn't noted`)
  if (hasErased) return
  for (const { position, type } of noted)
    must(type === 'row' || poison.has(position), () => `${of}: ${position} is noted as poison and isn't`)
}

interface Hashed {
  readonly config: Configuration
  readonly hashed: (projection: AnyProjection) => string
}

/**
 * What builds may be of up to here: `most` of the newest of what was published by then, and whatever the log publishes
 * later: that counts as soon as it is found there.
 */
export function possibleConfigurations(
  readings: readonly Reading[],
  position: number,
  most: number,
): readonly Hashed[] {
  const later = readings.slice(position).filter(({ recorded }) => CONFIGURES.has(recorded.type)).length
  return configurationsSoFar(readings).slice(0, later + most)
}

/** Likewise who belongs together: by the rules of then or by any that come later. */
export function possibleGroups(readings: readonly Reading[], position: number): readonly Groups[] {
  const here = upTo(readings, position)
  const ruled = readings.flatMap((each, i) =>
    i >= position && isIdentityRules(each) ? [upTo(readings, i + 1)] : [],
  )
  return [here, ...ruled].map((each) => groupsOf(here, each))
}

/** What was published after each event that published something, the newest first, and before any. */
function configurationsSoFar(readings: readonly Reading[]): readonly Hashed[] {
  const published = readings.filter(({ recorded }) => CONFIGURES.has(recorded.type))
  const lengths = Array.from({ length: published.length + 1 }, (_, at) => published.length - at)
  return lengths.map((length) => hashedConfiguration(published.slice(0, length)))
}

function hashedConfiguration(published: readonly Reading[]): Hashed {
  const state = new ConfigurationState()
  for (const { event } of published) if (event !== undefined) state.apply(event)
  return {
    config: configurationOf(published),
    hashed: (projection) => state.hash(projection),
  }
}

/** Of any build, serving or not. */
export function rowsOf(
  snapshot: StoreSnapshot,
  build: string,
  { table }: AnyProjection,
): ReadonlyMap<string, Row> {
  const columns = columnList(table)
  const rows = Array.from(snapshot.rows(build), ({ key, part, cells }) => {
    return [JSON.stringify([key, part]), decodeRow(columns, cells, 0)] as const
  })
  return new Map(rows)
}

async function allRows(reader: StoreReader, projection: AnyProjection): Promise<ReadonlyMap<string, Row>> {
  const rows: StoredRow[] = []
  let cursor: string | undefined
  do {
    const { value } = await reader.list({ projection: projection.name, limit: 500, cursor })
    rows.push(...value.rows)
    cursor = value.next
  } while (cursor !== undefined)
  return new Map(rows.map(({ key, part, row }) => [JSON.stringify([key, part]), row]))
}

export function compareRows(
  of: string,
  found: ReadonlyMap<string, Row>,
  plain: ReadonlyMap<string, Row>,
): void {
  for (const [key, row] of plain) {
    const held = found.get(key)
    must(held !== undefined, () => `${of}: the row ${key} is missing`)
    must(isDeepStrictEqual(held, row), () => `${of}: row ${key} differs in ${difference(held, row)}`)
  }
  for (const key of found.keys()) must(plain.has(key), () => `${of}: there is a row ${key} too many`)
}

function difference(found: Row, plain: Row): string {
  const names = new Set([...Object.keys(found), ...Object.keys(plain)])
  return [...names]
    .filter((name) => !isDeepStrictEqual(found[name], plain[name]))
    .map((name) => `${name}: ${JSON.stringify(found[name])}, folded plainly ${JSON.stringify(plain[name])}`)
    .join('; ')
}

type Members = ReadonlyMap<string, readonly string[]>

/** Of each identity that the events name, who the store says belongs to its profile. */
async function membersTold(store: MemoryStore, readings: readonly Reading[]): Promise<Members> {
  const reader = store.reader([])
  const ids = new Set(readings.flatMap(({ recorded }) => recorded.identities.map(({ id }) => id)))
  const { value } = await reader.members([...ids])
  await reader.close()
  return new Map(Array.from(ids, (id) => [id, value.get(id)?.members ?? [id]]))
}

function violationOfMembers(told: Members, groups: Groups): string | undefined {
  for (const [id, found] of told) {
    const plain = groups.get(id) ?? [id]
    if (isDeepStrictEqual([...found], [...plain])) continue
    return `identity ${id} is grouped with ${found.join(' ')}, by the evidence with ${plain.join(' ')}`
  }
  return undefined
}
