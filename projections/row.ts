import type { Explanation } from '../engine/reducers/rule.ts'
import type { CellValue, Column, Row } from '../engine/store/table.ts'

/**
 * The row with these values, in the order of the columns; values that no column holds are left out. A blank stays a
 * blank in a column of text and is nothing in the others.
 */
export function rowOf(
  columns: Readonly<Record<string, Column>>,
  values: Readonly<Record<string, CellValue | undefined>>,
): Row {
  const row: Record<string, CellValue> = {}
  for (const name in columns) {
    const value = values[name]
    row[name] = value === undefined || (value === '' && columns[name]?.type !== 'text') ? null : value
  }
  return row
}

/** Explanations of a state's fields that are columns, or members (`traits.plan`) of one. */
export function explainColumns(
  columns: Readonly<Record<string, Column>>,
  explained: Readonly<Record<string, Explanation<unknown> | undefined>>,
): Readonly<Record<string, Explanation<unknown>>> {
  const shown: [string, Explanation<unknown>][] = []
  for (const [name, explanation] of Object.entries(explained)) {
    const column = name.includes('.') ? name.slice(0, name.indexOf('.')) : name
    if (explanation !== undefined && Object.hasOwn(columns, column)) shown.push([name, explanation])
  }
  return Object.fromEntries(shown)
}
