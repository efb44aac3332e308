import { strict as assert } from 'node:assert'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/**
 * One app's metrics for Prometheus. Names begin with `headwater_`, units are base units; labels come from closed sets,
 * never from customers. A name can be used once.
 */
export interface Metrics {
  /** Its name ends in `_total`. */
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>
  /** Its value is asked for when the metrics are read. */
  gauge(name: string, help: string, read: () => number): void
  /** Of durations; its name ends in `_seconds`. */
  histogram<L extends string = never>(name: string, help: string, labels?: readonly L[]): Histogram<L>
  /**
   * Adds what Node tells of the process: memory, event loop, garbage collection. Call it for one app of a process only:
   * it never stops watching.
   */
  watchProcess(): void
  readonly contentType: string
  render(): Promise<string>
}

const PREFIX = 'headwater_'

/** Upper bounds in seconds, from a commit in memory to a request that hangs. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function createMetrics(): Metrics {
  const registry = new Registry()
  // Without `registers` a metric would land in the library's global registry.
  const of = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) => {
    assert.ok(name.startsWith(PREFIX), `${name} lacks the prefix ${PREFIX}`)
    return { name, help, labelNames, registers: [registry] }
  }
  return {
    counter(name, help, labels) {
      assert.ok(name.endsWith('_total'), `the counter ${name} doesn't end in _total`)
      return new Counter(of(name, help, labels))
    },
    gauge(name, help, read) {
      new Gauge({
        ...of(name, help),
        collect() {
          this.set(read())
        },
      })
    },
    histogram(name, help, labels) {
      assert.ok(name.endsWith('_seconds'), `the durations ${name} don't end in _seconds`)
      return new Histogram({ ...of(name, help, labels), buckets: DURATION_BUCKETS })
    },
    watchProcess: () => collectDefaultMetrics({ register: registry, prefix: PREFIX }),
    contentType: registry.contentType,
    render: () => registry.metrics(),
  }
}
