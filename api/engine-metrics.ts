import type { Clock } from '../engine/clock.ts'
import type { Intake, IntakeResult } from '../engine/intake/result.ts'
import { readSyncTimes, SYNC_BOUNDS_S, type SyncTimes } from '../engine/log/embedded/sync-times.ts'
import type { Progress } from '../engine/projector/projector.ts'
import type { StoreReader } from '../engine/store/store.ts'
import { diskUse, freeBytes } from './disk-use.ts'
import { DurationTally } from './durations.ts'
import type { Engine } from './engine.ts'
import { eventsByDomain, quarantinedByStatus } from './event-domains.ts'
import type { Metrics } from './metrics.ts'
import { createMetrics } from './metrics.ts'

/** The process's metrics: what the engine tells as it happens, and what it is asked when they are read. */
export interface EngineMetrics {
  readonly registry: Metrics
  /** Called for every event: it counts in place, and the numbers are read when the metrics are. */
  onResult(result: IntakeResult, durationMs: number): void
  onProgress(progress: Progress): void
  /** A line was logged, of this level. */
  onLogged(level: string): void
  /** The intake as the NATS side is handed it, timed from a message's events to their acknowledgement. */
  timedForNats(intake: Intake): Intake
  /** `disconnect`, `reconnect` and what else the client tells of its connection. */
  onNatsStatus(status: string): void
  /** Adds what is asked of the engine when the metrics are read. */
  observe(engine: ObservedEngine, facts: EngineFacts): void
}

/** What gauges ask of the engine. */
interface ObservedEngine {
  readonly log: Pick<Engine['log'], 'head' | 'pendingBytes' | 'indexBytes' | 'upkeepWaiting'> & {
    readonly syncTimes: SyncTimes
  }
  readonly intake: Pick<Engine['intake'], 'queue'>
  readonly quarantine: Pick<Engine['quarantine'], 'usedBytes'>
  readonly erasures?: Pick<Engine['erasures'], 'counts'> | undefined
  readonly store: Pick<StoreReader, 'aggregate' | 'poison'>
  projected(): {
    readonly position: number
    readonly received: number
    readonly failure: string | undefined
  }
}

interface EngineFacts {
  readonly directory: string
  readonly version: string
  readonly queueEvents: number
  readonly queueBytes: number
}

export function engineMetrics(clock: Clock): EngineMetrics {
  const registry = createMetrics()
  registry.watchProcess()
  const logged = tally(registry.readCounters, 'headwater_logged_lines_total', 'Lines logged.', 'level', [
    'warn',
    'error',
  ])
  return {
    registry,
    onResult: countResults(registry),
    onProgress: countProgress(registry, clock),
    onLogged: logged,
    ...countNats(registry, clock),
    observe: (engine, facts) => observe(registry, clock, engine, facts),
  }
}

/** Counts by the values of one label, which must form a closed set; `expected` ones are told from the start. */
function tally(
  register: Metrics['readCounters'],
  name: string,
  help: string,
  label: string,
  expected: readonly string[],
): (value: string) => void {
  const counts = new Map(expected.map((value) => [value, 0]))
  register(name, help, label, () => counts)
  return (value) => {
    counts.set(value, (counts.get(value) ?? 0) + 1)
  }
}

const STATUSES: readonly IntakeResult['status'][] = ['appended', 'duplicate', 'quarantined', 'refused']

function countResults(registry: Metrics): EngineMetrics['onResult'] {
  const { readCounters } = registry
  const help = 'Events by what became of them.'
  const events = tally(readCounters, 'headwater_intake_events_total', help, 'status', STATUSES)
  const why = 'Events not accepted, by reason.'
  const refused = tally(readCounters, 'headwater_intake_not_accepted_total', why, 'reason', [])
  const latency = new DurationTally()
  registry.readHistogram(
    'headwater_intake_latency_seconds',
    'Time from the submission of an event to its acknowledgement.',
    () => latency.read(),
  )
  return (result, durationMs) => {
    events(result.status)
    switch (result.status) {
      case 'refused':
        refused(result.refusal.code)
        return
      case 'quarantined':
        refused(result.reason)
        break
      case 'appended':
      case 'duplicate':
        break
    }
    latency.observe(durationMs / 1000)
  }
}

function countProgress(registry: Metrics, clock: Clock): EngineMetrics['onProgress'] {
  const commits = registry.counter('headwater_projector_commits_total', 'Commits of the read models.')
  const events = registry.counter(
    'headwater_projector_events_total',
    'Events folded into the read models; rebuilding a read model counts none.',
  )
  const writes = registry.counter(
    'headwater_projector_rows_written_total',
    'States and rows of keys that commits wrote, rebuilding included.',
  )
  const duration = registry.histogram(
    'headwater_projector_commit_duration_seconds',
    'Time that a commit of the read models took.',
  )
  const freshness = registry.histogram(
    'headwater_projector_freshness_seconds',
    'Time from the receipt of the earliest event of a commit until readers see it.',
  )
  return (progress) => {
    writes.inc(progress.writes ?? 0)
    // A projector reports where it stands when it starts; nothing was committed then.
    if (progress.events === 0) return
    commits.inc()
    events.inc(progress.events)
    duration.observe(progress.commitMs / 1000)
    if (progress.firstReceived !== undefined)
      freshness.observe(Math.max(0, clock.nowMs() - progress.firstReceived) / 1000)
  }
}

const NATS_LATENCY = 'Time from a NATS message handed to the intake until its events are acknowledged.'

function countNats(registry: Metrics, clock: Clock): Pick<EngineMetrics, 'timedForNats' | 'onNatsStatus'> {
  const latency = new DurationTally()
  registry.readHistogram('headwater_nats_latency_seconds', NATS_LATENCY, () => latency.read())
  const changes = registry.counter(
    'headwater_nats_connection_changes_total',
    'Times that the connection to NATS was lost or came back.',
    ['change'],
  )
  return {
    timedForNats: (intake) => ({
      async submit(batch, context) {
        const startMs = clock.monotonicMs()
        const results = await intake.submit(batch, context)
        latency.observe((clock.monotonicMs() - startMs) / 1000)
        return results
      },
    }),
    onNatsStatus(status) {
      if (status === 'disconnect' || status === 'reconnect') changes.inc({ change: status })
    },
  }
}

function observe(registry: Metrics, clock: Clock, engine: ObservedEngine, facts: EngineFacts): void {
  const { intake } = engine
  const { gauge } = registry
  registry.gauges(
    'headwater_build_info',
    'Always 1; the label tells the version.',
    'version',
    () => new Map([[facts.version, 1]]),
  )
  observeLog(registry, engine)
  observeProjector(registry, engine)
  gauge('headwater_intake_queue_events', 'Events under way in the intake.', () => intake.queue.events)
  gauge('headwater_intake_queue_bytes', 'Bytes under way in the intake.', () => intake.queue.bytes)
  const limit = 'under way at which senders are told to wait.'
  gauge('headwater_intake_queue_limit_events', `Events ${limit}`, () => facts.queueEvents)
  gauge('headwater_intake_queue_limit_bytes', `Bytes ${limit}`, () => facts.queueBytes)
  observeStored(registry, clock, engine, facts)
  observeErasures(registry, engine)
}

function observeErasures({ gauge }: Metrics, { erasures }: ObservedEngine): void {
  if (erasures === undefined) return
  gauge('headwater_erasures_scheduled', 'Erasures that wait.', () => erasures.counts().scheduled)
  gauge('headwater_erasures_executing', 'Erasures under way.', () => erasures.counts().executing)
  gauge('headwater_erasures_done', 'Erasures that are carried out.', () => erasures.counts().done)
  gauge(
    'headwater_erasures_overdue',
    'Erasures that should have been carried out more than a quarter of an hour ago.',
    () => erasures.counts().overdue,
  )
}

function observeLog(registry: Metrics, { log }: ObservedEngine): void {
  registry.gauge('headwater_log_position', 'Last durable position.', () => log.head().position)
  registry.gauge('headwater_log_pending_bytes', 'Bytes appended and not durable yet.', () =>
    log.pendingBytes(),
  )
  registry.gauge(
    'headwater_log_index_bytes',
    "Memory of the log's index of ids, streams and identities: the duplicate check among them.",
    () => log.indexBytes(),
  )
  registry.gauge(
    'headwater_log_upkeep_segments',
    'Sealed segments of the log that wait for their index or for compression.',
    () => log.upkeepWaiting(),
  )
  registry.readHistogram('headwater_log_fsync_duration_seconds', "Time that the log's fsyncs took.", () => ({
    bounds: SYNC_BOUNDS_S,
    ...readSyncTimes(log.syncTimes),
  }))
  registry.readCounter(
    'headwater_log_written_bytes_total',
    'Bytes written to the log, the zeros that segments grow by included.',
    () => readSyncTimes(log.syncTimes).writtenBytes,
  )
}

function observeProjector(registry: Metrics, { log, projected }: ObservedEngine): void {
  const { gauge } = registry
  gauge('headwater_projected_position', 'Position up to which read models hold.', () => projected().position)
  gauge(
    'headwater_projector_lag_positions',
    'Positions between the last event and the last one folded: no fewer than the events between them.',
    () => Math.max(0, log.head().position - projected().position),
  )
  gauge(
    'headwater_projector_lag_seconds',
    'Time between the last event and the last one folded.',
    () => Math.max(0, log.head().received - projected().received) / 1000,
  )
  gauge('headwater_projector_running', '0 once the projector has stopped for good.', () =>
    projected().failure === undefined ? 1 : 0,
  )
}

/** Anybody may read the metrics: how often that may cost a query or a look at the disk is bounded. */
const KEPT_MS = 10_000
const MOST_POISON_COUNTED = 1_000

function observeStored(
  registry: Metrics,
  clock: Clock,
  { store, quarantine }: ObservedEngine,
  { directory }: EngineFacts,
): void {
  const kept = <T>(read: () => Promise<T>) => keptFor(KEPT_MS, clock, read)
  registry.readCounters(
    'headwater_log_events_total',
    'Events in the log as far as read models hold, by domain of the catalogue.',
    'domain',
    kept(() => eventsByDomain(store)),
  )
  registry.gauges(
    'headwater_quarantine_events',
    'Events that the intake refused and keeps.',
    'status',
    kept(() => quarantinedByStatus(store)),
  )
  registry.gauge('headwater_quarantine_bytes', 'Size of the bodies kept.', () => quarantine.usedBytes)
  registry.gauge(
    'headwater_projector_poison_events',
    `Events set aside because a read model couldn't fold them; counted up to ${MOST_POISON_COUNTED}.`,
    kept(async () => (await store.poison(MOST_POISON_COUNTED)).value.length),
  )
  registry.gauges(
    'headwater_disk_used_bytes',
    'Bytes that the parts of the data directory take.',
    'part',
    kept(() => diskUse(directory)),
  )
  registry.gauge(
    'headwater_disk_free_bytes',
    'Bytes left on the disk of the data directory.',
    kept(() => freeBytes(directory)),
  )
}

/** Asks again when the last answer is older than `ms`; a failure isn't kept. */
export function keptFor<T>(ms: number, clock: Clock, read: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined
  let askedMs = 0
  return () => {
    if (answer !== undefined && clock.monotonicMs() - askedMs < ms) return answer
    askedMs = clock.monotonicMs()
    const asked = read()
    answer = asked
    asked.catch(() => {
      if (answer === asked) answer = undefined
    })
    return asked
  }
}
