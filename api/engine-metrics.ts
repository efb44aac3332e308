import type { IntakeResult } from '../engine/intake/result.ts'
import type { Progress } from '../engine/projector/projector.ts'
import type { Engine } from './engine.ts'
import type { Metrics } from './metrics.ts'
import { createMetrics } from './metrics.ts'

/** The process's metrics: what the engine tells as it happens, and what it is asked when they are read. */
export interface EngineMetrics {
  readonly registry: Metrics
  onResult(result: IntakeResult, durationMs: number): void
  onProgress(progress: Progress): void
  /** Adds what is asked of the engine when the metrics are read. */
  observe(engine: ObservedEngine): void
}

/** What gauges ask of the engine. */
interface ObservedEngine {
  readonly log: Pick<Engine['log'], 'head'>
  readonly intake: Pick<Engine['intake'], 'queue'>
  readonly duplicates: Pick<Engine['duplicates'], 'sizeBytes'>
  projected(): { readonly position: number; readonly received: number }
}

export function engineMetrics(): EngineMetrics {
  const registry = createMetrics()
  registry.watchProcess()
  return {
    registry,
    onResult: countResults(registry),
    onProgress: countProgress(registry),
    observe: (engine) => observe(registry, engine),
  }
}

function countResults(registry: Metrics): EngineMetrics['onResult'] {
  const events = registry.counter('headwater_intake_events_total', 'Events by what became of them.', [
    'status',
  ])
  const refused = registry.counter('headwater_intake_not_accepted_total', 'Events not accepted, by reason.', [
    'reason',
  ])
  const latency = registry.histogram(
    'headwater_intake_latency_seconds',
    'Time from the submission of an event to its acknowledgement.',
  )
  return (result, durationMs) => {
    events.inc({ status: result.status })
    switch (result.status) {
      case 'refused':
        refused.inc({ reason: result.refusal.code })
        return
      case 'quarantined':
        refused.inc({ reason: result.reason })
        break
      case 'appended':
      case 'duplicate':
        break
    }
    latency.observe(durationMs / 1000)
  }
}

function countProgress(registry: Metrics): EngineMetrics['onProgress'] {
  const commits = registry.counter('headwater_projector_commits_total', 'Commits of the read models.')
  const events = registry.counter(
    'headwater_projector_events_total',
    'Events folded into the read models; rebuilding a read model counts none.',
  )
  const duration = registry.histogram(
    'headwater_projector_commit_duration_seconds',
    'Time that a commit of the read models took.',
  )
  return (progress) => {
    // A projector reports where it stands when it starts; nothing was committed then.
    if (progress.events === 0) return
    commits.inc()
    events.inc(progress.events)
    duration.observe(progress.commitMs / 1000)
  }
}

function observe(registry: Metrics, engine: ObservedEngine): void {
  const { log, intake, projected, duplicates } = engine
  const gauge = registry.gauge
  gauge('headwater_log_position', 'Last durable position.', () => log.head().position)
  gauge('headwater_projected_position', 'Position up to which read models hold.', () => projected().position)
  gauge(
    'headwater_projector_lag_seconds',
    'Time between the last event and the last one folded.',
    () => Math.max(0, log.head().received - projected().received) / 1000,
  )
  gauge('headwater_intake_queue_events', 'Events under way in the intake.', () => intake.queue.events)
  gauge('headwater_intake_queue_bytes', 'Bytes under way in the intake.', () => intake.queue.bytes)
  gauge('headwater_duplicates_bytes', 'Memory of the duplicate check.', () => duplicates.sizeBytes)
}
