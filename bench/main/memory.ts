import type { Findings } from './findings.ts'
import type { Lab } from './lab.ts'
import { BATCHES_IN_FLIGHT } from './plan.ts'
import { residentMegabytes } from './proc.ts'

/** Kept for reporting and cleaning up. */
const RESERVE_MS = 10_000
const SAMPLES = 20

/** Resident memory of the engine's process while events are sent as fast as they are taken. */
export async function measureMemory(lab: Lab, findings: Findings): Promise<void> {
  const { fromEvents, toEvents } = lab.plan.memory
  await lab.prepare(toEvents, { priming: 0 })
  const { pid } = lab.engine
  const every = toEvents / SAMPLES
  let next = Math.min(every, fromEvents)
  const sample = (events: number): void => {
    const megabytes = residentMegabytes(pid)
    if (megabytes !== undefined) findings.memory.push({ events, megabytes })
    next = (Math.floor(events / every) + 1) * every
  }
  const report = await lab.run(
    'memory, as fast as it goes',
    {
      warmUpMs: 0,
      windowMs: Math.max(1_000, lab.leftMs() - RESERVE_MS),
      windows: 1,
      maxEvents: toEvents,
      events: { mode: 'closed', perMessage: 'batch', inFlight: BATCHES_IN_FLIGHT },
    },
    (notice) => {
      if (notice.kind === 'progress' && notice.acknowledged >= next) sample(notice.acknowledged)
    },
  )
  sample(report.acknowledged)
  const first = findings.memory.find(({ events }) => events >= fromEvents)
  const last = findings.memory.at(-1)
  if (first === undefined || last === undefined || first === last) return
  const asked = fromEvents === ASKED_FROM && toEvents === ASKED_TO
  findings.measured.set('memory', {
    value: last.megabytes - first.megabytes,
    insteadUnit:
      asked && last.events >= toEvents ? undefined : `MB from ${first.events} to ${last.events} events`,
  })
}

/** What the figure is about. */
const ASKED_FROM = 1_000_000
const ASKED_TO = 5_000_000
