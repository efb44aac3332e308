import { isDeepStrictEqual } from 'node:util'
import type { CellValue, Row } from '../store/table.ts'

/** One value of an entity's rows; a json column that holds an object has one for each member. */
export interface Cell {
  /** Of a row among several of one key; mostly ''. */
  readonly part: string
  readonly column: string
  readonly member: string | undefined
  readonly value: unknown
}

/** Sorts as part, column, member: no name holds the separator. */
export function keyOf({ part, column, member }: Pick<Cell, 'part' | 'column' | 'member'>): string {
  return [part, column, ...(member === undefined ? [] : [member])].join('\0')
}

export function cellsOf(rows: ReadonlyMap<string, Row>): ReadonlyMap<string, Cell> {
  const cells = new Map<string, Cell>()
  const add = (cell: Cell) => cells.set(keyOf(cell), cell)
  for (const [part, row] of rows) {
    for (const [column, value] of Object.entries(row)) {
      if (!isObject(value)) add({ part, column, member: undefined, value })
      else for (const [member, each] of Object.entries(value)) add({ part, column, member, value: each })
    }
  }
  return cells
}

/** A column that isn't there is null; a member that isn't there is none. */
export function isSameValue(a: Cell | undefined, b: Cell | undefined): boolean {
  return isDeepStrictEqual(valueBeside(a, b), valueBeside(b, a))
}

function valueBeside(cell: Cell | undefined, other: Cell | undefined): unknown {
  return cell === undefined && other?.member === undefined ? null : cell?.value
}

function isObject(value: CellValue): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
