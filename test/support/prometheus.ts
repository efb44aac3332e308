import { strict as assert } from 'node:assert'

/** Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/) as tests read it. */

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (\S+)$/

/** Series with its labels → value, of every line that is no comment. */
export function series(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const [, name, labels = '', value] = SAMPLE.exec(line) ?? []
      assert(name !== undefined, `no sample: ${line}`)
      return [name + labels, numberOf(value ?? '')]
    }),
  )
}

function numberOf(text: string): number {
  if (/^nan$/i.test(text)) return Number.NaN
  return text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text)
}

/** Name, type, and what its largest value is at least after traffic. */
export const PROMISED: readonly (readonly [
  name: string,
  type: 'counter' | 'gauge' | 'histogram',
  least: number,
])[] = [
  // rate
  ['headwater_intake_events_total', 'counter', 1],
  ['headwater_log_events_total', 'counter', 1],
  ['headwater_http_requests_total', 'counter', 1],
  ['headwater_projector_events_total', 'counter', 1],
  // errors
  ['headwater_intake_not_accepted_total', 'counter', 1],
  ['headwater_logged_lines_total', 'counter', 0],
  ['headwater_quarantine_events', 'gauge', 1],
  ['headwater_quarantine_bytes', 'gauge', 1],
  ['headwater_projector_poison_events', 'gauge', 0],
  // latency
  ['headwater_intake_latency_seconds', 'histogram', 1],
  ['headwater_http_request_duration_seconds', 'histogram', 1],
  ['headwater_nats_latency_seconds', 'histogram', 0],
  ['headwater_projector_commit_duration_seconds', 'histogram', 1],
  ['headwater_projector_freshness_seconds', 'histogram', 1],
  // lag
  ['headwater_log_position', 'gauge', 1],
  ['headwater_projected_position', 'gauge', 1],
  ['headwater_projector_lag_positions', 'gauge', 0],
  ['headwater_projector_lag_seconds', 'gauge', 0],
  // queue depth
  ['headwater_intake_queue_events', 'gauge', 0],
  ['headwater_intake_queue_bytes', 'gauge', 0],
  ['headwater_intake_queue_limit_events', 'gauge', 1],
  ['headwater_intake_queue_limit_bytes', 'gauge', 1],
  ['headwater_log_pending_bytes', 'gauge', 0],
  // fsync, commits, disk
  ['headwater_log_fsync_duration_seconds', 'histogram', 1],
  ['headwater_log_written_bytes_total', 'counter', 1],
  ['headwater_projector_commits_total', 'counter', 1],
  ['headwater_projector_rows_written_total', 'counter', 1],
  ['headwater_disk_used_bytes', 'gauge', 1],
  ['headwater_disk_free_bytes', 'gauge', 1],
  // event loop, memory
  ['headwater_nodejs_eventloop_lag_p99_seconds', 'gauge', 0],
  ['headwater_nodejs_eventloop_utilization_ratio', 'gauge', 0],
  ['headwater_process_resident_memory_bytes', 'gauge', 1],
  ['headwater_nodejs_heap_size_used_bytes', 'gauge', 1],
  ['headwater_nodejs_external_memory_bytes', 'gauge', 1],
  ['headwater_log_index_bytes', 'gauge', 1],
  ['headwater_log_upkeep_segments', 'gauge', 0],
  ['headwater_process_cpu_seconds_total', 'counter', 0],
  // state
  ['headwater_ready', 'gauge', 1],
  ['headwater_writer_running', 'gauge', 1],
  ['headwater_clock_trusted', 'gauge', 1],
  ['headwater_projector_running', 'gauge', 1],
  ['headwater_build_info', 'gauge', 1],
]

/** Label → the values that it may take. A label that isn't here has none that is known to be bounded. */
const LABELS: Readonly<Record<string, RegExp>> = {
  le: /^(?:\+Inf|\d+(?:\.\d+)?(?:e-\d+)?)$/,
  status: /^(?:appended|duplicate|quarantined|refused|open|resubmitted|[1-5]\d\d)$/,
  reason: /^[a-z0-9_]{3,20}$/,
  domain: /^(?:behaviour|identity|definitions|marketing|handoff|sales|service|commerce|governance|custom)$/,
  method: /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|OTHER)$/,
  fate: /^(?:appended|duplicate|quarantined|refused_[a-z_]+)$/,
  // A pattern, whose parameters are names.
  route: /^(?:none|\/(?:[a-z0-9._-]*|:[a-zA-Z]+|\*)(?:\/(?:[a-z0-9._-]*|:[a-zA-Z]+|\*))*)$/,
  level: /^(?:trace|debug|info|warn|error|fatal)$/,
  change: /^(?:disconnect|reconnect)$/,
  part: /^(?:log|keys|read_models|quarantine|audit|nats|other)$/,
  version: /^v?\d+\.\d+\.\d+$/,
  // Node's own.
  major: /^\d+$/,
  minor: /^\d+$/,
  patch: /^\d+$/,
  kind: /^[a-z]+$/,
  space: /^[a-z_]+$/,
  type: /^[A-Za-z]+$/,
}

/** Units that have a base unit; the names of metrics use that one. */
const NO_BASE_UNIT =
  /_(?:ms|millis\w*|milliseconds|us|micros\w*|ns|nanos\w*|minutes|hours|days|kb|kib|mb|mib|gb|percent)(?:_|$)/

/** What `promtool check metrics` would complain of, and what is agreed here beyond. */
export function lint(text: string): readonly string[] {
  const types = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
  )
  const helped = new Set([...text.matchAll(/^# HELP (\S+) \S.*$/gm)].map(([, name]) => name))
  const names = [...types].flatMap(([name, type]) => [
    ...(/^headwater_[a-z0-9_]+$/.test(name) ? [] : [`${name} lacks the prefix or has odd characters`]),
    ...(helped.has(name) ? [] : [`${name} has no help`]),
    ...((type === 'counter') === name.endsWith('_total')
      ? []
      : [`${name}: counters, and only they, end in _total`]),
    ...(NO_BASE_UNIT.test(name) ? [`${name} isn't in a base unit`] : []),
    ...(type === 'histogram' && !name.endsWith('_seconds') ? [`${name} lacks its unit`] : []),
  ])
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return [...names, ...lintSamples(samples, types), ...lintHistograms(series(text), types)]
}

function lintSamples(lines: readonly string[], types: ReadonlyMap<string, string>): readonly string[] {
  const seen = new Set<string>()
  return lines.flatMap((line) => {
    const [, name = '', labels = ''] = SAMPLE.exec(line) ?? []
    const key = name + labels
    const twice = seen.has(key) ? [`${key} stands twice`] : []
    seen.add(key)
    const family = types.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, '')
    const typed = types.has(family) ? [] : [`${name} has no type`]
    return [...twice, ...typed, ...[...labels.matchAll(/(\w+)="([^"]*)"/g)].flatMap(badLabel)]
  })
}

function badLabel([, label = '', value = '']: readonly string[]): readonly string[] {
  return LABELS[label]?.test(value) === true ? [] : [`the label ${label} may not be ${value}`]
}

function lintHistograms(
  found: ReadonlyMap<string, number>,
  types: ReadonlyMap<string, string>,
): readonly string[] {
  return [...types].flatMap(([name, type]) => {
    if (type !== 'histogram') return []
    const last = new Map<string, number>()
    const falling: string[] = []
    for (const [key, value] of found) {
      if (!key.startsWith(`${name}_bucket{`)) continue
      const rest = key.replace(/,?le="[^"]*"/, '')
      if (value < (last.get(rest) ?? 0)) falling.push(`${key} is not cumulative`)
      last.set(rest, value)
    }
    return falling
  })
}
