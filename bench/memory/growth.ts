import type { Clock } from '../../engine/clock.ts'
import type { RunReport } from '../load/protocol.ts'
import type { Lab, LabRun } from '../main/lab.ts'
import { BATCHES_IN_FLIGHT } from '../main/plan.ts'
import { type ResidentMemory, residentMemory } from '../main/proc.ts'
import type { MemoryFindings } from './figures.ts'
import { ASKED_FROM, ASKED_TO, type MemoryPlan } from './plan.ts'

/** Kept for reporting and cleaning up. */
const RESERVE_MS = 15_000
const SAMPLES = 20

/** What is asked of the bench's surroundings. */
export type MemoryLab = Pick<
  Lab<MemoryPlan>,
  'plan' | 'engine' | 'aborted' | 'prepare' | 'run' | 'head' | 'heldUpTo' | 'leftMs' | 'say'
> & { readonly clock: Pick<Clock, 'monotonicMs'> }

/**
 * Resident memory of the engine's process while events are sent as fast as its read models follow, so that what waits for
 * them is bounded and what they cost counts. `memoryOf`: of a process by its id; undefined where that isn't told.
 */
export async function measureGrowth(
  lab: MemoryLab,
  findings: MemoryFindings,
  memoryOf: (pid: number) => ResidentMemory | undefined = residentMemory,
): Promise<void> {
  const { fromEvents, toEvents, tapeEvents } = lab.plan
  await lab.prepare(tapeEvents, { priming: 0 })
  const { pid } = lab.engine
  const every = toEvents / SAMPLES
  const startMs = lab.clock.monotonicMs()
  let next = Math.min(every, fromEvents)
  let events = 0
  const sample = (): void => {
    const memory = memoryOf(pid)
    if (memory !== undefined) {
      findings.samples.push({ events, ...memory })
      lab.say(`  ${events} events: ${memory.megabytes.toFixed(0)} MB`)
    }
    next = (Math.floor(events / every) + 1) * every
  }
  for await (const report of pieces(lab)) {
    events += report.acknowledged
    if (events >= next) sample()
    if (events >= toEvents) break
  }
  if (findings.samples.at(-1)?.events !== events) sample()
  conclude(lab.plan, findings, (events * 1_000) / Math.max(1, lab.clock.monotonicMs() - startMs))
}

/** One piece after the other; of those sent, the read models hold all but the last. Ends with the tape or with the time. */
async function* pieces(lab: MemoryLab): AsyncGenerator<RunReport, void> {
  const leftMs = (): number => lab.leftMs() - RESERVE_MS
  let head = 0
  while (!lab.aborted && leftMs() > 0) {
    const report = await lab.run(undefined, piece(lab.plan.pieceEvents, leftMs()))
    const before = head
    head = await lab.head()
    const isHeld = await lab.heldUpTo(before, Math.max(0, leftMs()))
    yield report
    if (!isHeld || report.endedEarly === 'tape') return
  }
}

function piece(maxEvents: number, withinMs: number): LabRun {
  return {
    warmUpMs: 0,
    windowMs: Math.max(1_000, withinMs),
    windows: 1,
    maxEvents,
    events: { mode: 'closed', perMessage: 'batch', inFlight: BATCHES_IN_FLIGHT },
  }
}

function conclude(
  { fromEvents, toEvents }: MemoryPlan,
  { samples, measured }: MemoryFindings,
  eventsPerS: number,
): void {
  const first = samples.find(({ events }) => events >= fromEvents)
  const last = samples.at(-1)
  if (last === undefined) return
  measured.set('rate', { value: eventsPerS })
  measured.set('last', { value: last.megabytes })
  if (first === undefined || first === last) return
  const asked = fromEvents === ASKED_FROM && toEvents === ASKED_TO && last.events >= toEvents
  measured.set('growth', {
    value: last.megabytes - first.megabytes,
    insteadUnit: asked ? undefined : `MB from ${first.events} to ${last.events} events`,
  })
}
