import type { Clock } from '../clock.ts'
import type { RecordedEvent } from '../events/event.ts'
import type { IdentityRules } from '../identity/identity.ts'
import type { LogReader } from '../log/log.ts'
import type { BuildName, StoreWriter } from '../store/store.ts'
import type { BuildState, BuildsMode } from './builds.ts'
import type { Erasing } from './erasing.ts'
import { Folding } from './folding.ts'
import type { LiveRead } from './live-reads.ts'
import type { AnyProjection, DecodedEvent } from './projection.ts'
import type { VersionOrder } from './versions.ts'

export interface ProjectorOptions {
  readonly log: LogReader
  readonly store: StoreWriter
  readonly projections: readonly AnyProjection[]
  /** Where none are published. */
  readonly rules: IdentityRules
  readonly clock: Clock
  /** True while other work should go first (see `Pace`). */
  readonly isUnderPressure?: (() => boolean) | undefined
  /** Unseals as far as keys exist and upcasts. */
  readonly open: (event: RecordedEvent) => DecodedEvent
  /** A new store that is at least so many events behind is folded in bulk, serving nothing until it is done. */
  readonly bulkEvents?: number | undefined
  readonly onCommit: (progress: Progress) => void
  /**
   * There is much to fold from the beginning before all that is wanted serves: the store is there, and what it holds can be
   * read meanwhile. The next report of a commit tells of it done.
   */
  readonly onBuilding?: ((progress: Progress) => void) | undefined
  /** `foreign`: the read models don't follow from this log and are folded anew. */
  readonly onBuild: (build: BuildName, state: BuildState) => void
  /** Default `auto`. */
  readonly builds?: BuildsMode | undefined
  /** Events in one commit of a build that is folded from the beginning; default 50,000. */
  readonly commitEvents?: number | undefined
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

export interface Projector {
  /**
   * Folds one workspace's log into its read models until `signal` aborts. State, rows, membership and checkpoint of a
   * batch are one transaction of the store, so a crash leaves the batch before it. All serving builds share one checkpoint.
   * A build that is missing, or whose version or configuration isn't the wanted one, is folded beside the serving one
   * and then takes its place. Throws `LogDamaged` and what the store throws; both end it.
   */
  run(signal: AbortSignal): Promise<void>
  /** Answers as soon as its position is folded, from memory: commits may be far apart under load. */
  read(read: LiveRead): void
  /** Somebody waits for this position to be committed. */
  hurry(position: number): void
  /** Keys were destroyed: what events under them left in the read models is to vanish. Carried out while it runs. */
  erase(erasing: Erasing): void
  /** Carried out while it runs, while it goes on following the log. */
  order(order: VersionOrder): void
}

export function createProjector(options: ProjectorOptions): Projector {
  const folding = new Folding(options)
  return {
    async run(signal) {
      try {
        await folding.start(signal)
        await folding.follow(signal)
      } finally {
        folding.close()
      }
    },
    read: (read) => folding.read(read),
    hurry: (position) => folding.hurry(position),
    erase: (erasing) => folding.erase(erasing),
    order: (order) => folding.order(order),
  }
}
