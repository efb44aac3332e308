import { strict as assert } from 'node:assert'
import type { EventLoopUtilization } from 'node:perf_hooks'
import { performance } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { DURATION_BOUNDS, type DurationCounts, histogramsText, histogramText } from './durations.ts'

/** A number, or several by the value of one label; what is asked for may take a moment. */
type Sample = number | ReadonlyMap<string, number>
type Read<S extends Sample> = () => S | Promise<S>

/**
 * One app's metrics for Prometheus. Names begin with `headwater_`, units are base units; labels come from closed sets,
 * never from customers. A name can be used once.
 *
 * What is `read` is asked for when the metrics are. Where that fails, a counter stays what it was, a gauge is NaN, a family
 * of gauges is empty, and the other metrics are told all the same.
 */
export interface Metrics {
  /** Its name ends in `_total`. */
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>
  /** A counter that is kept elsewhere. */
  readCounter(name: string, help: string, read: Read<number>): void
  /** Counters kept elsewhere, one for each value of `label`. */
  readCounters(name: string, help: string, label: string, read: Read<ReadonlyMap<string, number>>): void
  /** Counters kept elsewhere, one for each combination of `labels`, whose values stand in the labels' order. */
  readCountersBy(
    name: string,
    help: string,
    labels: readonly string[],
    read: () => Iterable<readonly [values: readonly string[], count: number]>,
  ): void
  gauge(name: string, help: string, read: Read<number>): void
  /** One for each value of `label`. */
  gauges(name: string, help: string, label: string, read: Read<ReadonlyMap<string, number>>): void
  /** Of durations; its name ends in `_seconds`. */
  histogram<L extends string = never>(name: string, help: string, labels?: readonly L[]): Histogram<L>
  /** Of durations that are counted elsewhere. */
  readHistogram(name: string, help: string, read: () => DurationCounts): void
  /** The same, one for each value of `label`. */
  readHistograms(
    name: string,
    help: string,
    label: string,
    read: () => ReadonlyMap<string, DurationCounts>,
  ): void
  /**
   * Adds what Node tells of the process: memory, event loop, garbage collection. Call it for one app of a process only:
   * it never stops watching.
   */
  watchProcess(): void
  readonly contentType: string
  render(): Promise<string>
}

const PREFIX = 'headwater_'

export function createMetrics(): Metrics {
  const registry = new Registry()
  const histograms = new Map<string, () => string>()
  // Without `registers` a metric would land in the library's global registry.
  const of = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) => {
    assert.ok(name.startsWith(PREFIX), `${name} lacks the prefix ${PREFIX}`)
    assert.ok(!histograms.has(name), `${name} has already been registered`)
    return { name, help, labelNames, registers: [registry] }
  }
  const counting = (name: string, help: string, label: string | undefined, read: Read<Sample>) =>
    new Counter({
      ...of(counterName(name), help, label === undefined ? [] : [label]),
      async collect() {
        const sample = await sampled(read)
        if (sample === undefined) return
        this.reset()
        for (const [value, count] of entries(sample)) this.inc(labelled(label, value), count)
      },
    })
  const countingBy = (
    name: string,
    help: string,
    labels: readonly string[],
    read: () => Iterable<readonly [values: readonly string[], count: number]>,
  ) =>
    new Counter({
      ...of(counterName(name), help, labels),
      collect() {
        this.reset()
        for (const [values, count] of read())
          this.inc(Object.fromEntries(labels.map((label, i) => [label, values[i] ?? ''])), count)
      },
    })
  const telling = (name: string, help: string, text: () => string): void => {
    of(durationName(name), help)
    assert.ok(registry.getSingleMetric(name) === undefined, `${name} has already been registered`)
    histograms.set(name, text)
  }
  const measuring = (name: string, help: string, label: string | undefined, read: Read<Sample>) =>
    new Gauge({
      ...of(name, help, label === undefined ? [] : [label]),
      async collect() {
        const sample = (await sampled(read)) ?? (label === undefined ? Number.NaN : new Map())
        this.reset()
        for (const [value, count] of entries(sample)) this.set(labelled(label, value), count)
      },
    })
  return {
    counter: (name, help, labels) => new Counter(of(counterName(name), help, labels)),
    readCounter: (name, help, read) => void counting(name, help, undefined, read),
    readCounters: (name, help, label, read) => void counting(name, help, label, read),
    readCountersBy: (name, help, labels, read) => void countingBy(name, help, labels, read),
    gauge: (name, help, read) => void measuring(name, help, undefined, read),
    gauges: (name, help, label, read) => void measuring(name, help, label, read),
    histogram: (name, help, labels) =>
      new Histogram({ ...of(durationName(name), help, labels), buckets: DURATION_BOUNDS }),
    readHistogram: (name, help, read) => telling(name, help, () => histogramText(name, help, read())),
    readHistograms: (name, help, label, read) =>
      telling(name, help, () => histogramsText(name, help, label, read())),
    watchProcess: () => watchProcess(registry, measuring),
    contentType: registry.contentType,
    async render() {
      const text = await registry.metrics()
      return [text, ...[...histograms.values()].map((histogram) => histogram())].join('\n')
    },
  }
}

function counterName(name: string): string {
  assert.ok(name.endsWith('_total'), `the counter ${name} doesn't end in _total`)
  return name
}

function durationName(name: string): string {
  assert.ok(name.endsWith('_seconds'), `the durations ${name} don't end in _seconds`)
  return name
}

/** undefined where it can't be had: a store that is rebuilt, a directory that was moved away. */
async function sampled(read: Read<Sample>): Promise<Sample | undefined> {
  try {
    return await read()
  } catch {
    return undefined
  }
}

function entries(sample: Sample): Iterable<readonly [string, number]> {
  return typeof sample === 'number' ? [['', sample]] : sample
}

function labelled(label: string | undefined, value: string): Record<string, string> {
  return label === undefined ? {} : { [label]: value }
}

/** Gauges of the library whose names say that they are counters; `active_handles` and its like tell the same by type. */
const MISNAMED = ['active_handles_total', 'active_requests_total', 'active_resources_total']

function watchProcess(
  registry: Registry,
  measuring: (name: string, help: string, label: undefined, read: Read<number>) => void,
): void {
  collectDefaultMetrics({ register: registry, prefix: PREFIX })
  for (const name of MISNAMED) registry.removeSingleMetric(`${PREFIX}nodejs_${name}`)
  let before: EventLoopUtilization | undefined
  measuring(
    `${PREFIX}nodejs_eventloop_utilization_ratio`,
    'Share of the time since the last reading that the main thread was busy.',
    undefined,
    () => {
      const now = performance.eventLoopUtilization()
      const since = before === undefined ? now : performance.eventLoopUtilization(now, before)
      before = now
      return since.utilization
    },
  )
}
