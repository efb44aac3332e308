/**
 * Plain data (plain-data.ts) as JSON and back, exactly. What JSON can't say stands as an object with one reserved key:
 * `{"$bytes": base64}`, `{"$number": "-0" | "NaN" | "Infinity" | "-Infinity" | integer}`, an integer that not every reader of JSON
 * keeps (beyond 2^53); an object that looks like one of these itself stands within `{"$object": …}`. Everything else is the JSON
 * that anybody would write.
 */

const BYTES = '$bytes'
const NUMBER = '$number'
const OBJECT = '$object'

export type JsonFields = Readonly<Record<string, unknown>>

/** A deep copy. Handed plain data only. */
export function toExactJson(value: unknown): unknown {
  if (typeof value === 'number') return isExact(value) ? value : { [NUMBER]: numberName(value) }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(toExactJson)
  if (value instanceof Uint8Array) return { [BYTES]: Buffer.from(value).toString('base64') }
  const fields = exactFields(value as JsonFields)
  return isReserved(fields) ? { [OBJECT]: fields } : fields
}

/** Of the outermost fields, which stay fields: nothing is reserved there. */
export function exactFields(fields: JsonFields): JsonFields {
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(fields)) {
    if (fields[key] !== undefined) copy[key] = toExactJson(fields[key])
  }
  return copy
}

export function fromExactJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(fromExactJson)
  const fields = value as JsonFields
  if (!isReserved(fields)) return fieldsOf(fields)
  if (fields[NUMBER] !== undefined) return Number(fields[NUMBER])
  if (fields[BYTES] !== undefined) return new Uint8Array(Buffer.from(String(fields[BYTES]), 'base64'))
  return fieldsOf(fields[OBJECT] as JsonFields)
}

export function fieldsOf(fields: JsonFields): JsonFields {
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(fields)) copy[key] = fromExactJson(fields[key])
  return copy
}

function isExact(value: number): boolean {
  if (Number.isInteger(value)) return Number.isSafeInteger(value) && !Object.is(value, -0)
  return Number.isFinite(value)
}

function numberName(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function isReserved(fields: JsonFields): boolean {
  const keys = Object.keys(fields)
  const [only] = keys
  return keys.length === 1 && (only === BYTES || only === NUMBER || only === OBJECT)
}
