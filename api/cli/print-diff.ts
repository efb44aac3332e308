import type { Terminal } from './command.ts'
import { printable } from './printable.ts'
import type { Differences, ShownBecause, ShownDiff, ShownRow } from './version-jobs.ts'

/** What would change: a summary of each read model, and a sample of its rows with the events behind them. */
export function printDifferences(terminal: Terminal, { position, diffs }: Differences): void {
  const { style } = terminal
  terminal.out(`Compared at position ${position}.`)
  for (const diff of diffs) {
    terminal.out('')
    terminal.out(`${style.bold(diff.projection)}  ${summary(diff)}`)
    if (diff.from !== diff.to) terminal.out(style.dim(`  ${diff.from} → ${diff.to}`))
    if (diff.newColumns.length > 0) terminal.out(`  new columns: ${diff.newColumns.join(', ')}`)
    if (diff.goneColumns.length > 0) terminal.out(`  columns that go: ${diff.goneColumns.join(', ')}`)
    const columns = Object.entries(diff.columns)
    if (columns.length > 0)
      terminal.out(`  by column: ${columns.map(([name, rows]) => `${name} ${rows}`).join(', ')}`)
    for (const row of diff.sample) printRow(terminal, row)
  }
}

function summary({ rows, added, removed, changed }: ShownDiff): string {
  if (added + removed + changed === 0) return `nothing changes in ${rows.from} rows`
  const parts = [
    [changed, 'changed'],
    [added, 'added'],
    [removed, 'removed'],
  ] as const
  const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
  return `${told.join(', ')} of ${Math.max(rows.from, rows.to)} rows`
}

const SIGNS: Readonly<Record<string, string>> = { added: '+', removed: '-', changed: '~' }

function printRow({ out, style }: Terminal, { change, id, part, fields }: ShownRow): void {
  out(`  ${SIGNS[change] ?? '?'} ${printable(id)}${part === '' ? '' : ` ${printable(part)}`}`)
  for (const { column, from, to, because } of fields) {
    out(`      ${column}: ${shown(from)} → ${shown(to)}`)
    for (const line of reasons(because?.from ?? [], 'was')) out(style.dim(`        ${line}`))
    for (const line of reasons(because?.to ?? [], 'becomes')) out(style.dim(`        ${line}`))
  }
}

function reasons(because: readonly ShownBecause[], verb: string): readonly string[] {
  return because.map(
    ({ rule, event, source, position, time }) =>
      `${verb}: ${printable(source)} event ${printable(event)} (position ${position}, ${time}) by ${printable(rule)}`,
  )
}

const LONGEST = 120

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null)
  return printable(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text)
}
