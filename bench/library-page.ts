import { systemClock } from '../engine/clock.ts'
import type { BenchOptions } from './question.ts'
import {
  type Cell,
  markdownTable,
  RESULT_HEAD,
  type Report,
  reportLine,
  resultRows,
  textTable,
} from './report.ts'
import { sectionHeading, writeSection } from './results-file.ts'

/** What a question of the library benches has to show besides its figures. */
export interface LibraryPage {
  readonly report: Report
  /** UTC day, YYYY-MM-DD. */
  readonly day: string
  /** The heading's words. */
  readonly about: string
  readonly tables: readonly Table[]
  readonly notes: readonly string[]
  readonly failures: readonly string[]
  readonly method: readonly string[]
}

export interface Table {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

/** The question's section of `RESULTS.md`. */
export function librarySection(page: LibraryPage): string {
  const { report } = page
  const bullets = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n')
  const machine = Object.entries(report.machine).map(([name, value]) => [name, String(value)])
  return [
    sectionHeading(report.bench, page.about),
    `Written by \`npm run -s bench -- ${report.bench}\` on ${page.day}, commit ${report.commit}. Run it again rather than believe it.`,
    markdownTable(RESULT_HEAD, resultRows(report.results)),
    bullets([...page.notes, ...page.failures.map((failure) => `**Failed:** ${failure}`)]),
    ...page.tables.flatMap(({ title, head, rows }) =>
      rows.length === 0 ? [] : [`### ${title}`, markdownTable(head, rows)],
    ),
    '### Machine of this run',
    markdownTable(['', ''], machine),
    '### How this was measured',
    bullets(page.method),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

/** The same for a terminal. */
function libraryText(page: LibraryPage): string {
  const { report } = page
  const machine = Object.entries(report.machine).map(([name, value]) => `${name} ${value}`)
  return [
    `commit ${report.commit} · ${machine.join(' · ')}`,
    textTable(RESULT_HEAD, resultRows(report.results)),
    ...page.tables.map(({ title, head, rows }) =>
      rows.length === 0 ? '' : `${title}\n${textTable(head, rows)}`,
    ),
    [...page.notes, ...page.method].join('\n'),
    page.failures.map((failure) => `failed: ${failure}`).join('\n'),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

/**
 * Prints the page and, of a full run in which nothing failed, writes its section. Answers the exit code: 0 where everything
 * that was asked for was measured, met or not.
 */
export function presentLibrary(
  { tables = [], ...about }: Omit<LibraryPage, 'day' | 'tables'> & Partial<Pick<LibraryPage, 'tables'>>,
  options: BenchOptions,
): number {
  const day = new Date(systemClock.nowMs()).toISOString().slice(0, 10)
  const page: LibraryPage = { ...about, tables, day }
  const { report, failures } = page
  const isWhole = options.only.length === 0
  options.print(libraryText(page))
  if (isWhole && !options.quick && failures.length === 0)
    options.print(`written: ${writeSection(import.meta.dirname, report.bench, librarySection(page))}`)
  if (options.json) options.print(reportLine(report))
  const isMissing = isWhole && report.results.some(({ value }) => value === null)
  return isMissing || failures.length > 0 ? 1 : 0
}
