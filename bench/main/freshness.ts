import type { Findings } from './findings.ts'
import type { Lab } from './lab.ts'
import { durationMs, MAX_BATCHES_IN_FLIGHT } from './plan.ts'

const OFFERED_PER_S = 10_000

/** Published → shown by `GET /v1/profiles/:id`, at 10,000 events a second, the probes among them. */
export async function measureFreshness(lab: Lab, findings: Findings): Promise<void> {
  const { probesPerS, probedPeople, ...windows } = lab.plan.freshness
  await lab.prepare((durationMs(windows) * OFFERED_PER_S) / 1_000)
  const report = await lab.run('freshness at 10,000/s', {
    ...windows,
    events: {
      mode: 'open',
      perMessage: 'batch',
      eventsPerS: OFFERED_PER_S - probesPerS,
      maxInFlight: MAX_BATCHES_IN_FLIGHT,
    },
    probes: { ratePerS: probesPerS, people: probedPeople },
  })
  const { probes } = report
  if (probes === undefined || probes.latency.count === 0) throw new Error('no probe was answered')
  const { count, p50, p99, p999, max } = probes.latency
  // A probe that never showed has no time; to leave it out silently would flatter.
  findings.measured.set('freshness', {
    value: p99,
    insteadUnit: probes.failed > 0 ? `ms, of ${count} probes; ${probes.failed} never showed` : undefined,
  })
  findings.notes.push(
    `Freshness: ${count} probes, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, p99.9 ${p999.toFixed(1)} ms, max ${max.toFixed(1)} ms` +
      (probes.stale === 0 ? '.' : `; ${probes.stale} answers claimed the position without the value.`),
  )
}
