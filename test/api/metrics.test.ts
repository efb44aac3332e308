/**
 * Theorem: /metrics says, in Prometheus' text format, what happened and how things stand: each event's fate once, what was
 * acknowledged with its latency, commits and the events in them, and Node's own figures; every name has the prefix, and an
 * app counts for itself alone.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { engineMetrics } from '../../api/engine-metrics.ts'
import { createMetrics } from '../../api/metrics.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import type { World } from './world.ts'
import { createWorld } from './world.ts'

const place = { id: 'a', position: 1, stream: 's', revision: 0 }
const appended: IntakeResult = { status: 'appended', ...place }
const duplicate: IntakeResult = { status: 'duplicate', ...place }
const quarantined: IntakeResult = {
  status: 'quarantined',
  id: 'jane@example.com',
  position: 2,
  quarantineId: 'q',
  reason: 'too_deep',
  message: 'jane@example.com is too deep',
}
const refused: IntakeResult = {
  status: 'refused',
  id: undefined,
  refusal: { code: 'overloaded', message: 'later' },
}

const SAMPLE = /^([a-z0-9_]+(?:\{.*\})?) (\S+)$/

/** Series with its labels → value, of every line that is no comment. */
function series(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      expect(line).toMatch(SAMPLE)
      const [, name = '', value] = SAMPLE.exec(line) ?? []
      return [name, Number(value)]
    }),
  )
}

describe('the metrics of an engine', () => {
  const metrics = engineMetrics()
  let position = 7
  metrics.observe({
    log: { head: () => ({ position, received: 5_500 }) },
    intake: { queue: { events: 3, bytes: 4 } },
    projected: () => ({ position: 6, received: 4_000 }),
    duplicates: { sizeBytes: 5 },
  })
  let world: World
  beforeEach(async () => {
    world = await createWorld({ metrics: metrics.registry })
  })
  afterEach(() => world.close())

  it('are what /metrics answers', async () => {
    for (const [result, durationMs] of [
      [appended, 2],
      [appended, 30],
      [duplicate, 0.5],
      [quarantined, 700],
      [refused, 60_000],
    ] as const) {
      metrics.onResult(result, durationMs)
    }
    const progress = { position: 0, received: 0, nextDue: undefined, commitMs: 0 }
    metrics.onProgress({ ...progress, events: 0 })
    metrics.onProgress({ ...progress, events: 20, commitMs: 4 })
    metrics.onProgress({ ...progress, events: 3, commitMs: 2 })
    position = 8

    const { body, headers } = await world.app.inject({ url: '/metrics' })
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(body).toContain(
      '# HELP headwater_intake_latency_seconds Time from the submission of an event to its acknowledgement.\n' +
        '# TYPE headwater_intake_latency_seconds histogram\n',
    )
    const found = series(body)
    expect(Object.fromEntries(found)).toMatchObject({
      'headwater_intake_events_total{status="appended"}': 2,
      'headwater_intake_events_total{status="duplicate"}': 1,
      'headwater_intake_events_total{status="quarantined"}': 1,
      'headwater_intake_events_total{status="refused"}': 1,
      'headwater_intake_not_accepted_total{reason="too_deep"}': 1,
      'headwater_intake_not_accepted_total{reason="overloaded"}': 1,
      // What is refused is not acknowledged.
      'headwater_intake_latency_seconds_bucket{le="0.001"}': 1,
      'headwater_intake_latency_seconds_bucket{le="0.0025"}': 2,
      'headwater_intake_latency_seconds_bucket{le="0.05"}': 3,
      'headwater_intake_latency_seconds_bucket{le="1"}': 4,
      'headwater_intake_latency_seconds_bucket{le="+Inf"}': 4,
      headwater_intake_latency_seconds_count: 4,
      // A projector that reports where it stands as it starts has committed nothing.
      headwater_projector_commits_total: 2,
      headwater_projector_events_total: 23,
      headwater_projector_commit_duration_seconds_count: 2,
      headwater_projector_commit_duration_seconds_sum: 0.006,
      headwater_log_position: 8,
      headwater_projected_position: 6,
      headwater_projector_lag_seconds: 1.5,
      headwater_intake_queue_events: 3,
      headwater_intake_queue_bytes: 4,
      headwater_duplicates_bytes: 5,
      headwater_ready: 1,
    })
    expect(found.get('headwater_intake_latency_seconds_sum')).toBeCloseTo(0.7325, 9)
    expect([...found.keys()]).toEqual(
      expect.arrayContaining([
        'headwater_process_cpu_seconds_total',
        'headwater_nodejs_eventloop_lag_p99_seconds',
      ]),
    )
    for (const name of ['headwater_process_resident_memory_bytes', 'headwater_nodejs_heap_size_used_bytes']) {
      expect(found.get(name), name).toBeGreaterThan(1_000_000)
    }
    expect([...found.keys()].filter((name) => !name.startsWith('headwater_'))).toEqual([])
    expect(body).not.toContain('jane')
  })
})

it('an app counts for itself alone', async () => {
  const [one, other] = [await createWorld(), await createWorld()]
  try {
    await one.app.inject({ url: '/healthz' })
    const name = 'headwater_http_requests_total{method="GET",route="/healthz",status="200"}'
    expect(series((await one.app.inject({ url: '/metrics' })).body).get(name)).toBe(1)
    expect(series((await other.app.inject({ url: '/metrics' })).body).get(name)).toBeUndefined()
  } finally {
    await one.close()
    await other.close()
  }
})

it('a name that is taken, foreign or of another unit is a bug', () => {
  const metrics = createMetrics()
  metrics.gauge('headwater_x', 'X.', () => 0)
  expect(() => metrics.gauge('headwater_x', 'X.', () => 0)).toThrow('already been registered')
  expect(() => metrics.gauge('other_x', 'X.', () => 0)).toThrow('prefix')
  expect(() => metrics.counter('headwater_things', 'X.')).toThrow('_total')
  expect(() => metrics.histogram('headwater_wait_ms', 'X.')).toThrow('_seconds')
})
