import { isDeepStrictEqual } from 'node:util'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import type { MemoryStore } from '../../engine/store/memory.ts'
import type { BuildStatus, StoredRow, StoreReader } from '../../engine/store/store.ts'
import type { Row } from '../../engine/store/table.ts'
import { configurationOf, foldPlainly, type Groups, groupsOf, plainRows, type Reading } from './oracle.ts'
import { RELEASES } from './releases.ts'
import { must } from './violation.ts'

/** What a check of the read models goes by. */
export interface Truth {
  /** The whole log. */
  readonly readings: readonly Reading[]
  /** Somebody was erased in this run: what was poison before may have been sealed under a destroyed key. */
  readonly hasErased: boolean
  /** Builds are switched, so that those of a configuration just published may not serve yet. */
  readonly mayBeSwitching: boolean
}

const CONFIGURES: ReadonlySet<string> = new Set(
  RELEASES.flat().flatMap((projection): readonly string[] => projection.configuredBy),
)

/** Every serving build, and who belongs together, equal what is folded plainly up to where they stand. */
export async function checkStore(store: MemoryStore, truth: Truth): Promise<void> {
  const position = store.writer.checkpoint().position
  const groups = groupsOf(upTo(truth.readings, position))
  for (const build of store.writer.builds()) {
    if (!build.serving) continue
    const projection = projectionOf(build)
    const reader = store.reader([{ projection: projection.name, table: projection.table }])
    await checkBuild(reader, build, projection, groups, truth)
    await reader.close()
  }
  await checkMembers(store, groups, upTo(truth.readings, position))
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
  reader: StoreReader,
  build: BuildStatus,
  projection: AnyProjection,
  groups: Groups,
  truth: Truth,
): Promise<void> {
  const readings = upTo(truth.readings, build.position)
  const config = possibleConfigurations(readings, truth.mayBeSwitching).find(
    ({ hashed }) => build.build === `${projection.name}__v${projection.version}_${hashed(projection)}`,
  )?.config
  must(
    config !== undefined,
    () => `${build.build} has another configuration than what was published by ${build.position}`,
  )
  const { states, poison } = foldPlainly(projection, readings, config)
  compareRows(
    `${build.build} at ${build.position}`,
    await allRows(reader, projection),
    plainRows(projection, states, config, groups),
  )
  const noted = (await reader.poison(10_000)).value.filter((each) => each.build === build.build)
  for (const position of poison)
    must(
      noted.some((each) => each.position === position),
      () => `${build.build}: poison at ${position} isn't noted`,
    )
  if (truth.hasErased) return
  for (const { position, type } of noted)
    must(
      type === 'row' || poison.has(position),
      () => `${build.build}: ${position} is noted as poison and isn't`,
    )
}

interface Hashed {
  readonly config: Configuration
  readonly hashed: (projection: AnyProjection) => string
}

/** What was published by the last of them; with `earlier`, also what was before the last event that published something. */
export function possibleConfigurations(readings: readonly Reading[], earlier: boolean): readonly Hashed[] {
  const possible = [hashedConfiguration(readings)]
  const last = readings.findLastIndex(({ recorded }) => CONFIGURES.has(recorded.type))
  if (earlier && last >= 0) possible.push(hashedConfiguration(readings.slice(0, last)))
  return possible
}

function hashedConfiguration(readings: readonly Reading[]): Hashed {
  const published = readings.filter(({ recorded }) => CONFIGURES.has(recorded.type))
  const state = new ConfigurationState()
  for (const { event } of published) if (event !== undefined) state.apply(event)
  return {
    config: configurationOf(published),
    hashed: (projection) => state.hash(projection.configuredBy),
  }
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

async function checkMembers(store: MemoryStore, groups: Groups, readings: readonly Reading[]): Promise<void> {
  const reader = store.reader([])
  const ids = new Set(readings.flatMap(({ recorded }) => recorded.identities.map(({ id }) => id)))
  const { value } = await reader.members([...ids])
  for (const id of ids) {
    const plain = groups.get(id) ?? [id]
    const found = value.get(id)?.members ?? [id]
    must(
      isDeepStrictEqual([...found], [...plain]),
      () => `identity ${id} is grouped with ${found.join(' ')}, by the evidence with ${plain.join(' ')}`,
    )
  }
  await reader.close()
}
