import { systemClock } from '../engine/clock.ts'
import { measureWithin } from './interruption.ts'
import { presentLibrary } from './library-page.ts'
import { Lab } from './main/lab.ts'
import { commitOf, describeMachine } from './main/machine.ts'
import {
  MEMORY_FIGURES,
  type MemoryFigureKey,
  type MemoryFindings,
  type MemorySample,
  noMemoryFindings,
} from './memory/figures.ts'
import { measureGrowth } from './memory/growth.ts'
import { type MemoryPlan, memoryPlanOf } from './memory/plan.ts'
import type { BenchOptions } from './question.ts'
import { type Report, resultOf } from './report.ts'

const METHOD: readonly string[] = [
  'Load generator, nats-server and engine share the machine, each in its own process; the engine is started as a user starts it, with default settings and all read models on, on an empty directory.',
  'Events are the steady mix of `bench/simulator/traffic.ts`, encoded beforehand, in batches of 100 over NATS, each acknowledged after the fdatasync. They are sent in pieces, as fast as they are taken; the next piece is sent when the read models hold all but the last one. As fast as the intake alone takes events, the process would be measured with what waits for the read models, and with caches of theirs that are still empty.',
  'Resident memory is VmRSS of `/proc/<pid>/status`, right at full speed: what waits for a collection counts. Anonymous is the part that is no file (RssAnon): heaps, buffers, caches; the rest is Node itself, which other processes share.',
]

/** Measures how memory grows with the number of events. Exit code: 0 all was measured, 1 some wasn't, 130 interrupted. */
export async function benchMemory(options: BenchOptions): Promise<number> {
  const plan = memoryPlanOf(options.quick)
  const lab = new Lab(plan, systemClock, options.say)
  const findings = noMemoryFindings()
  try {
    const measure = () => measureAll(lab, findings)
    const why = await measureWithin(plan.deadlineMs, measure, () => lab.abort(), findings.failures)
    return why === 'signal' ? 130 : present(lab, findings, options)
  } finally {
    await lab.close()
  }
}

async function measureAll(lab: Lab<MemoryPlan>, findings: MemoryFindings): Promise<void> {
  try {
    await lab.record()
    lab.say('memory: while events come in as fast as the read models follow …')
    await measureGrowth(lab, findings)
  } catch (error) {
    if (!lab.aborted) findings.failures.push(error instanceof Error ? error.message : String(error))
  }
}

export function memoryReportOf(
  findings: Pick<MemoryFindings, 'measured'>,
  about: Pick<Report, 'commit' | 'machine'>,
): Report {
  const keys = Object.keys(MEMORY_FIGURES) as readonly MemoryFigureKey[]
  const results = keys.map((key) => resultOf(MEMORY_FIGURES[key], findings.measured.get(key)))
  return { bench: 'memory', ...about, results }
}

const SAMPLES_HEAD = ['events', 'resident MB', 'anonymous MB'] as const

function sampleRow({ events, megabytes, anonymousMegabytes }: MemorySample): readonly number[] {
  return [events, Math.round(megabytes), Math.round(anonymousMegabytes)]
}

function present(lab: Lab<MemoryPlan>, findings: MemoryFindings, options: BenchOptions): number {
  const about = { commit: commitOf(options.root), machine: describeMachine(lab.directory) }
  const { notes, failures, samples } = findings
  const tables = [{ title: 'By number of events', head: SAMPLES_HEAD, rows: samples.map(sampleRow) }]
  const report = memoryReportOf(findings, about)
  return presentLibrary(
    { report, about: 'memory over many events', tables, notes, failures, method: METHOD },
    options,
  )
}
