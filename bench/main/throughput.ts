import type { Findings } from './findings.ts'
import { median, ratesOf } from './findings.ts'
import type { Lab } from './lab.ts'
import { BATCHES_IN_FLIGHT, durationMs, SINGLES_IN_FLIGHT } from './plan.ts'

/** Generous: what the fastest engine could take in the time, so that the tape doesn't end. */
const FASTEST_BATCH_PER_S = 110_000
const FASTEST_SINGLE_PER_S = 50_000

/** Batches of 100, each durable before its acknowledgement, as fast as they are taken. */
export async function measureBatches(lab: Lab, findings: Findings): Promise<void> {
  const windows = lab.plan.batch
  await lab.prepare(Math.min(lab.plan.tapeEvents, (durationMs(windows) * FASTEST_BATCH_PER_S) / 1_000))
  const report = await lab.run('batches of 100', {
    ...windows,
    events: { mode: 'closed', perMessage: 'batch', inFlight: BATCHES_IN_FLIGHT },
    lagEveryMs: 500,
  })
  const value = median(ratesOf(report))
  if (value === undefined) return
  findings.measured.set('batch', { value })
  const lag = report.lag.at(-1)?.lagMs ?? 0
  findings.notes.push(
    `Batches: windows of ${show(ratesOf(report))} events/s; acknowledgement p50 ${report.latency.p50.toFixed(1)} ms, p99 ` +
      `${report.latency.p99.toFixed(1)} ms with ${BATCHES_IN_FLIGHT} batches in flight; the read models were ${(lag / 1_000).toFixed(1)} s behind at the end.`,
  )
}

/** One event a message, each with its own acknowledgement. */
export async function measureSingles(lab: Lab, findings: Findings): Promise<void> {
  const windows = lab.plan.single
  await lab.prepare((durationMs(windows) * FASTEST_SINGLE_PER_S) / 1_000)
  const report = await lab.run('one event a message', {
    ...windows,
    events: { mode: 'closed', perMessage: 'one', inFlight: SINGLES_IN_FLIGHT },
  })
  const value = median(ratesOf(report))
  if (value === undefined) return
  findings.measured.set('single', { value })
  findings.notes.push(
    `Singles: windows of ${show(ratesOf(report))} events/s; acknowledgement p50 ${report.latency.p50.toFixed(1)} ms, p99 ${report.latency.p99.toFixed(1)} ms with 1,000 in flight.`,
  )
}

function show(rates: readonly number[]): string {
  return rates.map((rate) => Math.round(rate).toLocaleString('en-US')).join(', ')
}
