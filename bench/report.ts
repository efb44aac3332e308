/** What a bench promises to measure, and the bound that it is held to. Names are fixed: readers compare runs by them. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly atLeast?: number | undefined
  readonly atMost?: number | undefined
}

/** One measured figure, as it stands in the JSON. */
export interface Result {
  readonly name: string
  /** null: it couldn't be measured. */
  readonly value: number | null
  readonly unit: string
  readonly target: string
  readonly met: boolean
}

export interface Report {
  readonly bench: string
  /** Of the checkout, `+` behind it where files differ from it; `unknown` outside of a checkout. */
  readonly commit: string
  readonly machine: Readonly<Record<string, string | number>>
  readonly results: readonly Result[]
}

export interface Measured {
  readonly value: number
  /** Where something else than what the figure asks for was measured: what, and then the figure isn't met. */
  readonly insteadUnit?: string | undefined
}

export function resultOf(figure: Figure, measured: Measured | undefined): Result {
  const { name } = figure
  const target = targetOf(figure)
  if (measured === undefined) return { name, value: null, unit: figure.unit, target, met: false }
  const unit = measured.insteadUnit ?? figure.unit
  const met = measured.insteadUnit === undefined && meets(figure, measured.value)
  return { name, value: rounded(measured.value), unit, target, met }
}

function targetOf({ atLeast, atMost }: Figure): string {
  if (atLeast !== undefined) return `>= ${atLeast}`
  return atMost === undefined ? 'none' : `<= ${atMost}`
}

function meets({ atLeast, atMost }: Figure, value: number): boolean {
  return (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost)
}

/** Three digits that mean something; whole numbers stay whole. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}

/** The last line of `--json`: one object on one line. */
export function reportLine({ bench, commit, machine, results }: Report): string {
  return JSON.stringify({
    bench,
    commit,
    machine,
    results: results.map(({ name, value, unit, target, met }) => ({ name, value, unit, target, met })),
  })
}

export type Cell = string | number | null

/** Columns aligned for a terminal: numbers to the right. */
export function textTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const shown = rows.map((row) => row.map(showCell))
  const widths = head.map((title, at) => Math.max(title.length, ...shown.map((row) => row[at]?.length ?? 0)))
  const line = (cells: readonly string[], right: (at: number) => boolean): string =>
    cells
      .map((cell, at) => (right(at) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd()
  const numeric = (at: number): boolean => rows.some((row) => typeof row[at] === 'number')
  return [line(head, numeric), ...shown.map((row) => line(row, numeric))].join('\n')
}

export function markdownTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const numeric = head.map((_, at) => rows.some((row) => typeof row[at] === 'number'))
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(head),
    line(numeric.map((right) => (right ? '---:' : '---'))),
    ...rows.map((row) => line(row.map((cell) => showCell(cell).replaceAll('|', '\\|')))),
  ].join('\n')
}

function showCell(cell: Cell): string {
  if (cell === null) return 'not measured'
  return typeof cell === 'number' ? cell.toLocaleString('en-US', { maximumFractionDigits: 3 }) : cell
}

export const RESULT_HEAD = ['figure', 'value', 'unit', 'target', 'met'] as const

export function resultRows(results: readonly Result[]): readonly (readonly Cell[])[] {
  return results.map(({ name, value, unit, target, met }) => [name, value, unit, target, met ? 'yes' : 'NO'])
}
