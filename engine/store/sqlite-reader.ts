import assert from 'node:assert/strict'
import { type Cell, columnList } from './cells.ts'
import type { ListPlan } from './plan.ts'
import { refuse } from './plan.ts'
import type { AggregatePlan } from './plan-aggregate.ts'
import {
  type Catalogue,
  type Figure,
  type Fresh,
  type GetPlan,
  type Got,
  type KeyedCells,
  type QueryEngine,
  STALE,
  type StatesPlan,
} from './query-engine.ts'
import { PlanningReader } from './reader.ts'
import type { Extent } from './sqlite-compile.ts'
import * as compile from './sqlite-compile.ts'
import { DirectReader } from './sqlite-direct.ts'
import type { JobOutcome, Script, SqlRow, SqlValue } from './sqlite-protocol.ts'
import { SqliteThreads } from './sqlite-threads.ts'
import type { Answer, BuildStatus, PoisonEvent, ReadSpec, RefusedEvidence, StoreReader } from './store.ts'
import type { TableShape } from './table.ts'

interface SqliteReaderOptions {
  /** The projections that queries may name. */
  readonly specs: readonly ReadSpec[]
  /** Worker threads; default 2. */
  readonly threads?: number | undefined
  /** Queries under way and waiting before more are refused (`Overloaded`); default 1,000. */
  readonly maxPending?: number | undefined
  /** Hears of every position that somebody begins to wait for. */
  readonly onWait?: ((position: number) => void) | undefined
}

/**
 * Queries over a file that a writer on any thread or process keeps. The file need not exist yet: until it does,
 * queries fail with `StoreUnavailable`.
 */
export function openSqliteReader(path: string, options: SqliteReaderOptions): StoreReader {
  const threads = new SqliteThreads(path, options.threads ?? 2, options.maxPending ?? 1_000)
  return new PlanningReader(new SqliteEngine(threads, new DirectReader(path)), options.specs, options.onWait)
}

/** Identities looked up directly; more are a page's, and go to a reader thread. */
const MAX_DIRECT_IDENTITIES = 10

class SqliteEngine implements QueryEngine {
  readonly #threads: SqliteThreads
  readonly #direct: DirectReader
  constructor(threads: SqliteThreads, direct: DirectReader) {
    this.#threads = threads
    this.#direct = direct
  }

  async catalogue(): Promise<Catalogue> {
    const [meta = [], serving = []] = await this.#rows(compile.compileCatalogue())
    const [generation, cursorKey] = meta[0] ?? []
    assert(cursorKey instanceof Uint8Array)
    return {
      generation: Number(generation),
      cursorKey,
      serving: serving.map(([projection, build, version, json]) => {
        const shape: TableShape = JSON.parse(String(json))
        const names = { projection: String(projection), build: String(build), version: Number(version) }
        return { ...names, columns: columnList(shape), shape }
      }),
    }
  }

  async list(plan: ListPlan, generation: number): Promise<Fresh<readonly KeyedCells[]>> {
    const reached = compile.compileReached([plan.table.build])
    return this.#answer([reached, compile.compileList(plan)], generation, ([rows = []]) => rows.map(cells))
  }

  async aggregate(plan: AggregatePlan, generation: number): Promise<Fresh<readonly (readonly Figure[])[]>> {
    const reached = compile.compileReached([plan.table.build])
    const sums = plan.figures.filter(({ of }) => of === 'sum').map(({ name }) => name)
    return this.#answer(
      [reached, compile.compileAggregate(plan)],
      generation,
      ([rows = []]) => rows.map(figures),
      sums,
    )
  }

  async get(plan: GetPlan, generation: number): Promise<Fresh<Got>> {
    const asked = (extent: Extent) => compile.compileGet(plan, extent)
    return answerOf(await this.#byKey(asked, generation), ([profile = [], members = [], ...tables]) => ({
      profile: String(profile[0]?.[0]),
      members: members.map(([identity]) => String(identity)),
      rows: tables.map((rows) => rows.map(cells)),
    }))
  }

  async states(
    plan: StatesPlan,
    generation: number,
  ): Promise<Fresh<readonly { readonly key: string; readonly state: Uint8Array }[]>> {
    const scripts = [compile.compileReached([plan.build]), compile.compileStates(plan)]
    return this.#answer(scripts, generation, ([rows = []]) =>
      rows.map(([key, state]) => {
        assert(state instanceof Uint8Array)
        return { key: String(key), state }
      }),
    )
  }

  async members(identities: readonly string[]) {
    const asked = (extent: Extent) => [compile.compileHead(), ...compile.compileMembers(identities, extent)]
    const few = identities.length <= MAX_DIRECT_IDENTITIES
    const outcome = few
      ? await this.#byKey(asked, undefined)
      : await this.#threads.run(asked('all'), undefined)
    const [head = [], known = [], all = []] = rowsOf(outcome)
    const members = new Map<string, string[]>()
    for (const [identity, profile] of all) {
      const others = members.get(String(profile))
      if (others === undefined) members.set(String(profile), [String(identity)])
      else others.push(String(identity))
    }
    const profiles = new Map(known.map(([id, profile]) => [String(id), String(profile)]))
    return { ...answerHead(head), value: { profiles, members } }
  }

  builds(): Promise<Answer<readonly BuildStatus[]>> {
    return this.#headed([compile.compileBuilds()], ([rows = []]) =>
      rows.map(([projection, build, version, configuration, serving, position]) => ({
        projection: String(projection),
        build: String(build),
        version: Number(version),
        configuration: String(configuration),
        serving: serving === 1,
        position: Number(position),
      })),
    )
  }

  poison(limit: number): Promise<Answer<readonly PoisonEvent[]>> {
    return this.#headed([compile.compilePoison(limit)], ([rows = []]) =>
      rows.map(([build, position, type, reason]) => ({
        build: String(build),
        position: Number(position),
        type: String(type),
        reason: String(reason),
      })),
    )
  }

  review(after: number, limit: number): Promise<Answer<readonly RefusedEvidence[]>> {
    return this.#headed([compile.compileReview(after, limit)], ([rows = []]) =>
      rows.map(([place, bytes]) => {
        assert(bytes instanceof Uint8Array)
        return { place: Number(place), bytes }
      }),
    )
  }

  async position(): Promise<number> {
    const [head = []] = rowsOf(await this.#byKey(() => [compile.compileHead()], undefined))
    return Number(head[0]?.[0])
  }

  close(): Promise<void> {
    this.#direct.close()
    return this.#threads.close()
  }

  /** Where there is too much for the calling thread, all is read on another: nobody else should wait for it. */
  async #byKey(
    scripts: (extent: Extent) => readonly Script[],
    generation: number | undefined,
  ): Promise<JobOutcome> {
    const outcome = await this.#direct.ask({ scripts: scripts('some'), generation })
    const isWhole =
      outcome?.kind === 'rows' && outcome.rows.every(({ length }) => length <= compile.MAX_DIRECT_ROWS)
    return isWhole || outcome?.kind === 'stale' ? outcome : this.#threads.run(scripts('all'), generation)
  }

  /** Scripts that every generation understands. */
  async #rows(scripts: readonly Script[]): Promise<readonly (readonly SqlRow[])[]> {
    return rowsOf(await this.#threads.run(scripts, undefined))
  }

  async #headed<T>(
    scripts: readonly Script[],
    read: (rows: readonly (readonly SqlRow[])[]) => T,
  ): Promise<Answer<T>> {
    const [head = [], ...rows] = await this.#rows([compile.compileHead(), ...scripts])
    return { ...answerHead(head), value: read(rows) }
  }

  /** The first script tells the position. */
  async #answer<T>(
    scripts: readonly Script[],
    generation: number,
    read: (rows: readonly (readonly SqlRow[])[]) => T,
    sums: readonly string[] = [],
  ): Promise<Fresh<T>> {
    return answerOf(await this.#threads.run(scripts, generation), read, sums)
  }
}

/** Of scripts that every generation understands. */
function rowsOf(outcome: JobOutcome): readonly (readonly SqlRow[])[] {
  switch (outcome.kind) {
    case 'rows':
      return outcome.rows
    case 'unavailable':
      return refuse({ _tag: 'StoreUnavailable', why: outcome.why })
    case 'stale':
    case 'overflow':
      return assert.fail(`unexpected: ${outcome.kind}`)
  }
}

function answerOf<T>(
  outcome: JobOutcome,
  read: (rows: readonly (readonly SqlRow[])[]) => T,
  sums: readonly string[] = [],
): Fresh<T> {
  switch (outcome.kind) {
    case 'rows': {
      const [head = [], ...rows] = outcome.rows
      return { ...answerHead(head), value: read(rows) }
    }
    case 'stale':
      return STALE
    case 'overflow':
      return refuse({ _tag: 'Overflow', figures: sums })
    case 'unavailable':
      return refuse({ _tag: 'StoreUnavailable', why: outcome.why })
  }
}

function answerHead(rows: readonly SqlRow[]): { readonly position: number; readonly received: number } {
  const [position, received] = rows[0] ?? []
  assert(typeof position === 'number' && typeof received === 'number', 'an answer has a position')
  return { position, received }
}

function cells(row: SqlRow): KeyedCells {
  assert(row.every(isCell), 'columns hold neither bytes nor what leaves the safe integers')
  return row
}

function isCell(value: SqlValue): value is Cell {
  return value === null || typeof value === 'string' || typeof value === 'number'
}

function figures(row: SqlRow): readonly Figure[] {
  return row.map(notBytes)
}

function notBytes(value: SqlValue): Figure {
  assert(!(value instanceof Uint8Array), 'columns hold no bytes')
  return value
}
