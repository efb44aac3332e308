/**
 * Theorem: /metrics says, in Prometheus' text format, what happened and how things stand: each event's fate once, what was
 * acknowledged with its latency, commits and the events in them, the disk's fsyncs and Node's own figures; every promised
 * metric is there after traffic, names and units are Prometheus', no label takes values from customers, and an app counts
 * for itself alone.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Histogram, Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DURATION_BOUNDS, DurationTally, histogramText } from '../../api/durations.ts'
import { engineMetrics, keptFor } from '../../api/engine-metrics.ts'
import { createMetrics } from '../../api/metrics.ts'
import { requestTallies } from '../../api/request-tallies.ts'
import { manualClock } from '../../engine/clock.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import { createSyncTimes } from '../../engine/log/embedded/sync-times.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import { lint, PROMISED, series } from '../support/prometheus.ts'
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

describe('the metrics of an engine', () => {
  const clock = manualClock(10_000)
  const metrics = engineMetrics(clock)
  const store = createMemoryStore()
  const directory = mkdtempSync(join(tmpdir(), 'headwater-metrics-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  let position = 7
  metrics.observe(
    {
      log: {
        head: () => ({ position, received: 5_500 }),
        pendingBytes: () => 6,
        indexBytes: () => 7,
        upkeepWaiting: () => 5,
        syncTimes: createSyncTimes(),
      },
      intake: { queue: { events: 3, bytes: 4 } },
      projected: () => ({ position: 6, received: 4_000, failure: undefined }),
      quarantine: { usedBytes: 8 },
      store: store.reader([]),
    },
    { directory, version: '1.2.3', queueEvents: 30, queueBytes: 40 },
  )
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
    metrics.onProgress({ ...progress, events: 0, writes: 100 })
    metrics.onProgress({ ...progress, events: 20, commitMs: 4, firstReceived: 9_980, writes: 12 })
    metrics.onProgress({ ...progress, events: 3, commitMs: 2, firstReceived: 9_500, writes: 2 })
    for (const level of ['info', 'warn', 'warn']) metrics.onLogged(level)
    for (const status of ['disconnect', 'reconnect', 'disconnect', 'ldm']) metrics.onNatsStatus(status)
    const slow = metrics.timedForNats({
      submit: async () => {
        clock.advance(40)
        return [appended]
      },
    })
    expect(await slow.submit([], { defaultSource: 'web' })).toEqual([appended])
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
      'headwater_nats_latency_seconds_bucket{le="0.025"}': 0,
      'headwater_nats_latency_seconds_bucket{le="0.05"}': 1,
      'headwater_nats_connection_changes_total{change="disconnect"}': 2,
      'headwater_nats_connection_changes_total{change="reconnect"}': 1,
      'headwater_logged_lines_total{level="warn"}': 2,
      'headwater_logged_lines_total{level="error"}': 0,
      // A projector that reports where it stands as it starts has committed nothing.
      headwater_projector_commits_total: 2,
      headwater_projector_events_total: 23,
      headwater_projector_rows_written_total: 114,
      headwater_projector_commit_duration_seconds_count: 2,
      headwater_projector_commit_duration_seconds_sum: 0.006,
      'headwater_projector_freshness_seconds_bucket{le="0.025"}': 1,
      'headwater_projector_freshness_seconds_bucket{le="0.5"}': 2,
      headwater_log_position: 8,
      headwater_log_pending_bytes: 6,
      headwater_log_index_bytes: 7,
      headwater_log_upkeep_segments: 5,
      headwater_projected_position: 6,
      headwater_projector_lag_positions: 2,
      headwater_projector_lag_seconds: 1.5,
      headwater_projector_running: 1,
      headwater_intake_queue_events: 3,
      headwater_intake_queue_bytes: 4,
      headwater_intake_queue_limit_events: 30,
      headwater_intake_queue_limit_bytes: 40,
      headwater_quarantine_bytes: 8,
      'headwater_build_info{version="1.2.3"}': 1,
      headwater_ready: 1,
    })
    expect(found.get('headwater_intake_latency_seconds_sum')).toBeCloseTo(0.7325, 9)
    for (const name of ['headwater_process_resident_memory_bytes', 'headwater_nodejs_heap_size_used_bytes']) {
      expect(found.get(name), name).toBeGreaterThan(1_000_000)
    }
    // The store knows no such projections: those figures are missing, and nothing else is.
    expect(body).toContain('# TYPE headwater_quarantine_events gauge')
    expect([...found.keys()].filter((name) => name.startsWith('headwater_quarantine_events'))).toEqual([])
    expect(body).not.toContain('jane')
  })
})

describe('the metrics of a running engine', () => {
  const directory = mkdtempSync(join(tmpdir(), 'headwater-metrics-'))
  let engine: EngineProcess
  beforeAll(async () => {
    engine = new EngineProcess(await freePort(), directory, { HEADWATER_NATS_PORT: '0' })
    await engine.start()
  })
  afterAll(async () => {
    await engine.kill('SIGTERM')
    rmSync(directory, { recursive: true, force: true })
  })

  /** What one customer does, with customers' words wherever a sender may put some. */
  async function traffic(customer: number): Promise<void> {
    const name = `jane${customer}`
    const event = (type: string, more: object) => ({ id: `${type} ${name}`, source: name, type, ...more })
    const traits = { email: `${name}@example.com` }
    const batch = [
      event('cdp.identify', { data: { userId: name, traits } }),
      event(`custom.of_${name}`, { subject: `thing-${name}`, data: { name } }),
      event('cdp.identify', { data: { userId: { name } } }),
    ]
    const answer = await engine.post('/v1/events', JSON.stringify([...batch, batch[0]]))
    expect(answer.status).toBe(200)
    const { position } = (await answer.json()) as { position: number }
    await engine.get(`/v1/profiles/email:${name}@example.com?after=${position}`)
    // The profile is shown from memory, before the commit that the metrics tell of.
    const projected = /^headwater_projected_position (\d+)$/m
    await expect.poll(async () => Number(projected.exec(await read())?.[1])).toBeGreaterThanOrEqual(position)
    for (const [method, path] of [
      ['GET', `/v1/profiles/${name}`],
      ['GET', `/${name}`],
      ['PROPFIND', `/v1/profiles/email:${name}@example.com`],
      ['GET', `/v1/profiles?${name}=1`],
    ] as const)
      await fetch(engine.url + path, { method }).then((reply) => reply.arrayBuffer())
  }

  const read = async (): Promise<string> => (await fetch(`${engine.url}/metrics`)).text()

  it('hold everything promised, in Prometheus’ format and with its units, after traffic', async () => {
    await traffic(0)
    // Both are counted by who follows the log, a little behind it.
    const counted = async () => {
      const found = series(await read())
      return [
        'headwater_quarantine_events{status="open"}',
        'headwater_log_events_total{domain="governance"}',
      ].map((name) => found.get(name))
    }
    await expect.poll(counted, { timeout: 10_000 }).toEqual([1, 1])
    const text = await read()
    expect(lint(text)).toEqual([])
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]))
    const found = series(text)
    for (const [name, type, least] of PROMISED) {
      expect(types.get(name), name).toBe(type)
      const sample = type === 'histogram' ? `${name}_count` : name
      const values = [...found].filter(([key]) => key === sample || key.startsWith(`${sample}{`))
      expect(values, name).not.toEqual([])
      expect(Math.max(...values.map(([, value]) => value)), name).toBeGreaterThanOrEqual(least)
    }
    expect(found.get('headwater_log_events_total{domain="behaviour"}')).toBe(1)
    expect(found.get('headwater_log_events_total{domain="custom"}')).toBe(1)
    expect(found.get('headwater_log_events_total{domain="governance"}')).toBe(1)
    expect(found.get('headwater_quarantine_events{status="open"}')).toBe(1)
    expect(found.get('headwater_disk_used_bytes{part="log"}')).toBeGreaterThan(1_000)
  })

  it('grow no series with the number of customers, and quote none of them', async () => {
    for (let customer = 1; customer < 4; customer++) await traffic(customer)
    const before = [...series(await read()).keys()].filter(notOfTheRuntime).sort()
    for (let customer = 4; customer < 20; customer++) await traffic(customer)
    const text = await read()
    expect([...series(text).keys()].filter(notOfTheRuntime).sort()).toEqual(before)
    expect(text).not.toContain('jane')
  })
})

/** Kinds of handles and of garbage collection turn up as they happen: Node's words, not customers'. */
function notOfTheRuntime(name: string): boolean {
  return !/_nodejs_(?:active_|gc_)/.test(name)
}

describe('the lint bites', () => {
  it.each([
    ['headwater_a 1\n', 'no type'],
    ['# HELP headwater_a A.\n# TYPE headwater_a counter\nheadwater_a 1\n', '_total'],
    ['# HELP headwater_a_total A.\n# TYPE headwater_a_total gauge\nheadwater_a_total 1\n', '_total'],
    ['# HELP headwater_a_ms A.\n# TYPE headwater_a_ms gauge\nheadwater_a_ms 1\n', 'base unit'],
    ['# TYPE headwater_a gauge\nheadwater_a 1\n', 'no help'],
    ['# HELP other_a A.\n# TYPE other_a gauge\nother_a 1\n', 'prefix'],
    ['# HELP headwater_a A.\n# TYPE headwater_a gauge\nheadwater_a 1\nheadwater_a 2\n', 'twice'],
    ['# HELP headwater_a A.\n# TYPE headwater_a gauge\nheadwater_a{customer="7"} 1\n', 'label customer'],
    [
      '# HELP headwater_a_seconds A.\n# TYPE headwater_a_seconds histogram\nheadwater_a_seconds_bucket{le="1"} 2\n' +
        'headwater_a_seconds_bucket{le="+Inf"} 1\nheadwater_a_seconds_sum 1\nheadwater_a_seconds_count 1\n',
      'cumulative',
    ],
  ])('%j', (text, complaint) => {
    expect(lint(text).join('\n')).toContain(complaint)
  })
})

it('durations counted in place are those of the library’s histogram', async () => {
  const seconds = fc.oneof(fc.constantFrom(...DURATION_BOUNDS), fc.double({ min: 0, max: 100, noNaN: true }))
  await fc.assert(
    fc.asyncProperty(fc.array(seconds, { maxLength: 50 }), async (observed) => {
      const registry = new Registry()
      const options = { name: 'headwater_x_seconds', help: 'X.', buckets: [...DURATION_BOUNDS] }
      const histogram = new Histogram({ ...options, registers: [registry] })
      const tally = new DurationTally()
      for (const each of observed) {
        histogram.observe(each)
        tally.observe(each)
      }
      expect(series(histogramText('headwater_x_seconds', 'X.', tally.read()))).toEqual(
        series(await registry.metrics()),
      )
    }),
    { numRuns: 50 },
  )
})

it('requests are counted, and told, as the library would', async () => {
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST'),
    route: fc.constantFrom('/', '/v1/profiles/:id', 'none', 'a"b\\c'),
    status: fc.constantFrom(200, 404, 500),
    ms: fc.oneof(fc.constantFrom(1, 2.5, 10_000), fc.double({ min: 0, max: 20_000, noNaN: true })),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(request), async (requests) => {
      const own = createMetrics()
      const count = requestTallies(own)
      const theirs = createMetrics()
      const counter = theirs.counter('headwater_http_requests_total', 'Requests answered.', [
        'method',
        'route',
        'status',
      ])
      const help = "Time from a request's head to its answer."
      const histogram = theirs.histogram('headwater_http_request_duration_seconds', help, ['route'])
      const before = series(await own.render())
      expect(before).toEqual(new Map())
      for (const { method, route, status, ms } of requests) {
        count(method, route, status, ms)
        counter.inc({ method, route, status: String(status) })
        histogram.observe({ route }, ms / 1000)
      }
      const text = await own.render()
      expect(series(text)).toEqual(series(await theirs.render()))
      // To read them changes nothing.
      expect(await own.render()).toBe(text)
    }),
    { numRuns: 50 },
  )
})

it('what costs a query is asked once in ten seconds, however often it is read; a failure is asked again', async () => {
  const clock = manualClock(0)
  let asked = 0
  let fails = false
  const kept = keptFor(10_000, clock, async () => {
    asked += 1
    if (fails) throw new Error('not now')
    return asked
  })
  expect([await kept(), await kept()]).toEqual([1, 1])
  clock.advance(10_000)
  fails = true
  await expect(kept()).rejects.toThrow('not now')
  fails = false
  expect(await kept()).toBe(3)
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

it('a figure that can’t be had is missing, and the others are told', async () => {
  const metrics = createMetrics()
  let up = true
  const read = async () => {
    if (!up) throw new Error('the disk is away')
    return 5
  }
  metrics.gauge('headwater_x', 'X.', read)
  metrics.readCounter('headwater_x_total', 'X.', read)
  metrics.gauges('headwater_y', 'Y.', 'part', async () => new Map([['log', await read()]]))
  metrics.gauge('headwater_z', 'Z.', () => 1)
  expect(Object.fromEntries(series(await metrics.render()))).toEqual({
    headwater_x: 5,
    headwater_x_total: 5,
    'headwater_y{part="log"}': 5,
    headwater_z: 1,
  })
  up = false
  expect(Object.fromEntries(series(await metrics.render()))).toEqual({
    headwater_x: Number.NaN,
    headwater_x_total: 5,
    headwater_z: 1,
  })
})

it('a name that is taken, foreign or of another unit is a bug', () => {
  const metrics = createMetrics()
  metrics.gauge('headwater_x', 'X.', () => 0)
  expect(() => metrics.gauge('headwater_x', 'X.', () => 0)).toThrow('already been registered')
  expect(() => metrics.gauge('other_x', 'X.', () => 0)).toThrow('prefix')
  expect(() => metrics.counter('headwater_things', 'X.')).toThrow('_total')
  expect(() => metrics.histogram('headwater_wait_ms', 'X.')).toThrow('_seconds')
  const durations = () => new DurationTally().read()
  metrics.readHistogram('headwater_y_seconds', 'Y.', durations)
  expect(() => metrics.histogram('headwater_y_seconds', 'Y.')).toThrow('already been registered')
  expect(() => metrics.readHistogram('headwater_y_seconds', 'Y.', durations)).toThrow(
    'already been registered',
  )
})
