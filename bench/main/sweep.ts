import type { Findings } from './findings.ts'
import { ratesOf } from './findings.ts'
import type { Lab } from './lab.ts'
import { durationMs, MAX_BATCHES_IN_FLIGHT } from './plan.ts'

/** Where the peak couldn't be measured. */
const ASSUMED_PEAK_PER_S = 40_000

/** Latency of acknowledgements, open loop, from a tenth of the peak to past saturation. */
export async function measureSweep(lab: Lab, findings: Findings): Promise<void> {
  const { shares, ...windows } = lab.plan.sweep
  const peakPerS = findings.measured.get('batch')?.value ?? ASSUMED_PEAK_PER_S
  const perStep = (durationMs(windows) * peakPerS) / 1_000
  for (const share of shares) {
    const offeredPerS = Math.max(100, Math.round((peakPerS * share) / 100) * 100)
    await lab.prepare(perStep * share)
    const report = await lab.run(`sweep, ${offeredPerS}/s offered`, {
      ...windows,
      events: {
        mode: 'open',
        perMessage: 'batch',
        eventsPerS: offeredPerS,
        maxInFlight: MAX_BATCHES_IN_FLIGHT,
      },
    })
    const { latency, unanswered, refused } = report
    const acknowledgedPerS = ratesOf(report)[0] ?? 0
    findings.sweep.push({ offeredPerS, acknowledgedPerS, latency, unanswered, refused })
  }
}
