import { isDay } from '../engine/events/instant.ts'
import type { Column } from '../engine/store/table.ts'
import type { DefinedField } from './definitions.ts'
import { amountAt, type Fields, instantAt, own, scaled, textAt, textOf } from './values.ts'

/**
 * How values of defined fields are read. undefined: absent, or nothing that the field could hold; null: removed; '': blank.
 */

/** What an event says of these fields: in properties of their names, of the object `inside` or of the data itself. */
export function definedWrites(
  defined: readonly DefinedField[],
  event: Fields,
  inside?: string,
): Readonly<Record<string, unknown>> {
  const writes: Record<string, unknown> = {}
  const holder = inside === undefined ? event.data : own(event.data, inside)
  for (const field of defined) {
    const sent = own(holder, field.name)
    if (sent === undefined) continue
    const path = inside === undefined ? field.name : `${inside}.${field.name}`
    const value = sent === null || sent === '' ? sent : asSent(field, sent, event, path)
    if (value !== undefined) writes[field.name] = value
  }
  return writes
}

/** As sent, or as normalising made it. */
function asSent(field: DefinedField, sent: unknown, event: Fields, path: string): unknown {
  switch (field.type) {
    case 'text':
    case 'day':
      return readDefined(field, textAt(event, path))
    case 'instant':
      return instantAt(event, path)
    case 'money':
      return amountAt(event, path)
    case 'integer':
    case 'real':
    case 'boolean':
    case 'json':
      return readDefined(field, sent)
  }
}

/** A stated value as the field holds it. */
export function readDefined({ type, options }: DefinedField, value: unknown): unknown {
  if (value === null || value === '') return value
  switch (type) {
    case 'text':
      return among(textOf(value), options)
    case 'day':
      return typeof value === 'string' && isDay(value) ? value : undefined
    case 'instant':
      return instantAt({ data: { value }, normalised: {} }, 'value')
    case 'money':
      return scaled(value)
    case 'integer':
      return integerOf(value)
    case 'real':
      return numberOf(value)
    case 'boolean':
      return booleanOf(value)
    case 'json':
      return typeof value === 'object' ? value : undefined
  }
}

/** A store would refuse the whole row for a text that it couldn't give back. */
function among(
  text: string | null | undefined,
  options: readonly string[] | undefined,
): string | null | undefined {
  if (text === null || text === undefined || text === '') return text
  if (!text.isWellFormed()) return undefined
  return options === undefined || options.includes(text) ? text : undefined
}

const DECIMAL = /^[+-]?\d{1,300}(?:\.\d{1,300})?$/

/** Files send numbers as text. */
function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && DECIMAL.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

function integerOf(value: unknown): number | undefined {
  const number = numberOf(value)
  return Number.isSafeInteger(number) ? number : undefined
}

function booleanOf(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value
  return value === 'true' ? true : value === 'false' ? false : undefined
}

/** The columns of these fields, named by `prefix` and the field. */
export function definedColumns(
  defined: readonly DefinedField[],
  prefix = '',
): Readonly<Record<string, Column>> {
  return Object.fromEntries(
    defined.map(({ name, type, about }) => [`${prefix}${name}`, { type, about }] as const),
  )
}
