import { type Cell, compareCells } from './cells.ts'
import type { MemoryRow } from './memory-data.ts'
import type { CellReader } from './memory-engine.ts'
import {
  type AggregatePlan,
  DAY_PREFIX_LENGTH,
  type PlannedFigure,
  type PlannedGroup,
} from './plan-aggregate.ts'
import type { Figure } from './query-engine.ts'

type ProfileOf = (identity: string) => string

/** Rows of groups, then figures, in ascending order of the groups. */
export function aggregateRows(
  plan: AggregatePlan,
  rows: readonly MemoryRow[],
  cell: CellReader,
  profileOf: ProfileOf,
): readonly (readonly Figure[])[] {
  const groups = new Map<string, { readonly cells: readonly Cell[]; readonly rows: MemoryRow[] }>()
  if (plan.groups.length === 0) groups.set('[]', { cells: [], rows: [] })
  for (const row of rows) {
    const cells = plan.groups.map((group) => groupCell(group, cell(row, group.column), profileOf))
    const name = JSON.stringify(cells)
    const known = groups.get(name)
    if (known === undefined) groups.set(name, { cells, rows: [row] })
    else known.rows.push(row)
  }
  return [...groups.values()]
    .sort((a, b) => compareTuples(a.cells, b.cells))
    .slice(0, plan.limit)
    .map((group) => [
      ...group.cells,
      ...plan.figures.map((figure) => figureOf(figure, group.rows, cell, profileOf)),
    ])
}

function groupCell({ type, of }: PlannedGroup, cell: Cell, profileOf: ProfileOf): Cell {
  if (typeof cell !== 'string') return cell
  if (of !== undefined) return cell.slice(0, DAY_PREFIX_LENGTH[of])
  return type === 'identity' ? profileOf(cell) : cell
}

function compareTuples(a: readonly Cell[], b: readonly Cell[]): number {
  for (const [i, cell] of a.entries()) {
    const compared = compareCells(cell, b[i] ?? null)
    if (compared !== 0) return compared
  }
  return 0
}

function figureOf(
  figure: PlannedFigure,
  rows: readonly MemoryRow[],
  cell: CellReader,
  profileOf: ProfileOf,
): Figure {
  const { column } = figure
  if (column === undefined) return rows.length
  const cells = rows.map((row) => cell(row, column)).filter((value) => value !== null)
  switch (figure.of) {
    case 'count':
      return cells.length
    case 'count_distinct': {
      const isIdentity = figure.type === 'identity'
      return new Set(cells.map((value) => (isIdentity ? profileOf(String(value)) : value))).size
    }
    case 'sum':
      return sumOf(cells.map(Number), figure.type === 'real')
    case 'min':
      return cells.reduce<Cell>(
        (least, value) => (least === null || compareCells(value, least) < 0 ? value : least),
        null,
      )
    case 'max':
      return cells.reduce<Cell>(
        (most, value) => (most === null || compareCells(value, most) > 0 ? value : most),
        null,
      )
  }
}

function sumOf(numbers: readonly number[], isReal: boolean): Figure {
  if (numbers.length === 0) return null
  if (isReal) return numbers.reduce((sum, number) => sum + number, 0)
  return numbers.reduce((sum, number) => sum + BigInt(number), 0n)
}
