import type { Clock } from '../clock.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { IdentityRules } from '../identity/identity.ts'
import type { LogReader } from '../log/log.ts'
import type { BuildName, StoreWriter } from '../store/store.ts'
import type { Moment } from './asof.ts'
import { BulkFold, type EmptyBuild, typesOf } from './bulk-fold.ts'
import { Committer } from './committer.ts'
import type { ConfigurationState } from './configuration.ts'
import { IdentityFold } from './identity-fold.ts'
import { identityRulesOf } from './identity-rules.ts'
import { eventsAt } from './past-log.ts'
import type { AnyProjection, DecodedEvent } from './projection.ts'
import { projectionUnder } from './projection-under.ts'

/** Events of one commit: fewer write the same rows more often, more take more memory. */
const COMMIT_EVENTS = 100_000

interface PastFoldOptions {
  readonly log: Pick<LogReader, 'read'>
  /** New and empty. */
  readonly store: StoreWriter
  readonly projections: readonly AnyProjection[]
  readonly moment: Moment
  /** As published at that moment. */
  readonly config: ConfigurationState
  /** In force as long as none are published. */
  readonly rules: IdentityRules
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly clock: Clock
  readonly signal: AbortSignal
  /** How far it has come, in positions up to the moment's; told at the end of every batch. */
  readonly onProgress?: ((position: number) => void) | undefined
  /** Events of one commit, and events held while they are put in the order of time; for tests. */
  readonly commitEvents?: number | undefined
  readonly windowEvents?: number | undefined
  /** As `BulkFold`'s. */
  readonly stagedBytes?: number | undefined
}

/**
 * Whole read models as of a moment, in a store of their own: what the projector would serve that was only ever sent
 * the events that count then, identities included where any of them is about people or mentions them. Deadlines up to the
 * moment fall due in their order. Serves when it is done; false: aborted on the way, and nothing serves. Throws `LogDamaged` and what the store throws.
 */
export async function foldPast(options: PastFoldOptions): Promise<boolean> {
  const { log, moment, signal, onProgress, commitEvents = COMMIT_EVENTS, windowEvents } = options
  const folding = new PastFolding(options)
  let since = 0
  const projections = projectionsOf(options)
  const types = projections.some(isAboutPeople) ? undefined : typesOf(projections)
  for await (const batch of eventsAt(log, moment, { types, signal, onProgress, windowEvents })) {
    folding.take(batch)
    since += batch.length
    if (since < commitEvents) continue
    folding.commit()
    since = 0
  }
  if (signal.aborted) return false
  folding.finish()
  return true
}

/** With what was defined at that moment. */
function projectionsOf({ projections, config }: PastFoldOptions): readonly AnyProjection[] {
  return projections.map((projection) => projectionUnder(projection, config))
}

/** Whose rows are of profiles, or name people or companies. */
function isAboutPeople({ table }: AnyProjection): boolean {
  return table.grain === 'profile' || Object.values(table.columns).some(({ type }) => type === 'identity')
}

class PastFolding {
  readonly #options: PastFoldOptions
  readonly #identity: IdentityFold
  readonly #bulk: BulkFold
  readonly #builds: readonly BuildName[]

  constructor(options: PastFoldOptions) {
    const { store, rules, config, clock, open, commitEvents, stagedBytes } = options
    this.#options = options
    this.#identity = new IdentityFold(store, identityRulesOf(config, rules))
    const committer = new Committer(store, clock)
    const builds = projectionsOf(options).map((projection) => this.#create(projection))
    this.#builds = builds.map(({ build }) => build)
    const { grouping } = this.#identity
    this.#bulk = new BulkFold(builds, {
      open,
      store,
      committer,
      grouping,
      stageEvents: commitEvents,
      stagedBytes,
    })
  }

  #create(projection: AnyProjection): EmptyBuild {
    const { store, config } = this.#options
    const { name, version, table } = projection
    const configuration = config.hash(projection)
    const build = `${name}__v${version}_${configuration}`
    store.createBuild({ projection: name, build, version, configuration, table })
    return { projection, build, config }
  }

  take(events: readonly RecordedEvent[]): void {
    for (const event of events) this.#identity.take(event)
    this.#bulk.take(events, this.#options.moment.by === 'occurred' ? ({ time }) => time : undefined)
  }

  /** Who belongs together, as far as it is known. */
  commit(): void {
    const { store, moment } = this.#options
    const { position, received } = moment
    this.#identity.settle()
    const changes = this.#identity.takeChanges()
    store.commit({ builds: [], position, received, mark: '', writes: [], poison: [], ...changes })
  }

  finish(): void {
    const { moment, store } = this.#options
    this.commit()
    const { position, received } = moment
    const now = moment.by === 'occurred' ? moment.time : received
    this.#bulk.finish({ position, received, mark: '' }, now)
    for (const build of this.#builds) store.serve(build)
  }
}
