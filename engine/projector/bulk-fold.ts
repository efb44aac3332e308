import { setImmediate } from 'node:timers/promises'
import type { RecordedEvent } from '../events/event.ts'
import type { LogReader } from '../log/log.ts'
import { NEW_STORE } from '../store/build.ts'
import type {
  BuildName,
  BuildWrite,
  Checkpoint,
  PoisonEvent,
  StateWrite,
  StoreWriter,
} from '../store/store.ts'
import { BuildFold, type Grouping } from './build-fold.ts'
import type { Committer } from './committer.ts'
import { profilesIn } from './grouping.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'
import { Routes } from './routes.ts'
import { StagedStates } from './staged-states.ts'

/** What changed is packed after so many events: kept as objects for longer, states cost more to look after. */
const STAGE_EVENTS = 10_000
/** Staged states of all builds; above it they are written, and read back where they change again. */
const STAGED_BYTES = 640 * 1024 * 1024
/** Keys in one commit. */
const COMMIT_KEYS = 20_000

/** A build whose tables are there and empty. */
export interface EmptyBuild {
  readonly projection: AnyProjection
  readonly build: BuildName
  readonly config: Configuration
}

interface BulkOptions {
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly store: StoreWriter
  readonly committer: Committer
  readonly grouping: Grouping
  readonly stageEvents?: number | undefined
  readonly stagedBytes?: number | undefined
}

/**
 * Folds builds from the log's beginning, opening each event once for all of them. Rows are made once, of the states that all
 * events have led to, and written in the order of their keys: writing them again at every commit is most of what folding a
 * history costs. Their checkpoint stays at the beginning until `finish`, so that a crash shows that they aren't whole.
 */
export class BulkFold {
  /** Of these types events must be taken, undefined: of every type. A deadline may fall due with the next of them. */
  readonly types: ReadonlySet<string> | undefined
  readonly #options: BulkOptions
  readonly #builds: readonly StagedBuild[]
  readonly #routes: Routes
  #unstaged = 0

  constructor(builds: readonly EmptyBuild[], options: BulkOptions) {
    this.types = typesOf(builds.map(({ projection }) => projection))
    this.#options = options
    this.#builds = builds.map((build) => new StagedBuild(build, options.store))
    this.#routes = new Routes(this.#builds.map(({ fold }) => fold))
  }

  /** In the order of the log; `now` is the clock that deadlines fall due by, else each event's `received`. */
  take(events: Iterable<RecordedEvent>, now?: (event: RecordedEvent) => number): void {
    const { open, stageEvents = STAGE_EVENTS, stagedBytes = STAGED_BYTES } = this.#options
    for (const event of events) {
      this.#routes.fold(event, open, now?.(event))
      this.#unstaged += 1
    }
    if (this.#unstaged >= stageEvents && this.#stage() > stagedBytes) this.#writeStates()
  }

  /**
   * Writes all that isn't written, and moves the checkpoint to `at`. `now`: the clock by then, else that of `at`. Answers folds
   * that go on from there.
   */
  finish(at: Checkpoint, now = at.received): readonly BuildFold[] {
    // Deadlines that passed after the last of these events.
    for (const { fold } of this.#builds) fold.tick(now)
    this.#stage()
    this.#write()
    const builds = this.#builds.map(({ fold }) => fold.build)
    this.#commit(builds, at, [], [], 0)
    return this.#builds.map((build) => build.following())
  }

  /** Answers what all that is staged takes, in bytes. */
  #stage(): number {
    this.#unstaged = 0
    return this.#builds.reduce((sizeBytes, build) => sizeBytes + build.stage(), 0)
  }

  /** Makes room. Rows wait for the end: those of a key that changes again would be made again. */
  #writeStates(): void {
    for (const build of this.#builds) {
      this.#writeParts(build.stateWrites())
      build.written()
    }
  }

  #write(): void {
    const { grouping } = this.#options
    for (const build of this.#builds) {
      // A key's rows need all that is staged of its build, which is given back before the next one's turn.
      this.#writeParts(build.stateWrites())
      this.#writeParts(build.rowWrites(grouping))
      build.written()
    }
  }

  #writeParts(parts: Iterable<Part>): void {
    for (const { write, poison, size } of parts) this.#commit([], NEW_STORE, [write], poison, size)
  }

  #commit(
    builds: readonly BuildName[],
    { position, received, mark }: Checkpoint,
    writes: readonly BuildWrite[],
    poison: readonly PoisonEvent[],
    size: number,
  ): void {
    const { committer } = this.#options
    const nobody = { members: new Map<string, string>(), evidence: [] }
    committer.finish()
    committer.begin({ builds, position, received, mark, writes, poison, ...nobody }, size, () => undefined)
    committer.finish()
  }
}

interface History extends BulkOptions {
  readonly log: LogReader
  /** How far to fold. */
  readonly until: Checkpoint
  readonly signal: AbortSignal
}

/** Folds builds from the log's beginning. Answers folds that go on from there; undefined: aborted on the way. */
export async function foldHistory(
  builds: readonly EmptyBuild[],
  history: History,
): Promise<readonly BuildFold[] | undefined> {
  const { log, until, signal } = history
  const bulk = new BulkFold(builds, history)
  for await (const batch of log.read({ types: bulk.types })) {
    if (signal.aborted) return undefined
    bulk.take(batch.filter(({ position }) => position <= until.position))
    if ((batch.at(-1)?.position ?? 0) >= until.position) break
    // Whoever shares the thread is heard now and then.
    await setImmediate()
  }
  return bulk.finish(until)
}

/** The types that any of these projections handles; undefined: every type. */
export function typesOf(projections: Iterable<AnyProjection>): ReadonlySet<string> | undefined {
  const types = new Set<string>()
  for (const { handles } of projections) {
    if (handles === 'every') return undefined
    for (const type of handles) types.add(type)
  }
  return types
}

/** What one commit writes. */
interface Part {
  readonly write: BuildWrite
  /** Walked after the rows: making them may find some. */
  readonly poison: readonly PoisonEvent[]
  readonly size: number
}

/** A build whose states wait in memory until they are written. */
class StagedBuild {
  readonly fold: BuildFold
  readonly #empty: EmptyBuild
  readonly #store: StoreWriter
  readonly #isOfProfiles: boolean
  readonly #states = new StagedStates()
  readonly #due = new Map<string, number>()
  #poison: PoisonEvent[] = []
  #hasWritten = false

  constructor(empty: EmptyBuild, store: StoreWriter) {
    const { projection, build, config } = empty
    this.#empty = empty
    this.#store = store
    this.#isOfProfiles = projection.table.grain === 'profile'
    this.fold = new BuildFold(projection, build, config, {
      state: (name, key) => this.#states.get(key) ?? (this.#hasWritten ? store.state(name, key) : undefined),
      due: () => [],
    })
  }

  /** Packs what changed since the last call. Answers what is staged, in bytes. */
  stage(): number {
    this.#poison.push(...this.fold.drain((write) => this.#put(write)))
    return this.#states.sizeBytes
  }

  #put({ key, state, due }: StateWrite): void {
    if (state !== undefined) this.#states.put(key, state)
    if (due !== undefined) this.#due.set(key, due)
    else if (this.#due.size > 0) this.#due.delete(key)
  }

  /** What is staged, in the order of the keys, a commit's worth at a time. */
  *stateWrites(): Generator<Part> {
    const { build } = this.fold
    for (const part of parts(this.#states.keys())) {
      const states = { [Symbol.iterator]: () => this.#stateWrites(part) }
      yield { write: { build, states, rows: [], areNew: !this.#hasWritten }, poison: [], size: part.length }
    }
    yield { write: { build, states: [], rows: [] }, poison: this.#poison, size: 0 }
    this.#poison = []
  }

  *#stateWrites(keys: readonly string[]): Generator<StateWrite> {
    for (const key of keys) yield { key, state: this.#states.get(key), due: this.#due.get(key) }
  }

  /** The rows of all states, likewise; these must be in the store. */
  *rowWrites(grouping: Grouping): Generator<Part> {
    const { build } = this.fold
    for (const part of this.#isOfProfiles ? profilesIn(this.#keys(), grouping) : this.#keys()) {
      const poison: PoisonEvent[] = []
      const rows = { [Symbol.iterator]: () => this.fold.storedRows(part, grouping, poison) }
      yield { write: { build, states: [], rows, areNew: true }, poison, size: part.length }
    }
  }

  *#keys(): Generator<readonly string[]> {
    if (!this.#hasWritten) {
      yield* parts(this.#states.keys())
      return
    }
    // Too many to remember them all.
    let part: readonly string[] = []
    do {
      part = this.#store.keys(this.fold.build, part.at(-1), COMMIT_KEYS)
      if (part.length > 0) yield part
    } while (part.length === COMMIT_KEYS)
  }

  /** All of it is in the store. */
  written(): void {
    this.#states.clear()
    this.#due.clear()
    this.#hasWritten = true
  }

  following(): BuildFold {
    const { projection, build, config } = this.#empty
    return new BuildFold(projection, build, config, this.#store)
  }
}

function* parts(keys: readonly string[]): Generator<readonly string[]> {
  for (let from = 0; from < keys.length; from += COMMIT_KEYS) yield keys.slice(from, from + COMMIT_KEYS)
}
