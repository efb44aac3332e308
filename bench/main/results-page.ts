import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { markdownTable, RESULT_HEAD, type Report, resultRows, rounded } from '../report.ts'
import { sectionHeading, writeSection } from '../results-file.ts'
import { svgPlot } from '../svg-plot.ts'
import { CPU_HEAD, type CpuUse, cpuRows } from './cpu.ts'
import type { Findings, SweepStep } from './findings.ts'
import { SUSTAINED_RULE } from './sustained.ts'

const PLOT_FILE = 'results-sweep.svg'
const BENCH_DIRECTORY = join(import.meta.dirname, '..')

export interface Page {
  readonly report: Report
  readonly findings: Findings
  readonly cpu: readonly CpuUse[]
  /** UTC day, YYYY-MM-DD. */
  readonly day: string
}

/** This question's section of `RESULTS.md`, and its plot beside the bench. */
export function writeResults(page: Page, directory = BENCH_DIRECTORY): readonly string[] {
  const plot = join(directory, PLOT_FILE)
  writeFileSync(plot, sweepPlot(page.findings.sweep))
  return [writeSection(directory, page.report.bench, resultsMarkdown(page)), plot]
}

export const SWEEP_HEAD = [
  'offered/s',
  'acknowledged/s',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'max ms',
  'unanswered',
  'refused',
] as const

export function sweepRows(steps: readonly SweepStep[]): readonly (readonly number[])[] {
  return steps.map(({ offeredPerS, acknowledgedPerS, latency, unanswered, refused }) => [
    offeredPerS,
    Math.round(acknowledgedPerS),
    rounded(latency.p50),
    rounded(latency.p99),
    rounded(latency.p999),
    rounded(latency.max),
    unanswered,
    refused,
  ])
}

export const SUSTAINED_HEAD = ['offered/s', 'acknowledged/s', 'median lag ms', 'growth ms', 'held'] as const

export function sustainedRows(findings: Findings): readonly (readonly (number | string)[])[] {
  return findings.sustained.map((step) => [
    step.offeredPerS,
    Math.round(step.acknowledgedPerS),
    Math.round(step.medianLagMs),
    Math.round(step.growthMs),
    step.held ? 'yes' : 'no',
  ])
}

const METHOD: readonly string[] = [
  'Load generator, nats-server and engine share the machine, each in its own process; the engine is started as a user starts it, with ' +
    'default settings and all read models on, on an empty directory for each figure; 200,000 events are sent first, so that most of the population is known.',
  'Events are the steady mix of `bench/simulator/traffic.ts`, encoded beforehand into a file, as JSON; batches are JSON arrays of 100. ' +
    'The generator reads and sends them; what that costs stands in its column below.',
  'Every acknowledgement is a PubAck after the fdatasync. Latency counts from the moment the schedule wanted a message sent, also where ' +
    'it could only be sent later (open loop, no coordinated omission), in an HdrHistogram; warm-up is discarded, rates are medians over windows.',
  'Freshness: a number is published into the trait of a known person; the time ends when `GET /v1/profiles/user:…?after=<position of ' +
    'the acknowledgement>` has answered with it. Queries draw among the people that the first 200,000 events make known.',
  SUSTAINED_RULE,
]

export function resultsMarkdown({ report, findings, cpu, day }: Page): string {
  const machine = Object.entries(report.machine).map(([name, value]) => [name, String(value)])
  const section = (title: string, ...parts: readonly string[]): readonly string[] =>
    parts.some((part) => part !== '') ? [`### ${title}`, ...parts.filter((part) => part !== '')] : []
  const bullets = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n')
  return `${[
    sectionHeading(report.bench, 'the main job'),
    `Written by \`npm run -s bench -- ${report.bench}\` on ${day}, commit ${report.commit}. Run it again rather than believe it.`,
    markdownTable(RESULT_HEAD, resultRows(report.results)),
    bullets([...findings.notes, ...findings.failures.map((failure) => `**Failed:** ${failure}`)]),
    ...section('Machine', markdownTable(['', ''], machine)),
    ...section('How it was measured', bullets(METHOD)),
    ...section(
      'Latency of acknowledgements by offered rate',
      `![p50, p99, p99.9 and maximum over the offered rate](${PLOT_FILE})`,
      findings.sweep.length === 0 ? 'Not measured.' : markdownTable(SWEEP_HEAD, sweepRows(findings.sweep)),
    ),
    ...section('Sustained rates tried', tableOf(SUSTAINED_HEAD, sustainedRows(findings))),
    ...section('Where the CPU goes (in cores)', tableOf(CPU_HEAD, cpuRows(cpu))),
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`
}

function tableOf(head: readonly string[], rows: readonly (readonly (number | string)[])[]): string {
  return rows.length === 0 ? '' : markdownTable(head, rows)
}

function sweepPlot(steps: readonly SweepStep[]): string {
  const series = (name: string, of: (step: SweepStep) => number) => ({
    name,
    points: steps.map((step) => [step.offeredPerS, of(step)] as const),
  })
  return svgPlot({
    title: 'Acknowledgement latency by offered rate (batches of 100, open loop)',
    x: { label: 'events offered per second' },
    y: { label: 'milliseconds' },
    series: [
      series('p50', ({ latency }) => latency.p50),
      series('p99', ({ latency }) => latency.p99),
      series('p99.9', ({ latency }) => latency.p999),
      series('max', ({ latency }) => latency.max),
    ],
  })
}
