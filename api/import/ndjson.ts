import { isUtf8 } from 'node:buffer'
import type { Readable } from 'node:stream'
import { bracketDepth } from './cells.ts'
import type { InputFormat, InputItem } from './input-file.ts'

/**
 * One JSON object a line. A column is a property, or `a.b` for a property of one; a string is its text, a number its digits
 * as they stand, an array or object its JSON, and `null` is blank like an absent property.
 */

const MAX_LINE_BYTES = 1024 * 1024
const MAX_DEPTH = 64
const NEWLINE = 0x0a

export async function* readNdjson(bytes: Readable, format: InputFormat): AsyncGenerator<InputItem> {
  const required = format.columns
  const columns = [...required, ...(format.optional ?? [])].map((name) => ({ name, path: name.split('.') }))
  let line = 0
  for await (const content of linesOf(bytes)) {
    line++
    if (content === undefined) {
      yield bad(line, 'row_too_long', `has more than ${MAX_LINE_BYTES} bytes`)
      continue
    }
    if (!isUtf8(content)) {
      yield bad(line, 'invalid_utf8', 'is not valid UTF-8')
      continue
    }
    const text = line === 1 ? content.toString('utf8').replace(/^\ufeff/, '') : content.toString('utf8')
    if (text.trim() !== '') yield rowItem(text, line, columns, required)
  }
}

interface NdjsonColumn {
  readonly name: string
  readonly path: readonly string[]
}

function rowItem(
  text: string,
  line: number,
  columns: readonly NdjsonColumn[],
  required: readonly string[],
): InputItem {
  if (bracketDepth(text) > MAX_DEPTH) return bad(line, 'not_json', 'is nested too deeply')
  const object = parseObject(text)
  if (object === undefined) return bad(line, 'not_json', 'is not a JSON object')
  const found = columns.map((column) => cellAt(object, column.path))
  const missing = required.filter((_, i) => found[i] === undefined)
  if (missing.length > 0) return bad(line, 'missing_column', `lacks ${missing.join(', ')}`)
  return { _tag: 'Row', line, cells: found.map((cell) => cell ?? '') }
}

/** Numbers as the text that stood there: a price of 0.10 has two decimals, and a long id more digits than a double. */
class NumberText {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
  toJSON(): number {
    return Number(this.source)
  }
}

type SourceReviver = (
  this: unknown,
  key: string,
  value: unknown,
  context?: { readonly source?: string },
) => unknown

const keepNumbers: SourceReviver = (_key, value, context) =>
  typeof value === 'number' && context?.source !== undefined ? new NumberText(context.source) : value

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text, keepNumbers)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function cellAt(object: object, path: readonly string[]): string | undefined {
  const whole = path.join('.')
  if (Object.hasOwn(object, whole)) return cellText(Reflect.get(object, whole))
  let at: unknown = object
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = Reflect.get(at, key)
  }
  return cellText(at)
}

function cellText(value: unknown): string {
  if (value === null) return ''
  if (typeof value === 'string') return value
  return value instanceof NumberText ? value.source : JSON.stringify(value)
}

/** undefined for a line beyond the limit, which is passed over without being kept. */
async function* linesOf(bytes: Readable): AsyncGenerator<Buffer | undefined> {
  let pieces: Buffer[] = []
  let size = 0
  const take = (): Buffer | undefined => {
    const line = size > MAX_LINE_BYTES ? undefined : Buffer.concat(pieces)
    pieces = []
    size = 0
    return line
  }
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      size += end - start
      if (size <= MAX_LINE_BYTES) pieces.push(chunk.subarray(start, end))
      yield take()
      start = end + 1
    }
    size += chunk.length - start
    if (size <= MAX_LINE_BYTES) pieces.push(chunk.subarray(start))
    else pieces = []
  }
  if (size > 0) yield take()
}

type BadReason = Extract<InputItem, { _tag: 'BadRow' }>['reason']

function bad(line: number, reason: BadReason, message: string): InputItem {
  return { _tag: 'BadRow', line, endLine: line, reason, message }
}
