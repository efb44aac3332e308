import type { ImportReport } from '../import/run.ts'
import type { Terminal } from './command.ts'

/** The summary of an import, for people on standard error or for programs on standard output. */
export function printReport(
  terminal: Terminal,
  report: ImportReport,
  asJson: boolean,
  reportFile: string | undefined,
  failure?: string,
): void {
  if (asJson) {
    terminal.out(JSON.stringify(failure === undefined ? report : { ...report, failure }))
    return
  }
  for (const line of summaryLines(report)) terminal.err(line)
  printIssues(terminal, report, reportFile)
}

function summaryLines(report: ImportReport): readonly string[] {
  const seconds = report.elapsedMs / 1000
  const rate = seconds > 0 ? `, ${count(Math.round(report.rows / seconds))} rows/s` : ''
  const resumed =
    report.resumedAfterRow === undefined ? '' : `, going on after row ${count(report.resumedAfterRow)}`
  const lines = [
    `${count(report.rows)} rows in ${seconds.toFixed(1)} s${rate}${resumed}`,
    `${count(report.events)} events: ${count(report.appended)} appended, ${count(report.duplicates)} there already, ` +
      `${count(report.quarantined)} quarantined, ${count(report.refused)} refused`,
  ]
  if (report.accepted > 0)
    lines.push(`${count(report.accepted)} events are queued for the engine, which judges them later`)
  if (report.position > 0) lines.push(`the log holds them up to position ${report.position}`)
  return lines
}

function printIssues(terminal: Terminal, report: ImportReport, reportFile: string | undefined): void {
  const all = report.refusedRows + report.quarantined + report.refused
  if (all === 0) return
  terminal.err(
    terminal.style.warn(
      `${count(report.refusedRows)} rows refused, ${count(all - report.refusedRows)} events not in the log as they are:`,
    ),
  )
  for (const { kind, line, endLine, id, reason, message } of report.issues) {
    const lines = endLine === undefined ? `line ${line}` : `lines ${line}-${endLine}`
    const what =
      kind === 'row_refused' ? '' : ` event ${id} ${kind === 'event_refused' ? 'refused' : 'quarantined'}:`
    terminal.err(`  ${lines}:${what} ${message} (${reason})`)
  }
  if (all <= report.issues.length) return
  const where =
    reportFile === undefined ? 'name a file with --report to have them all' : `all are in ${reportFile}`
  terminal.err(`  … and ${count(all - report.issues.length)} more; ${where}`)
}

/** Digits in groups, whatever the machine's language. */
export function count(number: number): string {
  return number.toLocaleString('en-US')
}
