import { type DurationCounts, DurationTally } from './durations.ts'
import type { Metrics } from './metrics.ts'

interface RouteTally {
  readonly durations: DurationTally
  /** By method, then status. */
  readonly counts: Map<string, Map<number, number>>
}

/** Called for every request answered; all but the duration come from closed sets. */
export type CountRequest = (method: string, route: string, status: number, durationMs: number) => void

/** Registers the metrics of requests. They are counted in place, for some nanoseconds each, and told when asked for. */
export function requestTallies(metrics: Metrics): CountRequest {
  const routes = new Map<string, RouteTally>()
  metrics.readCountersBy(
    'headwater_http_requests_total',
    'Requests answered.',
    ['method', 'route', 'status'],
    () => countsOf(routes),
  )
  metrics.readHistograms(
    'headwater_http_request_duration_seconds',
    "Time from a request's head to its answer.",
    'route',
    () => durationsOf(routes),
  )
  return (method, route, status, durationMs) => {
    let tally = routes.get(route)
    if (tally === undefined) {
      tally = { durations: new DurationTally(), counts: new Map() }
      routes.set(route, tally)
    }
    tally.durations.observe(durationMs / 1000)
    let counts = tally.counts.get(method)
    if (counts === undefined) {
      counts = new Map()
      tally.counts.set(method, counts)
    }
    counts.set(status, (counts.get(status) ?? 0) + 1)
  }
}

function* countsOf(
  routes: ReadonlyMap<string, RouteTally>,
): Generator<readonly [values: readonly string[], count: number]> {
  for (const [route, { counts }] of routes)
    for (const [method, byStatus] of counts)
      for (const [status, count] of byStatus) yield [[method, route, String(status)], count]
}

function durationsOf(routes: ReadonlyMap<string, RouteTally>): ReadonlyMap<string, DurationCounts> {
  return new Map([...routes].map(([route, { durations }]) => [route, durations.read()]))
}
