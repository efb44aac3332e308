import type { IntakeResult } from '../engine/intake/result.ts'
import type { Engine } from './engine.ts'
import type { Metrics } from './metrics.ts'
import { createMetrics } from './metrics.ts'

export interface EngineMetrics {
  readonly registry: Metrics
  count(result: IntakeResult): void
  /** Adds what is asked of the engine when the metrics are read. */
  observe(engine: Engine): void
}

export function engineMetrics(): EngineMetrics {
  const registry = createMetrics()
  const events = registry.counter('headwater_intake_events_total', 'Events by what became of them.', [
    'status',
  ])
  const refused = registry.counter('headwater_intake_not_accepted_total', 'Events not accepted, by reason.', [
    'reason',
  ])
  return {
    registry,
    count(result) {
      events.increment({ status: result.status })
      if (result.status === 'quarantined') refused.increment({ reason: result.reason })
      if (result.status === 'refused') refused.increment({ reason: result.refusal.code })
    },
    observe({ log, intake, projected, duplicates }) {
      registry.gauge('headwater_log_position', 'Last durable position.', () => log.head().position)
      registry.gauge(
        'headwater_projected_position',
        'Position up to which read models hold.',
        () => projected().position,
      )
      registry.gauge(
        'headwater_projector_lag_seconds',
        'Time between the last event and the last one folded.',
        () => Math.max(0, log.head().received - projected().received) / 1000,
      )
      registry.gauge(
        'headwater_intake_queue_events',
        'Events under way in the intake.',
        () => intake.queue.events,
      )
      registry.gauge(
        'headwater_intake_queue_bytes',
        'Bytes under way in the intake.',
        () => intake.queue.bytes,
      )
      registry.gauge(
        'headwater_duplicates_bytes',
        'Memory of the duplicate check.',
        () => duplicates.sizeBytes,
      )
    },
  }
}
