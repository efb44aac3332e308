import type { LagSample, RunReport } from '../load/protocol.ts'
import { type Findings, median, ratesOf, type SustainedStep } from './findings.ts'
import type { Lab } from './lab.ts'
import { durationMs, MAX_BATCHES_IN_FLIGHT } from './plan.ts'

const LAG_EVERY_MS = 100
/** One commit of the read models under load, and a fifth: a line fitted through its saw-tooth may rise by so much. */
const MAX_GROWTH_MS = 250
const MAX_MEDIAN_LAG_MS = 1_000
const MIN_ACKNOWLEDGED = 0.99
const ABORT_LAG_MS = 3_000
/** Tried first: from below, so that a rate that is too high leaves little to catch up with before the next. */
const FIRST_PER_S = 5_000
/** Steps closer to each other than this tell nothing. */
const RESOLUTION = 0.05

export const SUSTAINED_RULE =
  `A rate is sustained if, over the window, at least ${MIN_ACKNOWLEDGED * 100} % of the events offered are acknowledged, the lag ` +
  `(age of the oldest event sent that the read models don't hold) has a median of at most ${MAX_MEDIAN_LAG_MS} ms, and the straight line ` +
  `fitted to it by least squares rises by at most ${MAX_GROWTH_MS} ms from the window's beginning to its end.`

/** The highest rate, offered in an open loop, at which acknowledgements and read models both keep up. */
export async function measureSustained(lab: Lab, findings: Findings): Promise<void> {
  const { steps, ...windows } = lab.plan.sustained
  for (let step = 0; step < steps; step++) {
    const offeredPerS = nextRate(findings.sustained)
    if (offeredPerS === undefined) break
    await lab.prepare((durationMs(windows) * offeredPerS) / 1_000)
    const report = await lab.run(`sustained, ${offeredPerS}/s offered`, {
      ...windows,
      events: {
        mode: 'open',
        perMessage: 'batch',
        eventsPerS: offeredPerS,
        maxInFlight: MAX_BATCHES_IN_FLIGHT,
      },
      lagEveryMs: LAG_EVERY_MS,
      abortLagMs: ABORT_LAG_MS,
    })
    const judged = judge(offeredPerS, report, windows.windowMs)
    findings.sustained.push(judged)
    lab.say(
      `  ${offeredPerS}/s: ${judged.held ? 'held' : 'not held'}, lag ${judged.medianLagMs.toFixed(0)} ms`,
    )
    const held = findings.sustained.filter((each) => each.held).map((each) => each.offeredPerS)
    findings.measured.set('sustained', { value: Math.max(0, ...held) })
  }
}

/** What to offer next: between the highest rate that held and the lowest that didn't; undefined where they meet. */
export function nextRate(tried: readonly Pick<SustainedStep, 'offeredPerS' | 'held'>[]): number | undefined {
  const low = Math.max(0, ...tried.filter(({ held }) => held).map(({ offeredPerS }) => offeredPerS))
  const failed = tried.filter(({ held }) => !held).map(({ offeredPerS }) => offeredPerS)
  if (tried.length === 0) return FIRST_PER_S
  if (failed.length === 0) return low * 2
  const high = Math.min(...failed)
  if (high - low < RESOLUTION * high) return undefined
  const next = round(low === 0 ? high / 2 : (low + high) / 2)
  return next <= low || next >= high ? undefined : next
}

function round(rate: number): number {
  return Math.max(500, Math.round(rate / 500) * 500)
}

export function judge(offeredPerS: number, report: RunReport, windowMs: number): SustainedStep {
  const acknowledgedPerS = ratesOf(report)[0] ?? 0
  const medianLagMs = median(report.lag.map(({ lagMs }) => lagMs)) ?? 0
  const growthMs = slopeMsPerMs(report.lag) * windowMs
  const held =
    report.endedEarly === undefined &&
    report.refused === 0 &&
    report.lag.length >= 10 &&
    acknowledgedPerS >= offeredPerS * MIN_ACKNOWLEDGED &&
    medianLagMs <= MAX_MEDIAN_LAG_MS &&
    growthMs <= MAX_GROWTH_MS
  return { offeredPerS, acknowledgedPerS, medianLagMs, growthMs, held }
}

/** Of the line fitted by least squares. */
export function slopeMsPerMs(samples: readonly LagSample[]): number {
  const n = samples.length
  if (n < 2) return 0
  const meanAt = samples.reduce((sum, { atMs }) => sum + atMs, 0) / n
  const meanLag = samples.reduce((sum, { lagMs }) => sum + lagMs, 0) / n
  let covariance = 0
  let variance = 0
  for (const { atMs, lagMs } of samples) {
    covariance += (atMs - meanAt) * (lagMs - meanLag)
    variance += (atMs - meanAt) ** 2
  }
  return variance === 0 ? 0 : covariance / variance
}
