import { systemClock } from '../engine/clock.ts'
import { measureWithin } from './interruption.ts'
import { CPU_HEAD, type CpuUse, cpuRows } from './main/cpu.ts'
import { EngineDidNotStart } from './main/engine-process.ts'
import { FIGURES, type FigureKey } from './main/figures.ts'
import { type Findings, noFindings } from './main/findings.ts'
import { measureFreshness } from './main/freshness.ts'
import { Lab } from './main/lab.ts'
import { commitOf, describeMachine } from './main/machine.ts'
import { planOf } from './main/plan.ts'
import { measureQueries } from './main/queries.ts'
import { SUSTAINED_HEAD, SWEEP_HEAD, sustainedRows, sweepRows, writeResults } from './main/results-page.ts'
import { measureSustained } from './main/sustained.ts'
import { measureSweep } from './main/sweep.ts'
import { measureBatches, measureSingles } from './main/throughput.ts'
import type { BenchOptions } from './question.ts'
import { type Cell, RESULT_HEAD, type Report, reportLine, resultOf, resultRows, textTable } from './report.ts'

type Part = (lab: Lab, findings: Findings) => Promise<void>

/**
 * By the names that `--only` takes. In this order: those that read come before the backlog of those that fill; the sweep
 * needs the peak that batches find.
 */
const PARTS: readonly (readonly [name: string, about: string, part: Part])[] = [
  ['freshness', 'from publishing to an answer that shows it', measureFreshness],
  ['queries', 'profiles by id while events come in', measureQueries],
  ['sustained', 'highest sustained rate', measureSustained],
  ['batch', 'batches of 100 over NATS', measureBatches],
  ['single', 'one event a message over NATS', measureSingles],
  ['sweep', 'latency by offered rate', measureSweep],
]

/** Measures the main job. Exit code: 0 all figures were measured, 1 some weren't, 130 interrupted. */
export async function benchMain(options: BenchOptions): Promise<number> {
  const plan = planOf(options.quick)
  const lab = new Lab(plan, systemClock, options.say)
  const findings = noFindings()
  try {
    const measure = () => measureAll(lab, findings, options.only)
    const why = await measureWithin(plan.deadlineMs, measure, () => lab.abort(), findings.failures)
    return why === 'signal' ? 130 : present(lab, findings, options)
  } finally {
    await lab.close()
  }
}

async function measureAll(lab: Lab, findings: Findings, only: readonly string[]): Promise<void> {
  try {
    await lab.record()
    for (const [name, about, measure] of PARTS) {
      if (lab.aborted) break
      if (only.length > 0 && !only.includes(name)) continue
      lab.say(`${name}: ${about} …`)
      await measure(lab, findings).catch((error: unknown) => {
        if (error instanceof EngineDidNotStart) throw error
        if (!lab.aborted) findings.failures.push(`${name}: ${messageOf(error)}`)
      })
    }
  } catch (error) {
    if (!lab.aborted) findings.failures.push(messageOf(error))
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function reportOf(findings: Findings, about: Pick<Report, 'commit' | 'machine'>): Report {
  const keys = Object.keys(FIGURES) as readonly FigureKey[]
  const results = keys.map((key) => resultOf(FIGURES[key], findings.measured.get(key)))
  return { bench: 'main', ...about, results }
}

function present(lab: Lab, findings: Findings, options: BenchOptions): number {
  const report = reportOf(findings, {
    commit: commitOf(options.root),
    machine: describeMachine(lab.directory),
  })
  options.print(textOf(report, findings, lab.cpu))
  if (!lab.plan.quick && options.only.length === 0) {
    const day = new Date(systemClock.nowMs()).toISOString().slice(0, 10)
    const written = writeResults({ report, findings, cpu: lab.cpu, day })
    options.print(`written: ${written.join(', ')}`)
  }
  if (options.json) options.print(reportLine(report))
  const missing = options.only.length === 0 && report.results.some(({ value }) => value === null)
  return missing || findings.failures.length > 0 ? 1 : 0
}

function textOf(report: Report, findings: Findings, cpu: readonly CpuUse[]): string {
  const table = (title: string, head: readonly string[], rows: readonly (readonly Cell[])[]): string =>
    rows.length === 0 ? '' : `${title}\n${textTable(head, rows)}`
  const machine = Object.entries(report.machine).map(([name, value]) => `${name} ${value}`)
  return [
    `commit ${report.commit} · ${machine.join(' · ')}`,
    textTable(RESULT_HEAD, resultRows(report.results)),
    findings.notes.join('\n'),
    table('Latency of acknowledgements by offered rate', SWEEP_HEAD, sweepRows(findings.sweep)),
    table('Sustained rates tried', SUSTAINED_HEAD, sustainedRows(findings)),
    table('Where the CPU goes (in cores)', CPU_HEAD, cpuRows(cpu)),
    findings.failures.map((failure) => `failed: ${failure}`).join('\n'),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}
