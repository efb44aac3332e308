import { systemClock } from '../engine/clock.ts'
import { presentLibrary, type Table } from './library-page.ts'
import { measureAppends } from './log/appending.ts'
import { LOG_FIGURES, type LogFigureKey } from './log/figures.ts'
import { type LogFindings, noLogFindings } from './log/findings.ts'
import { measureGrowth } from './log/growth.ts'
import { LogLab } from './log/lab.ts'
import { logPlanOf } from './log/plan.ts'
import { measureProofs } from './log/proving.ts'
import { measureReads } from './log/reading.ts'
import { measureSealed } from './log/sealing.ts'
import { measureSingles, measureWriters } from './log/singles.ts'
import { commitOf, describeMachine } from './main/machine.ts'
import { measureParts, type Parts } from './parts.ts'
import type { BenchOptions } from './question.ts'
import { type Report, resultOf } from './report.ts'

/** By the names that `--only` takes. Those with the large log come last: its page cache and memory disturb the others. */
const PARTS: Parts<LogLab, LogFindings> = [
  ['append', 'durable appends of 1,000 events against everybody else', measureAppends],
  ['single', 'one event a commit against the bytes alone', measureSingles],
  ['writers', '64 writers of one event each', measureWriters],
  ['sealed', 'appends with personal parts sealed', measureSealed],
  ['audit', 'proofs and verification', measureProofs],
  ['growth', 'appends to a large log against a small one', measureGrowth],
  ['read', 'reading all, one type, one person', measureReads],
]

const ABOUT = 'the embedded log as a library'

const METHOD: readonly string[] = [
  'The load runs in the process that is measured: this is the library, without network, parsing or read models. Peers with servers of their own have them on loopback, on the same cores.',
  'Events are about 300 bytes as JSON, made beforehand: ids at random, streams of eight events, ten types mixed, one identity each; encoding them counts. The log checks (source, id) against all it holds and what is under way, as the intake does.',
  'Contenders take turns within each round, in rotating order, with the same batches; the first round only warms up. Rates are medians over rounds; those that can have four batches under way do.',
]

/** Measures the log. Exit code: 0 all figures were measured, 1 some weren't, 130 interrupted. */
export async function benchLog(options: BenchOptions): Promise<number> {
  const plan = logPlanOf(options.quick)
  const lab = new LogLab(plan, systemClock, options.say)
  const findings = noLogFindings()
  const { deadlineMs } = plan
  return measureParts(
    { lab, findings, parts: PARTS, deadlineMs, present: () => present(lab, findings, options) },
    options,
  )
}

export function logReportOf(findings: LogFindings, about: Pick<Report, 'commit' | 'machine'>): Report {
  const keys = Object.keys(LOG_FIGURES) as readonly LogFigureKey[]
  const results = keys.map((key) => resultOf(LOG_FIGURES[key], findings.measured.get(key)))
  return { bench: 'log', ...about, results }
}

function present(lab: LogLab, findings: LogFindings, options: BenchOptions): number {
  const about = { commit: commitOf(options.root), machine: describeMachine(lab.directory) }
  const report = logReportOf(findings, about)
  const { notes, failures } = findings
  const page = { report, about: ABOUT, tables: [contendersOf(findings)], notes, failures, method: METHOD }
  return presentLibrary(page, options)
}

function contendersOf({ contenders }: LogFindings): Table {
  const rows = contenders.map(({ name, eventsPerS, about }) => [
    name,
    eventsPerS === null ? null : Math.round(eventsPerS),
    about,
  ])
  return { title: 'Durable append, 1,000 events a commit', head: ['contender', 'events/s', 'how'], rows }
}
