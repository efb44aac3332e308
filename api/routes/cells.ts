import * as t from 'io-ts'
import { BoundedCache } from '../../engine/bounded-cache.ts'
import { isDay, localInstant, parseInstant } from '../../engine/events/instant.ts'
import { formatMoney, parseMoney } from '../../engine/events/money.ts'
import { blankObject } from '../../engine/store/cells.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import type { CellValue, Column, ColumnType, Row } from '../../engine/store/table.ts'
import { flag, parsed } from './query.ts'

/** How the values of columns look outside: money as decimal strings, instants in RFC 3339, people as profiles. */

/** A stated amount may not be rounded: a filter that means something else than it says is worse than none. */
const EXACT_AMOUNT = /^-?\d{1,12}(?:\.\d{1,4})?$/

function parseAmount(text: string): number | undefined {
  const amount = EXACT_AMOUNT.test(text) ? parseMoney(text) : undefined
  return amount?._tag === 'Right' ? amount.right : undefined
}

const DAY_MS = 86_400_000

/** Of days lately written, what `Date` writes of their first instant; to work that out takes most of the time. */
const days = new BoundedCache<number, readonly number[]>(2_000)

/**
 * RFC 3339 in UTC with milliseconds, as `Date.toISOString` writes it; `ms` is whole. Made of its characters, it lies in one piece:
 * a text joined of several makes `JSON.stringify` begin again in its slow way, for all that it is writing.
 */
export function formatInstant(ms: number): string {
  const day = Math.floor(ms / DAY_MS)
  const codes = codesOf(day)
  // Years beyond four digits.
  if (codes.length !== 24) return new Date(ms).toISOString()
  const rest = ms - day * DAY_MS
  const hours = Math.floor(rest / 3_600_000)
  const minutes = Math.floor(rest / 60_000) % 60
  const seconds = Math.floor(rest / 1_000) % 60
  const text = [...codes]
  text[11] = digit(hours / 10)
  text[12] = digit(hours)
  text[14] = digit(minutes / 10)
  text[15] = digit(minutes)
  text[17] = digit(seconds / 10)
  text[18] = digit(seconds)
  text[20] = digit(rest / 100)
  text[21] = digit(rest / 10)
  text[22] = digit(rest)
  return String.fromCharCode(...text)
}

/** Of the whole number's last. */
function digit(number: number): number {
  return DIGIT_ZERO + (Math.floor(number) % 10)
}

const DIGIT_ZERO = 48

function codesOf(day: number): readonly number[] {
  const known = days.get(day)
  if (known !== undefined) return known
  const codes = Array.from(new Date(day * DAY_MS).toISOString(), (character) => character.charCodeAt(0))
  days.set(day, codes)
  return codes
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

/** How a table's rows are shown: its columns, and an object with all of them that is copied for each row. */
interface Shown {
  readonly columns: readonly (readonly [name: string, type: ColumnType])[]
  readonly blank: Readonly<Record<string, unknown>>
  readonly blankPart: Readonly<Record<string, unknown>>
}

const shownOf = new WeakMap<object, Shown>()

function shownBy(columns: Readonly<Record<string, Column>>): Shown {
  const known = shownOf.get(columns)
  if (known !== undefined) return known
  const names = Object.keys(columns)
  const shown = {
    columns: Object.entries(columns).map(([name, { type }]) => [name, type] as const),
    blank: blankObject(['id', ...names]),
    blankPart: blankObject(['id', 'part', ...names]),
  }
  shownOf.set(columns, shown)
  return shown
}

/** A row as readers see it: its key is its `id`, and only of rows that are one of several it says which part. */
export function presentRow(
  table: Readonly<Record<string, Column>>,
  { key, part, row }: StoredRow,
  profileOf: ProfileOf,
): Readonly<Record<string, unknown>> {
  const { columns, blank, blankPart } = shownBy(table)
  const shown: Record<string, unknown> = part === '' ? { ...blank } : { ...blankPart, part }
  shown['id'] = key
  for (const [name, type] of columns) shown[name] = presentCell(type, row[name], profileOf)
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
