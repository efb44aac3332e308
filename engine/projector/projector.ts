import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { EventType } from '../events/catalogue.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { IdentityRules } from '../identity/identity.ts'
import type { Head, LogReader } from '../log/log.ts'
import { isDiskFull } from '../store/disk-full.ts'
import type { BuildName, BuildWrite, Commit, PoisonEvent, StoreWriter } from '../store/store.ts'
import { BuildFold } from './build-fold.ts'
import { ConfigurationState } from './configuration.ts'
import { IdentityFold } from './identity-fold.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'
import { withoutUnstorable } from './storable.ts'

interface ProjectorOptions {
  readonly log: LogReader
  readonly store: StoreWriter
  readonly projections: readonly AnyProjection[]
  readonly rules: IdentityRules
  readonly clock: Clock
  /** Unseals as far as keys exist and upcasts. */
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly onCommit: (progress: Progress) => void
  /** `foreign`: the read models don't follow from this log and are folded anew. */
  readonly onBuild: (build: BuildName, state: 'building' | 'serving' | 'foreign') => void
}

export interface Progress {
  /** Everything up to here is in the store. */
  readonly position: number
  readonly received: number
  /** When time alone will change a row (ms), on an idle log too. */
  readonly nextDue: number | undefined
  /** Events folded since the last report; 0 only where a projector reports as it starts. */
  readonly events: number
  /** How long the commit took. */
  readonly commitMs: number
  /** `received` of the earliest event folded since the last report. */
  readonly firstReceived?: number | undefined
  /** States and keys' rows written since the last report, rebuilding included. */
  readonly writes?: number | undefined
}

/** A reader waits this long for what arrives, while there is little of it. */
const LEAST_COMMIT_MS = 5
/** Under load larger commits cost less per event; a reader waits no longer than this and the commit itself. */
const MOST_COMMIT_MS = 200
/** Events gather for this many times as long as the last commit took, so that commits take a quarter of the time. */
const GATHER_PER_COMMIT = 3
/** Whoever is this many events behind gathers for longer: nobody sees those events soon anyway, and commits get cheaper. */
const BEHIND_EVENTS = 10_000
const BEHIND_COMMIT_MS = 1_000
/** A commit never holds more events than this, so that memory stays bounded. */
const MAX_COMMIT_EVENTS = 50_000

/**
 * Folds one workspace's log into its read models until `signal` aborts. State, rows, membership and checkpoint of a
 * batch are one transaction of the store, so a crash leaves the batch before it. All serving builds share one checkpoint.
 * A build that is missing, or whose version or configuration isn't the wanted one, is folded beside the serving one
 * and then takes its place. Throws `LogDamaged` and what the store throws; both end it.
 */
export async function runProjector(options: ProjectorOptions, signal: AbortSignal): Promise<void> {
  const projector = new Projector(options)
  await projector.start(signal)
  await projector.follow(signal)
}

class Projector {
  readonly #options: ProjectorOptions
  readonly #configuration = new ConfigurationState()
  readonly #configures: ReadonlySet<string>
  readonly #identity: IdentityFold
  #folds: BuildFold[] = []
  #routes = new Routes([])
  #position: number
  #received: number
  /** The event at `#position`; undefined as long as that is the checkpoint that this began at. */
  #last: RecordedEvent | undefined
  #uncommitted = 0
  #firstUncommittedMs = 0
  #firstReceived: number | undefined
  #writes = 0
  #lastCommitMs = 0

  constructor(options: ProjectorOptions) {
    this.#options = options
    this.#configures = new Set<EventType>(
      options.projections.flatMap((projection) => projection.configuredBy),
    )
    this.#identity = new IdentityFold(options.store, options.rules)
    const checkpoint = options.store.checkpoint()
    this.#position = checkpoint.position
    this.#received = checkpoint.received
  }

  async start(signal: AbortSignal): Promise<void> {
    if (!(await this.#followsFromLog())) {
      this.#options.onBuild('all', 'foreign')
      this.#options.store.reset()
      this.#position = 0
      this.#received = 0
    }
    await this.#readConfiguration()
    await this.#serveWanted(signal)
    this.#report()
  }

  async follow(signal: AbortSignal): Promise<void> {
    const events = this.#options.log.subscribe({ from: this.#position + 1, signal })[Symbol.asyncIterator]()
    for (;;) {
      const arriving = events.next()
      const batch = await this.#commitWhile(arriving)
      if (batch.done === true) break
      for (const recorded of batch.value) {
        this.#fold(recorded)
        // Awaited only where there is something to wait for: a promise for each event costs as much as folding it.
        if (this.#configures.has(recorded.type)) await this.#takeConfiguration(recorded, signal)
        else if (this.#uncommitted >= MAX_COMMIT_EVENTS) this.#commit()
      }
    }
    this.#commit()
  }

  /** Waits for the next batch, but commits what is folded when its time has come. */
  async #commitWhile<T>(arriving: Promise<T>): Promise<T> {
    if (this.#uncommitted === 0) return arriving
    const waitMs = this.#commitDueMs() - this.#options.clock.monotonicMs()
    if (waitMs > 0 && (await raced(arriving, waitMs))) return arriving
    this.#commit()
    return arriving
  }

  #commitDueMs(): number {
    const isBehind = this.#options.log.head().position > this.#position + BEHIND_EVENTS
    const gatherMs = isBehind
      ? BEHIND_COMMIT_MS
      : Math.min(Math.max(GATHER_PER_COMMIT * this.#lastCommitMs, LEAST_COMMIT_MS), MOST_COMMIT_MS)
    return this.#firstUncommittedMs + gatherMs
  }

  async #takeConfiguration(recorded: RecordedEvent, signal: AbortSignal): Promise<void> {
    this.#commit()
    if (this.#configure(recorded)) await this.#serveWanted(signal)
  }

  /** True if it changed something; what can't be opened configures nothing, and is poison to whoever handles it. */
  #configure(recorded: RecordedEvent): boolean {
    try {
      const event = this.#options.open(recorded)
      // Events may be opened only when their data is asked for: here is where that may fail.
      assert(event.data !== undefined)
      return this.#configuration.apply(event)
    } catch {
      return false
    }
  }

  #fold(recorded: RecordedEvent): void {
    if (this.#uncommitted === 0) {
      this.#firstUncommittedMs = this.#options.clock.monotonicMs()
      this.#firstReceived = recorded.received
    }
    this.#uncommitted += 1
    foldInto(this.#routes, recorded, this.#options.open)
    this.#identity.take(recorded)
    this.#position = recorded.position
    this.#received = Math.max(this.#received, recorded.received)
    this.#last = recorded
  }

  #commit(): void {
    if (this.#uncommitted === 0) return
    const startMs = this.#options.clock.monotonicMs()
    const { evidence, regrouped } = this.#identity.settle()
    this.#write({
      builds: this.#folds.map((fold) => fold.build),
      position: this.#position,
      received: this.#received,
      mark: this.#mark(),
      ...takeChanges(this.#folds, this.#identity, regrouped),
      members: this.#identity.grouping.takeChanges(),
      evidence,
    })
    this.#lastCommitMs = this.#options.clock.monotonicMs() - startMs
    this.#report()
  }

  #write(commit: Commit): void {
    for (const { states, rows } of commit.writes) this.#writes += states.length + rows.length
    try {
      this.#options.store.commit(commit)
    } catch (error) {
      const storable = isDiskFull(error) ? undefined : withoutUnstorable(commit, this.#projectionOf)
      if (storable === undefined) throw error
      this.#options.store.commit(storable)
    }
  }

  readonly #projectionOf = (build: BuildName): AnyProjection | undefined =>
    this.#options.projections.find(({ name }) => build.startsWith(`${name}__v`))

  #report(): void {
    const nextDue = this.#folds
      .map((fold) => fold.nextDue())
      .reduce(
        (least, due) => (due !== undefined && (least === undefined || due < least) ? due : least),
        undefined,
      )
    this.#options.onCommit({
      position: this.#position,
      received: this.#received,
      nextDue,
      events: this.#uncommitted,
      commitMs: this.#lastCommitMs,
      firstReceived: this.#firstReceived,
      writes: this.#writes,
    })
    this.#uncommitted = 0
    this.#writes = 0
  }

  /** False if the read models were folded from another log, or from more of it than there is now (a restored backup). */
  async #followsFromLog(): Promise<boolean> {
    if (this.#position === 0) return true
    const recorded = await this.#options.log.at(this.#position)
    return recorded !== undefined && markOf(recorded) === this.#options.store.checkpoint().mark
  }

  async #readConfiguration(): Promise<void> {
    if (this.#position === 0) return
    for await (const batch of this.#options.log.read({ types: this.#configures })) {
      for (const recorded of batch) {
        if (recorded.position > this.#position) return
        this.#configure(recorded)
      }
    }
  }

  /** Makes every projection's wanted build the serving one; the others are dropped. */
  async #serveWanted(signal: AbortSignal): Promise<void> {
    const { store, projections } = this.#options
    const config = this.#configuration.snapshot()
    const existing = new Map(store.builds().map((build) => [build.build, build]))
    const folds: BuildFold[] = []
    for (const projection of projections) {
      const hash = config.hash(projection.configuredBy)
      const build = `${projection.name}__v${projection.version}_${hash}`
      const kept = this.#folds.find((fold) => fold.build === build)
      if (kept !== undefined) {
        folds.push(kept)
      } else if (existing.get(build)?.serving === true) {
        folds.push(new BuildFold(projection, build, config, store))
      } else {
        folds.push(await this.#build(projection, build, hash, config, signal))
      }
    }
    if (signal.aborted) return
    this.#folds = folds
    this.#routes = new Routes(folds)
    const wanted = new Set(folds.map((fold) => fold.build))
    for (const build of store.builds()) if (!wanted.has(build.build)) store.dropBuild(build.build)
  }

  async #build(
    projection: AnyProjection,
    build: BuildName,
    configuration: string,
    config: Configuration,
    signal: AbortSignal,
  ): Promise<BuildFold> {
    const { store, onBuild } = this.#options
    // One that a crash left half folded starts over: its config may have been another's.
    if (store.builds().some((other) => other.build === build)) store.dropBuild(build)
    const { name, version, table } = projection
    store.createBuild({ projection: name, build, version, configuration, table })
    const fold = new BuildFold(projection, build, config, store)
    if (this.#position > 0) {
      onBuild(build, 'building')
      await this.#foldHistory(fold, signal)
    }
    if (!signal.aborted) {
      store.serve(build)
      onBuild(build, 'serving')
    }
    return fold
  }

  async #foldHistory(fold: BuildFold, signal: AbortSignal): Promise<void> {
    let folded = 0
    const routes = new Routes([fold])
    const position = this.#position
    const types =
      fold.projection.handles === 'every' || fold.projection.due !== undefined
        ? undefined
        : new Set(fold.projection.handles)
    for await (const batch of this.#options.log.read({ types })) {
      for (const recorded of batch) {
        if (recorded.position > position || signal.aborted) break
        foldInto(routes, recorded, this.#options.open)
        folded += 1
        if (folded % MAX_COMMIT_EVENTS === 0) this.#commitHistory(fold, recorded, markOf(recorded))
      }
      if (signal.aborted || (batch.at(-1)?.position ?? 0) >= position) break
    }
    this.#commitHistory(fold, { position, received: this.#received }, this.#mark())
  }

  #commitHistory(fold: BuildFold, { position, received }: Head, mark: string): void {
    this.#write({
      builds: [fold.build],
      position,
      received,
      mark,
      ...takeChanges([fold], this.#identity, new Set()),
      members: new Map(),
      evidence: [],
    })
  }

  #mark(): string {
    return this.#last === undefined ? this.#options.store.checkpoint().mark : markOf(this.#last)
  }
}

/** Tells the event at a position from another log's. Hashed: an id may say more than it should, and the mark outlives it. */
export function markOf({ source, id }: RecordedEvent): string {
  return createHash('sha256').update(`${source.length} ${source} ${id}`).digest('base64url')
}

/** Event types whose folds are remembered: senders may make up any number of types. */
const MAX_ROUTES = 2_000

/** Which folds handle an event. */
class Routes {
  readonly timed: readonly BuildFold[]
  readonly #folds: readonly BuildFold[]
  readonly #byType = new Map<string, readonly BuildFold[]>()

  constructor(folds: readonly BuildFold[]) {
    this.#folds = folds
    this.timed = folds.filter((fold) => fold.isTimed)
  }

  of(type: string): readonly BuildFold[] {
    const known = this.#byType.get(type)
    if (known !== undefined) return known
    const folds = this.#folds.filter((fold) => fold.handles(type))
    if (this.#byType.size < MAX_ROUTES) this.#byType.set(type, folds)
    return folds
  }
}

function foldInto(routes: Routes, recorded: RecordedEvent, open: ProjectorOptions['open']): void {
  let decoded: DecodedEvent | undefined
  for (const fold of routes.timed) fold.tick(recorded.received)
  for (const fold of routes.of(recorded.type)) {
    try {
      // Counting by the envelope alone needs no payload, and so no key.
      decoded = fold.projection.handles === 'every' ? decoded : (decoded ?? open(recorded))
    } catch (error) {
      fold.setAside(recorded, error)
      continue
    }
    fold.fold(decoded ?? recorded)
    // A late event may bring a deadline that has passed already.
    if (fold.isTimed) fold.tick(recorded.received)
  }
}

function takeChanges(
  folds: readonly BuildFold[],
  identity: IdentityFold,
  regrouped: ReadonlySet<string>,
): { writes: BuildWrite[]; poison: PoisonEvent[] } {
  const changes = folds.map((fold) => fold.takeChanges(identity.grouping, regrouped))
  return { writes: changes.map(({ write }) => write), poison: changes.flatMap(({ poison }) => poison) }
}

/** True if `promise` settles within `waitMs`. */
async function raced(promise: Promise<unknown>, waitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), waitMs)
  })
  const settled = promise.then(
    () => true,
    () => true,
  )
  const first = await Promise.race([settled, timeout])
  clearTimeout(timer)
  return first
}
