import assert from 'node:assert/strict'
import type { CellValue, ColumnType, Row, TableShape } from './table.ts'

/**
 * A cell as both stores keep and compare it: text by code point, numbers by value, null below everything. Booleans
 * are 0 and 1, `json` is its text.
 */
export type Cell = string | number | null

/** Deeper values are refused: the intake bounds what events may hold far below this. */
const MAX_JSON_DEPTH = 100

const DAY_PATTERN = /^\d{4}-\d{2}-\d{2}$/

/** True of a date of the calendar as `YYYY-MM-DD`. */
export function isDay(text: string): boolean {
  if (!DAY_PATTERN.test(text)) return false
  const ms = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text)
}

/** A value that doesn't fit its column is a bug of the projection: it throws. Absent is null. */
export function encodeCell(column: string, type: ColumnType, value: CellValue | undefined): Cell {
  if (value === null || value === undefined) return null
  switch (type) {
    case 'text':
    case 'identity':
      return checkedText(column, value)
    case 'day': {
      const text = checkedText(column, value)
      assert(DAY_PATTERN.test(text), `${column}: a day is YYYY-MM-DD`)
      return text
    }
    case 'integer':
    case 'instant':
    case 'money':
      assert(Number.isSafeInteger(value), `${column}: not a safe integer`)
      return Number(value) + 0
    case 'real':
      assert(Number.isFinite(value), `${column}: not a finite number`)
      return Number(value) + 0
    case 'boolean':
      assert(typeof value === 'boolean', `${column}: not a boolean`)
      return value ? 1 : 0
    case 'json':
      assertJson(column, value, MAX_JSON_DEPTH)
      return JSON.stringify(value)
  }
}

/** Text that a store can give back as it was: SQLite would turn lone surrogates into U+FFFD. */
export function checkedText(name: string, value: unknown): string {
  assert(typeof value === 'string', `${name}: not a text`)
  assert(value.isWellFormed(), `${name}: holds a lone surrogate`)
  return value
}

function assertJson(column: string, value: unknown, depth: number): void {
  assert(depth > 0, `${column}: nested too deeply`)
  if (typeof value === 'number') assert(Number.isFinite(value), `${column}: holds a number that JSON lacks`)
  else if (Array.isArray(value)) for (const element of value) assertJson(column, element, depth - 1)
  else if (typeof value === 'object' && value !== null)
    for (const member of Object.values(value)) assertJson(column, member, depth - 1)
}

export function decodeCell(type: ColumnType, cell: Cell): CellValue {
  if (cell === null) return null
  switch (type) {
    case 'text':
    case 'identity':
    case 'day':
      assert(typeof cell === 'string')
      return cell
    case 'integer':
    case 'instant':
    case 'money':
    case 'real':
      assert(typeof cell === 'number')
      return cell
    case 'boolean':
      assert(cell === 0 || cell === 1)
      return cell === 1
    case 'json':
      assert(typeof cell === 'string')
      return JSON.parse(cell)
  }
}

export type ColumnList = readonly (readonly [name: string, type: ColumnType])[]

export function columnList(shape: TableShape): ColumnList {
  return Object.entries(shape.columns).map(([name, column]) => [name, column.type] as const)
}

/** The cells of a row in the order of `columns`. */
export function encodeRow(columns: ColumnList, row: Row): Cell[] {
  let named = 0
  const cells: Cell[] = []
  for (const [name, type] of columns) {
    const value = row[name]
    if (value !== undefined) named += 1
    cells.push(encodeCell(name, type, value))
  }
  if (named !== Object.keys(row).length) assertColumns(columns, row)
  return cells
}

function assertColumns(columns: ColumnList, row: Row): void {
  const names = new Set(columns.map(([name]) => name))
  assert(
    Object.keys(row).every((name) => names.has(name)),
    'a row names a column that its table lacks',
  )
}

/**
 * An object with these members, all null. One that is given twenty members one after the other becomes a hash table, slow to
 * copy and to write as JSON; a copy of this one only changes its values.
 */
export function blankObject(names: readonly string[]): Readonly<Record<string, null>> {
  return JSON.parse(`{${names.map((name) => `${JSON.stringify(name)}:null`).join()}}`)
}

const blanks = new WeakMap<ColumnList, Row>()

function blankRow(columns: ColumnList): Row {
  const known = blanks.get(columns)
  if (known !== undefined) return known
  const blank = blankObject(columns.map(([name]) => name))
  blanks.set(columns, blank)
  return blank
}

/** `cells[offset]` is the first column's. */
export function decodeRow(columns: ColumnList, cells: readonly Cell[], offset: number): Row {
  const row: Record<string, CellValue> = { ...blankRow(columns) }
  let at = offset
  for (const [name, type] of columns) {
    const cell = cells[at]
    // The message is made only when it is needed: rows are read by the thousand.
    if (cell === undefined) assert.fail(`${name}: missing from the answer`)
    row[name] = decodeCell(type, cell)
    at += 1
  }
  return row
}

/** As SQLite compares: null, then numbers, then texts by their UTF-8 bytes. */
export function compareCells(a: Cell, b: Cell): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null)
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return typeof a === 'number' ? -1 : 1
}

/** By code point, which is the order of UTF-8 bytes; `<` compares UTF-16 units and differs above U+FFFF. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** Moves surrogates above U+E000 … U+FFFF. */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800
  return unit >= 0xd800 ? unit + 0x2000 : unit
}
