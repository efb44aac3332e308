import * as t from 'io-ts'
import { isDay, localInstant, parseInstant } from '../../engine/events/instant.ts'
import { formatMoney, parseMoney } from '../../engine/events/money.ts'
import type { CellValue, Column, ColumnType, Row } from '../../engine/store/table.ts'
import { flag, parsed } from './query.ts'

/** How the values of columns look outside: money as decimal strings, instants in RFC 3339, people as profiles. */

/** A stated amount may not be rounded: a filter that means something else than it says is worse than none. */
const EXACT_AMOUNT = /^-?\d{1,12}(?:\.\d{1,4})?$/

function parseAmount(text: string): number | undefined {
  const amount = EXACT_AMOUNT.test(text) ? parseMoney(text) : undefined
  return amount?._tag === 'Right' ? amount.right : undefined
}

export function formatInstant(ms: number): string {
  return new Date(ms).toISOString()
}

/** RFC 3339 date and time with an offset, or a day for its first instant in UTC. */
function parseInstantOrDay(text: string): number | undefined {
  return isDay(text) ? localInstant(text, 'UTC') : parseInstant(text)
}

function parseNumber(text: string): number | undefined {
  return /^-?\d{1,15}(?:\.\d{1,15})?(?:e[+-]?\d{1,2})?$/i.test(text) ? Number(text) : undefined
}

function parseInteger(text: string): number | undefined {
  const number = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(number) ? number : undefined
}

export const dayCodec = parsed('a day as YYYY-MM-DD', t.string.is, (text) => (isDay(text) ? text : undefined))

/** A column's value as a query parameter writes it. `json` columns can't be written there. */
export const CELL_CODECS: Readonly<
  Record<Exclude<ColumnType, 'json'>, t.Decoder<unknown, string | number | boolean>>
> = {
  text: t.string,
  integer: parsed('a whole number', t.number.is, parseInteger),
  real: parsed('a number', t.number.is, parseNumber),
  boolean: flag,
  instant: parsed('an RFC 3339 instant or a day', t.number.is, parseInstantOrDay),
  day: dayCodec,
  money: parsed('a decimal number with at most 4 places', t.number.is, parseAmount),
  identity: t.string,
}

/** Identity id → the profile that it belongs to. */
export type ProfileOf = (identity: string) => string

export function presentCell(type: ColumnType, value: CellValue | undefined, profileOf: ProfileOf): unknown {
  if (value === null || value === undefined) return null
  switch (type) {
    case 'money':
      return typeof value === 'number' ? formatMoney(value) : value
    case 'instant':
      return typeof value === 'number' ? formatInstant(value) : value
    case 'identity':
      return typeof value === 'string' ? profileOf(value) : value
    case 'text':
    case 'integer':
    case 'real':
    case 'boolean':
    case 'day':
    case 'json':
      return value
  }
}

export function presentRow(
  columns: Readonly<Record<string, Column>>,
  row: Row,
  profileOf: ProfileOf,
): Readonly<Record<string, unknown>> {
  const shown: Record<string, unknown> = {}
  for (const name in columns) {
    const column = columns[name]
    if (column !== undefined) shown[name] = presentCell(column.type, row[name], profileOf)
  }
  return shown
}

const identityColumnsOf = new WeakMap<object, readonly string[]>()

function identityColumns(columns: Readonly<Record<string, Column>>): readonly string[] {
  const known = identityColumnsOf.get(columns)
  if (known !== undefined) return known
  const names = Object.keys(columns).filter((name) => columns[name]?.type === 'identity')
  identityColumnsOf.set(columns, names)
  return names
}

const NOBODY: readonly string[] = []

/** The identities that rows mention, to be resolved in one look-up. */
export function identitiesIn(
  columns: Readonly<Record<string, Column>>,
  rows: readonly Row[],
): readonly string[] {
  const names = identityColumns(columns)
  if (names.length === 0) return NOBODY
  const found = new Set<string>()
  for (const row of rows) {
    for (const name of names) {
      const value = row[name]
      if (typeof value === 'string') found.add(value)
    }
  }
  return [...found]
}
