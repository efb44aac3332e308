import assert from 'node:assert/strict'
import { advanced, type Build, checkCommit, furthestOf, newBuild, served, statusOf } from './build.ts'
import { type Cell, checkedText, compareText, encodeRow } from './cells.ts'
import { MemoryData, type MemoryRow, type MemoryTables } from './memory-data.ts'
import { MemoryEngine } from './memory-engine.ts'
import { memorySnapshot } from './memory-snapshot.ts'
import { UnderWay } from './memory-under-way.ts'
import { PlanningReader } from './reader.ts'
import { searchText } from './search-text.ts'
import type { StoreSnapshot } from './snapshot.ts'
import type {
  BuildStatus,
  BuildWrite,
  Checkpoint,
  Commit,
  PoisonEvent,
  ReadSpec,
  RowWrite,
  StateWrite,
  StoreReader,
  StoreWriter,
  TableSpec,
} from './store.ts'

export interface MemoryStore {
  readonly writer: StoreWriter
  /** A reader of what the writer has committed, for as long as the store is referred to. */
  reader(specs: readonly ReadSpec[]): StoreReader
}

/** The store's contract in memory, for tests and simulations. Queries read every row. */
export function createMemoryStore(): MemoryStore {
  const data = new MemoryData()
  return {
    writer: new MemoryWriter(data),
    reader: (specs) => new PlanningReader(new MemoryEngine(data), specs),
  }
}

class MemoryWriter implements StoreWriter {
  readonly #data: MemoryData
  #closed = false
  /** The commit that is being walked. */
  #underWay: UnderWay | undefined

  constructor(data: MemoryData) {
    this.#data = data
  }

  checkpoint(): Checkpoint {
    return this.#open().head()
  }

  builds(): readonly BuildStatus[] {
    return [...this.#open().builds.values()].map(statusOf)
  }

  createBuild(spec: TableSpec): void {
    const data = this.#idle()
    // The description is kept as it was, whatever becomes of the caller's.
    const build = newBuild(structuredClone({ ...spec, table: plainShape(spec) }))
    assert(!data.builds.has(build.build), `build exists: ${build.build}`)
    checkedText('configuration', build.configuration)
    data.builds.set(build.build, build)
    data.tables.set(build.build, { states: new Map(), rows: new Map() })
  }

  serve(build: string, kept: readonly string[] = []): void {
    this.#setBuilds(served(this.#idle().builds, build, kept))
  }

  dropBuild(build: string): void {
    const next = new Map(this.#idle().builds)
    assert(next.delete(build), `no such build: ${build}`)
    this.#setBuilds(next)
  }

  state(build: string, key: string): Uint8Array | undefined {
    const { state } = this.#underWay?.state(build, key) ?? this.#tables(build).states.get(key) ?? {}
    return state?.slice()
  }

  keys(build: string, after: string | undefined, limit: number): readonly string[] {
    assert(this.#underWay === undefined, 'not while a commit is under way')
    return [...this.#tables(build).states.keys()]
      .filter((key) => after === undefined || compareText(key, after) > 0)
      .sort(compareText)
      .slice(0, limit)
  }

  due(build: string, at: number): readonly { readonly key: string; readonly due: number }[] {
    const found: { readonly key: string; readonly due: number }[] = []
    for (const [key, { due }] of this.#states(build))
      if (due !== undefined && due <= at) found.push({ key, due })
    return found.sort((a, b) => a.due - b.due || compareText(a.key, b.key))
  }

  nextDue(): number | undefined {
    let next: number | undefined
    for (const build of this.#open().tables.keys())
      for (const { due } of this.#states(build).values())
        if (due !== undefined && (next === undefined || due < next)) next = due
    return next
  }

  profileOf(identity: string): string | undefined {
    return this.#underWay === undefined
      ? this.#open().profiles.get(identity)
      : this.#underWay.profileOf(identity)
  }

  membersOf(profile: string): readonly string[] {
    return (this.#underWay ?? this.#open()).membersOf(profile)
  }

  named(after: string, limit: number): readonly string[] {
    return this.#idle().named(after, limit)
  }

  evidenceOf(identity: string): readonly { readonly id: string; readonly bytes: Uint8Array }[] {
    if (this.#underWay !== undefined) return this.#underWay.evidenceOf(identity)
    const { evidence, evidenceOf } = this.#open()
    return [...(evidenceOf.get(identity) ?? [])].map((id) => {
      const bytes = evidence.get(id)
      assert(bytes !== undefined)
      return { id, bytes: bytes.slice() }
    })
  }

  commit(commit: Commit): void {
    const steps = this.commitInSteps(commit)
    while (steps.next().done !== true);
  }

  /** Everything that can fail comes before the first change. */
  *commitInSteps(commit: Commit): Generator<void, void> {
    const data = this.#idle()
    checkCommit(commit, data.builds)
    checkPeople(commit)
    const underWay = new UnderWay(data, commit)
    this.#underWay = underWay
    try {
      yield
      const encoded: EncodedWrite[] = []
      for (const write of commit.writes) encoded.push(yield* encodeWrite(data, write, underWay))
      apply(data, commit, encoded, [...commit.poison])
    } finally {
      this.#underWay = undefined
    }
  }

  reset(): void {
    this.#idle().reset()
  }

  purge(): boolean {
    this.#idle()
    return true
  }

  snapshot(): StoreSnapshot {
    return memorySnapshot(this.#open())
  }

  close(): void {
    this.#closed = true
  }

  #open(): MemoryData {
    assert(!this.#closed, 'the store is closed')
    return this.#data
  }

  #idle(): MemoryData {
    assert(this.#underWay === undefined, 'one commit at a time')
    return this.#open()
  }

  #tables(build: string): MemoryTables {
    const tables = this.#open().tables.get(build)
    assert(tables !== undefined, `no such build: ${build}`)
    return tables
  }

  #states(build: string): MemoryTables['states'] {
    const tables = this.#tables(build)
    return this.#underWay?.statesOf(build, tables) ?? tables.states
  }

  #setBuilds(next: Map<string, Build>): void {
    const data = this.#data
    data.builds = next
    data.generation += 1
    for (const name of data.tables.keys()) if (!next.has(name)) data.tables.delete(name)
    for (const [id, { build }] of data.poison) if (!next.has(build)) data.poison.delete(id)
  }
}

/** Without `rows`, a function, which the caller's table may have beside its description. */
function plainShape({ table: { grain, columns, indexes, search } }: TableSpec): TableSpec['table'] {
  return { grain, columns, indexes, search }
}

type EncodedRows = readonly { readonly key: string; readonly parts: ReadonlyMap<string, MemoryRow> }[]

interface EncodedWrite {
  readonly tables: MemoryTables
  readonly states: readonly StateWrite[]
  readonly rows: EncodedRows
}

function* encodeWrite(
  data: MemoryData,
  write: BuildWrite,
  underWay: UnderWay,
): Generator<void, EncodedWrite> {
  const build = data.builds.get(write.build)
  const tables = data.tables.get(write.build)
  assert(build !== undefined && tables !== undefined, `no such build: ${write.build}`)
  const states: StateWrite[] = []
  for (const { key, state, due } of write.states) {
    assert(due === undefined || Number.isSafeInteger(due), 'an instant is a safe integer')
    // Copied at once: the next one may be made in the same memory.
    const copied = { key: checkedText('key', key), state: state?.slice(), due }
    states.push(copied)
    underWay.write(write.build, copied)
    yield
  }
  const rows: { readonly key: string; readonly parts: ReadonlyMap<string, MemoryRow> }[] = []
  for (const each of write.rows) {
    rows.push({ key: each.key, parts: encodeParts(build, each) })
    yield
  }
  return { tables, states, rows }
}

function encodeParts(build: Build, write: RowWrite): ReadonlyMap<string, MemoryRow> {
  const key = checkedText('key', write.key)
  const parts = new Map<string, MemoryRow>()
  for (const [part, row] of write.rows) {
    const cells: Cell[] = [key, checkedText('part', part), ...encodeRow(build.columns, row)]
    parts.set(part, { cells, searchText: searchText(build.shape.search ?? [], row) })
  }
  return parts
}

function checkPeople(commit: Commit): void {
  for (const [identity, profile] of commit.members) {
    checkedText('identity', identity)
    checkedText('profile', profile)
  }
  for (const { id, identities } of commit.evidence) {
    checkedText('evidence', id)
    for (const identity of identities) checkedText('identity', identity)
  }
}

function apply(
  data: MemoryData,
  commit: Commit,
  encoded: readonly EncodedWrite[],
  poison: readonly PoisonEvent[],
): void {
  for (const { tables, states, rows } of encoded) {
    for (const { key, state, due } of states)
      if (state === undefined) tables.states.delete(key)
      else tables.states.set(key, { state, due })
    for (const { key, parts } of rows)
      if (parts.size === 0) tables.rows.delete(key)
      else tables.rows.set(key, parts)
  }
  for (const [identity, profile] of commit.members) data.setMember(identity, profile)
  for (const evidence of commit.evidence) data.addEvidence(evidence)
  for (const { build, position, type, reason } of poison) {
    const event = { build, position, type: type.toWellFormed(), reason: reason.toWellFormed() }
    data.poison.set(`${build} ${position}`, event)
  }
  data.builds = advanced(data.builds, commit)
  data.furthest = furthestOf(data.furthest, commit)
}
