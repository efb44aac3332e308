import { strict as assert } from 'node:assert'

/**
 * Counters, gauges and histograms in Prometheus' text format 0.0.4. Names begin with `headwater_`, units are base
 * units; labels come from closed sets, never from customers.
 */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter
  /** Its value is asked for when the metrics are read. */
  gauge(name: string, help: string, read: () => number): void
  histogram(name: string, help: string, buckets: readonly number[], labels?: readonly string[]): Histogram
  render(): string
}

export type Labels = Readonly<Record<string, string>>

export interface Counter {
  increment(labels?: Labels, by?: number): void
}

export interface Histogram {
  observe(value: number, labels?: Labels): void
}

/** Upper bounds in seconds, for the time that a request takes. */
export const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

interface Family {
  readonly name: string
  render(): readonly string[]
}

const NAME_PATTERN = /^headwater_[a-z0-9_]+$/

export function createMetrics(): Metrics {
  const families = new Map<string, Family>()
  const add = (family: Family): void => {
    assert.match(family.name, NAME_PATTERN)
    assert.ok(!families.has(family.name), `the metric ${family.name} exists already`)
    families.set(family.name, family)
  }
  return {
    counter(name, help, labels = []) {
      assert.ok(name.endsWith('_total'), 'a counter ends in _total')
      const counter = counterFamily(name, help, labels)
      add(counter)
      return counter
    },
    gauge(name, help, read) {
      add({ name, render: () => [...head(name, help, 'gauge'), `${name} ${number(read())}`] })
    },
    histogram(name, help, buckets, labels = []) {
      const histogram = histogramFamily(name, help, buckets, labels)
      add(histogram)
      return histogram
    },
    render() {
      const lines = [...families.values()].flatMap((family) => family.render())
      return `${lines.join('\n')}\n`
    },
  }
}

function counterFamily(name: string, help: string, labels: readonly string[]): Counter & Family {
  const values = new Map<string, number>()
  return {
    name,
    increment(given = {}, by = 1) {
      assert.ok(by >= 0, 'a counter never falls')
      const series = seriesOf(labels, given)
      values.set(series, (values.get(series) ?? 0) + by)
    },
    render() {
      if (labels.length === 0 && values.size === 0) values.set('', 0)
      return [
        ...head(name, help, 'counter'),
        ...[...values].map(([series, value]) => sample(name, series, value)),
      ]
    },
  }
}

interface Distribution {
  readonly counts: number[]
  sum: number
  count: number
}

function histogramFamily(
  name: string,
  help: string,
  buckets: readonly number[],
  labels: readonly string[],
): Histogram & Family {
  const all = new Map<string, Distribution>()
  return {
    name,
    observe(value, given = {}) {
      const series = seriesOf(labels, given)
      const found = all.get(series) ?? { counts: buckets.map(() => 0), sum: 0, count: 0 }
      all.set(series, found)
      const bucket = buckets.findIndex((bound) => value <= bound)
      if (bucket !== -1) found.counts[bucket] = (found.counts[bucket] ?? 0) + 1
      found.sum += value
      found.count += 1
    },
    render() {
      return [
        ...head(name, help, 'histogram'),
        ...[...all].flatMap(([series, d]) => samples(name, buckets, series, d)),
      ]
    },
  }
}

function samples(
  name: string,
  buckets: readonly number[],
  series: string,
  found: Distribution,
): readonly string[] {
  let below = 0
  const lines = buckets.map((bound, index) => {
    below += found.counts[index] ?? 0
    return sample(`${name}_bucket`, join(series, `le="${bound}"`), below)
  })
  lines.push(sample(`${name}_bucket`, join(series, 'le="+Inf"'), found.count))
  lines.push(sample(`${name}_sum`, series, found.sum), sample(`${name}_count`, series, found.count))
  return lines
}

function head(name: string, help: string, type: string): readonly string[] {
  return [`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${type}`]
}

function seriesOf(labels: readonly string[], given: Labels): string {
  assert.equal(Object.keys(given).length, labels.length, 'every label of a metric is given, and no other')
  return labels.map((label) => `${label}="${escaped(given[label] ?? '')}"`).join(',')
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function join(series: string, label: string): string {
  return series === '' ? label : `${series},${label}`
}

function sample(name: string, series: string, value: number): string {
  return series === '' ? `${name} ${number(value)}` : `${name}{${series}} ${number(value)}`
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}
