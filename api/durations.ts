/** Durations by bucket, as a histogram for Prometheus tells them. */
export interface DurationCounts {
  /** Inclusive upper bounds of the buckets, in seconds, ascending. */
  readonly bounds: readonly number[]
  /** How many fell into each bucket and, last, beyond; not cumulative. */
  readonly counts: readonly number[]
  readonly sumSeconds: number
}

/** Upper bounds in seconds, from a commit in memory to a request that hangs. */
export const DURATION_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Counts durations for some nanoseconds each: every event passes here. */
export class DurationTally {
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sumSeconds = 0

  constructor(bounds: readonly number[] = DURATION_BOUNDS) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  observe(seconds: number): void {
    let bucket = 0
    // Written so that NaN falls into the last one.
    while (bucket < this.#bounds.length && !(seconds <= (this.#bounds[bucket] ?? 0))) bucket++
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#sumSeconds += seconds
  }

  read(): DurationCounts {
    return { bounds: this.#bounds, counts: [...this.#counts], sumSeconds: this.#sumSeconds }
  }
}

/** In Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/). */
export function histogramText(name: string, help: string, durations: DurationCounts): string {
  return [...headOf(name, help), ...linesOf(name, '', durations), ''].join('\n')
}

/** The same of several histograms, told apart by the value of one label. */
export function histogramsText(
  name: string,
  help: string,
  label: string,
  durations: ReadonlyMap<string, DurationCounts>,
): string {
  const lines = [...durations].flatMap(([value, counts]) =>
    linesOf(name, `${label}="${escaped(value)}"`, counts),
  )
  return [...headOf(name, help), ...lines, ''].join('\n')
}

function headOf(name: string, help: string): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`]
}

function linesOf(
  name: string,
  label: string,
  { bounds, counts, sumSeconds }: DurationCounts,
): readonly string[] {
  let total = 0
  const besides = label === '' ? '' : `,${label}`
  const own = label === '' ? '' : `{${label}}`
  const buckets = counts.map((count, at) => {
    total += count
    const bound = bounds[at]
    return `${name}_bucket{le="${bound === undefined ? '+Inf' : bound}"${besides}} ${total}`
  })
  return [...buckets, `${name}_sum${own} ${sumSeconds}`, `${name}_count${own} ${total}`]
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
