import type { AuditThread } from '../engine/audit/audit.ts'
import type { Clock } from '../engine/clock.ts'
import type { IdentityDirectory } from '../engine/events/codec.ts'
import type { RecordedEvent } from '../engine/events/event.ts'
import type { Intake, IntakeResult } from '../engine/intake/result.ts'
import type { Log } from '../engine/log/log.ts'
import type { OpenedEvent } from '../engine/privacy/sealing.ts'
import type {
  AnyProjection,
  Configuration as PublishedConfiguration,
} from '../engine/projector/projection.ts'
import type { StoreReader } from '../engine/store/store.ts'
import type { Configuration } from './configuration.ts'
import type { Credentials } from './credentials.ts'
import type { DemoLoader } from './demo-loader.ts'
import type { Duplicates } from './duplicates/duplicates.ts'
import type { Erasures } from './erasure/erasures.ts'
import type { LiveRows } from './live-rows.ts'
import type { Metrics } from './metrics.ts'
import type { Pasts } from './past/past.ts'
import type { Pulls } from './pull/pulls.ts'
import type { ServedProjections } from './served-projections.ts'
import type { Versions } from './versions/versions.ts'

/** Bodies that the intake refused, kept sealed for 30 days. The list of them is the projection `quarantine`. */
export interface QuarantineBodies {
  /** What is kept; undefined where there is nothing of that id, or its daily key is gone. */
  open(quarantineId: string): Promise<QuarantinedBody | undefined>
  /** Submits the kept body, or `corrected` in its place, and links the new event to the old; once per body. */
  resubmit(quarantineId: string, corrected: unknown | undefined): Promise<Resubmission>
}

export interface QuarantinedBody {
  /** As it came; undefined where it was too large to be kept. */
  readonly bytes: Uint8Array | undefined
  /** Why it was refused; may name a property of the sender's, so it stands nowhere in the clear. */
  readonly message: string
}

export type Resubmission =
  | { readonly _tag: 'Submitted'; readonly result: IntakeResult }
  /** No such id, a body whose key is gone, or one that can't be parsed while none corrects it. */
  | { readonly _tag: 'NothingKept' }
  /** An event in the log stands for it already. */
  | { readonly _tag: 'AlreadyResubmitted' }

/** How the engine is, at this instant. */
export interface EngineStatus {
  /** The read models have reached the head that the log had at start. */
  readonly caughtUp: boolean
  /** The read models can't follow the log any more: it is damaged, say. They are served as they are. */
  readonly viewsStopped?: boolean | undefined
  /** `read_only`: no room on the disk, or EventStoreDB is away. `stopped`: a write failed; only a restart helps. */
  readonly writer: 'running' | 'read_only' | 'stopped'
  /** Where the log lies in an EventStoreDB: which one, and how far it and the replica of it are. */
  readonly eventstore?:
    | {
        readonly address: string
        readonly state: 'writing' | 'away' | 'stopped'
        readonly position: number
        readonly replica: number
      }
    | undefined
  /** False after the wall clock jumped, until an operator confirms it. */
  readonly clockTrusted: boolean
  /** `refused`: the log isn't what was signed before, or the key is missing; nothing else stops for that. */
  readonly audit?: 'signing' | 'refused' | 'stopped' | undefined
  /** Position of the log's last durable event, and of the last one folded. */
  readonly head: number
  readonly projected: number
  /** While read models are folded from the log's beginning: how far it is read. It may be read twice. */
  readonly reading?: number | undefined
}

/** The least that the api asks of a logger; pino's is one. */
interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Everything that the app is handed by whoever composes the process. */
export interface ApiDeps {
  readonly configuration: Pick<
    Configuration,
    'host' | 'allowedHosts' | 'bodyLimitBytes' | 'afterWaitMs' | 'pageLimit'
  >
  readonly credentials: Credentials
  readonly intake: Intake
  readonly log: Log
  /** The engine's; absent: the system's. */
  readonly clock?: Clock | undefined
  /** Absent where nothing is signed. */
  readonly audit?: AuditThread | undefined
  readonly store: StoreReader
  readonly liveRows: LiveRows
  readonly directory: IdentityDirectory
  /**
   * By name, as they are served: with the columns that the workspace has defined, so they change while the engine runs. A
   * route whose projection is absent is not offered.
   */
  readonly projections: ReadonlyMap<string, AnyProjection>
  /** By name, as the code has them; absent: as `projections`. */
  readonly catalogue?: ReadonlyMap<string, AnyProjection> | undefined
  /** What made the builds that answer. Absent where all follow from what is published. */
  readonly serving?: ServedProjections | undefined
  readonly quarantine: QuarantineBodies
  readonly metrics: Metrics
  readonly logger: Logger
  /** Absent where the simulator isn't shipped. */
  readonly demo?: DemoLoader | undefined
  /** Absent where nothing is pulled. */
  readonly pulls?: Pick<Pulls, 'status'> | undefined
  /** Absent where whole read models of past moments aren't built. */
  readonly past?: Pasts | undefined
  /** Absent where builds of read models can't be ordered. */
  readonly versions?: Versions | undefined
  /** `off`: whoever asks is told so. Absent where they can't be looked for. */
  readonly duplicates?: Duplicates | 'off' | undefined
  /** Absent where nobody can be erased. */
  readonly erasures?: Erasures | undefined
  /** How long an erasure waits where nothing is said, h. */
  readonly erasureWaitHours?: number | undefined
  /** Of the package, for the documentation. */
  readonly version: string
  /** Puts an event's personal parts back in place, as far as their keys exist; maybe only when its data is asked for. */
  openEvent(recorded: RecordedEvent): OpenedEvent
  /** Normalises an identity's value as the intake does, so that look-ups find it. */
  normaliseIdentity(namespace: string, value: string): string
  /** What was published up to now and that folds depend on; for explanations. */
  publishedConfiguration(): Promise<PublishedConfiguration>
  confirmClock(): void
  status(): EngineStatus
}
