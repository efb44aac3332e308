import { systemClock } from '../engine/clock.ts'
import { ESDB_FIGURES, type EsdbFigureKey } from './esdb/figures.ts'
import { type EsdbFindings, noEsdbFindings } from './esdb/findings.ts'
import { EsdbLab } from './esdb/lab.ts'
import { measureAdapter, measureBatches, measureFlood, measureReads, measureSingles } from './esdb/parts.ts'
import { esdbPlanOf } from './esdb/plan.ts'
import { presentLibrary, type Table } from './library-page.ts'
import { shown } from './log/findings.ts'
import { median } from './main/findings.ts'
import { commitOf, describeMachine } from './main/machine.ts'
import { measureParts, type Parts } from './parts.ts'
import type { BenchOptions } from './question.ts'
import { type Report, resultOf } from './report.ts'

/** By the names that `--only` takes. */
const PARTS: Parts<EsdbLab, EsdbFindings> = [
  ['single', '1,000 appends of one event in flight', measureSingles],
  ['batch', 'appends of 100 events', measureBatches],
  ['flood', '10,000 appends at once', measureFlood],
  ['read', '$all from its beginning', measureReads],
  ['adapter', 'a log that lies in an EventStoreDB against the client alone', measureAdapter],
]

const ABOUT = "EventStoreDB's protocol, and a log that lies in an EventStoreDB"

const METHOD: readonly string[] = [
  'The official Node client and the server are processes of their own, on the same cores. The engine is the product as a user starts it, with log, keys, read models and audit; everything is durable before it is answered. Before the next turn it comes to rest.',
  'noop is a server of the same protocol on the same gRPC library and messages that stores nothing: it answers appends at once and makes up what is read. What the client gets out of it is the ceiling of the client itself.',
  'Events have 1,024 bytes of JSON, of a type that the catalogue does not know, in 1,000 streams. Contenders take turns within each round, who begins rotates, the first round warms up. Rates are medians over rounds; ratios are ratios of these medians.',
  'The flood is 10,000 appends begun at once by one client; afterwards each one that was answered is looked for in `$all`, which must hold it once.',
  'The adapter appends 20 events at a time to each of 100 streams through the log of `engine/log/eventstore.ts`, and the client alone sends the same events with the same metadata, ready made as the values that it takes for JSON, to the same server, which keeps them in memory. Overhead is the ratio of times per event, less one.',
]

/** Measures EventStoreDB's protocol. Exit code: 0 all figures were measured, 1 some weren't, 130 interrupted. */
export async function benchEsdb(options: BenchOptions): Promise<number> {
  const plan = esdbPlanOf(options.quick)
  const lab = new EsdbLab(plan, systemClock, options.say)
  const findings = noEsdbFindings()
  const { deadlineMs } = plan
  return measureParts(
    { lab, findings, parts: PARTS, deadlineMs, present: () => present(lab, findings, options) },
    options,
  )
}

export function esdbReportOf(findings: EsdbFindings, about: Pick<Report, 'commit' | 'machine'>): Report {
  const keys = Object.keys(ESDB_FIGURES) as readonly EsdbFigureKey[]
  const results = keys.map((key) => resultOf(ESDB_FIGURES[key], findings.measured.get(key)))
  return { bench: 'esdb', ...about, results }
}

function present(lab: EsdbLab, findings: EsdbFindings, options: BenchOptions): number {
  const about = { commit: commitOf(options.root), machine: describeMachine(lab.directory) }
  const report = esdbReportOf(findings, about)
  const { notes, failures } = findings
  const page = { report, about: ABOUT, tables: [contendersOf(findings)], notes, failures, method: METHOD }
  return presentLibrary(page, options)
}

function contendersOf({ contenders }: EsdbFindings): Table {
  const rows = contenders.map(({ what, name, rates }) => {
    const rate = median(rates)
    return [what, name, rate === undefined ? null : Math.round(rate), rates.map(shown).join(' · ')]
  })
  return { title: 'Who was measured', head: ['what', 'who', 'events/s', 'rounds'], rows }
}
