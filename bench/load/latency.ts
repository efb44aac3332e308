import { build } from 'hdr-histogram-js'

/** All in milliseconds. */
export interface LatencySummary {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

const HIGHEST_US = 3_600_000_000

/** HdrHistogram of microseconds, three significant digits, up to an hour. */
export interface LatencyRecorder {
  record(ms: number): void
  summary(): LatencySummary
}

export function createLatencyRecorder(): LatencyRecorder {
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_US,
    numberOfSignificantValueDigits: 3,
  })
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1_000
  return {
    record: (ms) => histogram.recordValue(Math.min(Math.max(Math.round(ms * 1_000), 0), HIGHEST_US)),
    summary: () => ({
      count: histogram.totalCount,
      p50: at(50),
      p99: at(99),
      p999: at(99.9),
      max: histogram.maxValue / 1_000,
    }),
  }
}
