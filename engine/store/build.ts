import assert from 'node:assert/strict'
import { type ColumnList, checkedText, columnList } from './cells.ts'
import type { BuildStatus, Checkpoint, Commit, TableSpec } from './store.ts'
import type { TableShape } from './table.ts'

/** What every store keeps of builds and checks of what it is handed, whatever it keeps them in. */

const PROJECTION_PATTERN = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/
const BUILD_PATTERN = /^[a-z][a-z0-9_]{0,119}$/
const COLUMN_PATTERN = /^[a-z][a-z0-9_]{0,62}$/i
const MAX_COLUMNS = 500

/** Tables of the store itself; a projection's view must not hide them. */
const STORE_TABLES = ['meta', 'builds', 'member', 'evidence', 'evidence_identity', 'poison'] as const

/** `rank` and `rowid` mean something else to full-text tables, `key` and `part` stand beside the columns. */
const RESERVED_COLUMNS = new Set(['key', 'part', 'rowid', 'oid', 'rank'])

export interface Build extends BuildStatus, Checkpoint {
  readonly shape: TableShape
  readonly columns: ColumnList
}

export const NEW_STORE: Checkpoint = { position: 0, received: 0, mark: '' }

export function newBuild(spec: TableSpec): Build {
  checkSpec(spec)
  const { projection, build, version, configuration, table } = spec
  const { grain, columns, indexes, search } = table
  return {
    projection,
    build,
    version,
    configuration,
    serving: false,
    ...NEW_STORE,
    shape: { grain, columns, indexes, search },
    columns: columnList(table),
  }
}

export function statusOf(build: Build): BuildStatus {
  const { projection, build: name, version, configuration, serving, position } = build
  return { projection, build: name, version, configuration, serving, position }
}

/** Names become identifiers in SQL, so nothing but these patterns may pass. */
function checkSpec(spec: TableSpec): void {
  const { projection, build, table } = spec
  assert(PROJECTION_PATTERN.test(projection) && projection.length <= 63, `bad projection name: ${projection}`)
  assert(!STORE_TABLES.some((name) => name === projection), `reserved projection name: ${projection}`)
  assert(!projection.startsWith('sqlite'), `reserved projection name: ${projection}`)
  assert(BUILD_PATTERN.test(build), `bad build name: ${build}`)
  assert(build.startsWith(`${projection}__`), `${build} isn't named after its projection`)
  // What follows the second `__` names a build's own tables: `__state`, `__search`.
  assert(!build.slice(projection.length + 2).includes('__'), `bad build name: ${build}`)
  checkShape(projection, table)
}

function checkShape(projection: string, shape: TableShape): void {
  const names = Object.keys(shape.columns)
  assert(names.length <= MAX_COLUMNS, `${projection}: too many columns`)
  assert(
    new Set(names.map((name) => name.toLowerCase())).size === names.length,
    `${projection}: columns differ only in case`,
  )
  for (const name of names) {
    assert(COLUMN_PATTERN.test(name), `${projection}: bad column name ${name}`)
    assert(!RESERVED_COLUMNS.has(name.toLowerCase()), `${projection}: reserved column name ${name}`)
  }
  for (const name of shape.indexes.flat())
    assert(Object.hasOwn(shape.columns, name), `${projection}: index of unknown column ${name}`)
  for (const name of shape.search ?? [])
    assert(shape.columns[name]?.type === 'text', `${projection}: search needs a text column, not ${name}`)
}

/** What must hold before anything of a commit is written. */
export function checkCommit(commit: Commit, builds: ReadonlyMap<string, Build>): void {
  assert(Number.isSafeInteger(commit.position) && commit.position >= 0, 'a position is a safe integer')
  assert(Number.isSafeInteger(commit.received), 'an instant is a safe integer')
  checkedText('mark', commit.mark)
  for (const name of commit.builds) {
    const build = builds.get(name)
    assert(build !== undefined, `no such build: ${name}`)
    assert(build.position <= commit.position, `the checkpoint of ${name} would move back`)
  }
  for (const { build, areNew } of commit.writes) {
    assert(builds.has(build), `no such build: ${build}`)
    assert(areNew !== true || builds.get(build)?.serving === false, `${build} serves: it is filled already`)
  }
  for (const { build } of commit.poison) assert(builds.has(build), `no such build: ${build}`)
}

/** The builds with the commit's checkpoint. */
export function advanced(builds: ReadonlyMap<string, Build>, commit: Commit): Map<string, Build> {
  const next = new Map(builds)
  const reached = checkpointOf(commit)
  for (const name of commit.builds) {
    const build = builds.get(name)
    assert(build !== undefined)
    next.set(name, { ...build, ...reached })
  }
  return next
}

/** The builds once `name` serves: the projection's others are gone, but for those that are `kept`. */
export function served(
  builds: ReadonlyMap<string, Build>,
  name: string,
  kept: readonly string[],
): Map<string, Build> {
  const chosen = builds.get(name)
  assert(chosen !== undefined, `no such build: ${name}`)
  const next = new Map<string, Build>()
  for (const build of builds.values())
    if (build === chosen) next.set(name, { ...build, serving: true })
    else if (build.projection !== chosen.projection) next.set(build.build, build)
    else if (kept.includes(build.build)) next.set(build.build, { ...build, serving: false })
  return next
}

/**
 * What all serving builds have reached. While none serves it is the furthest that anything was committed: members and
 * evidence are then all there is to ask for.
 */
export function headOf(builds: Iterable<Build>, furthest: Checkpoint): Checkpoint {
  let head: Checkpoint | undefined
  for (const build of builds)
    if (build.serving && (head === undefined || build.position < head.position)) head = build
  return checkpointOf(head ?? furthest)
}

/** Where the furthest commit stands once this one is made. */
export function furthestOf(furthest: Checkpoint, commit: Commit): Checkpoint {
  return commit.position < furthest.position ? furthest : checkpointOf(commit)
}

function checkpointOf({ position, received, mark }: Checkpoint): Checkpoint {
  return { position, received, mark }
}
