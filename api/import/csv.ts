import { isUtf8 } from 'node:buffer'
import { pipeline, Readable } from 'node:stream'
import { type CsvError, Parser } from 'csv-parse'
import type { InputFailure, InputFormat, InputItem } from './input-file.ts'

/**
 * CSV as RFC 4180 has it, with a header. A quote inside an unquoted field is data; empty lines are skipped. A row with
 * more or fewer fields than the header is handed out as bad, as is one that isn't UTF-8. A quote at the beginning of
 * a field that nobody closes takes in what follows, up to the next quote or `MAX_RECORD_CHARS`; the bad row then
 * names the lines it covers.
 */

/** An event has at most 1 MiB, so that a row beyond it is a missing quote rather than data. */
const MAX_RECORD_CHARS = 1024 * 1024
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const

/** What the parser hands out: the fields and, as the last one, the line where the record ends. */
type Parsed = readonly string[] | CsvError

/** Where the columns asked for stand in the header. */
interface Layout {
  readonly width: number
  /** -1: an optional column that the file doesn't have. */
  readonly indexes: readonly number[]
}

export async function* readCsv(bytes: Readable, format: InputFormat): AsyncGenerator<InputItem> {
  let layout: Layout | undefined
  let endLine = 0
  const parsing = parseCsv(bytes, format.delimiter ?? ',')
  for await (const parsed of parsing.records) {
    if (parsed instanceof Error) {
      yield errorItem(parsed, endLine + 1, parsing.line())
      return
    }
    const cells = parsed.slice(0, -1)
    const lastLine = Number(parsed.at(-1))
    const line = firstLine(cells, lastLine, endLine)
    endLine = lastLine
    if (layout === undefined) {
      const found = layoutOf(cells, format)
      if ('reason' in found) return yield { _tag: 'Failed', failure: found }
      layout = found
    } else yield rowItem(layout, cells, line, endLine)
  }
  if (layout === undefined) {
    yield {
      _tag: 'Failed',
      failure: { reason: 'no_header', message: 'the file is empty: it has no header line' },
    }
  }
}

/**
 * Latin-1 is one character a byte, so that the parser can't spoil bytes that aren't UTF-8; each field is decoded
 * afterwards, and only where it holds more than ASCII.
 */
function parseCsv(
  bytes: Readable,
  delimiter: string,
): { readonly records: AsyncIterable<Parsed>; readonly line: () => number } {
  const parser = new Parser({
    delimiter,
    encoding: 'latin1',
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: MAX_RECORD_CHARS,
    // Records are typed as lists of text, so that the line travels as one more.
    on_record: (cells, info) => [...cells, String(info.lines)],
    on_skip: (error: CsvError | undefined) => {
      // An error of the stream would overtake rows that wait in its buffer.
      if (error !== undefined) parser.push(error)
      return undefined
    },
  })
  // A failure of the source destroys the parser with it, which is where it is read.
  const records = pipeline(withoutByteOrderMark(bytes), parser, () => {})
  return { records, line: () => parser.info.lines }
}

function withoutByteOrderMark(bytes: Readable): Readable {
  return Readable.from(
    (async function* () {
      let head: Buffer | undefined = Buffer.alloc(0)
      for await (const chunk of bytes as AsyncIterable<Buffer>) {
        if (head === undefined) yield chunk
        else {
          head = Buffer.concat([head, chunk])
          if (head.length < BYTE_ORDER_MARK.length) continue
          yield BYTE_ORDER_MARK.every((byte, i) => head?.[i] === byte) ? head.subarray(3) : head
          head = undefined
        }
      }
      if (head !== undefined && head.length > 0) yield head
    })(),
    { objectMode: false, highWaterMark: 256 * 1024 },
  )
}

/** Blank lines before a record, and line breaks within one, both move its end; only the latter are in its fields. */
function firstLine(cells: readonly string[], lastLine: number, previousEnd: number): number {
  if (lastLine === previousEnd + 1) return lastLine
  let breaks = 0
  for (const cell of cells) breaks += cell.split('\n').length - 1
  return Math.max(lastLine - breaks, 1)
}

function rowItem(layout: Layout, cells: readonly string[], line: number, endLine: number): InputItem {
  if (cells.length !== layout.width) {
    const fields = `${cells.length} field${cells.length === 1 ? '' : 's'}`
    const message = `has ${fields}, the header has ${layout.width}`
    return { _tag: 'BadRow', line, endLine, reason: 'ragged_row', message }
  }
  const decoded: string[] = []
  for (const index of layout.indexes) {
    const cell = index < 0 ? '' : decodeUtf8(cells[index] ?? '')
    if (cell === undefined) {
      return { _tag: 'BadRow', line, endLine, reason: 'invalid_utf8', message: 'is not valid UTF-8' }
    }
    decoded.push(cell)
  }
  return { _tag: 'Row', line, cells: decoded }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII is what is meant
const ASCII = /^[\x00-\x7f]*$/

function decodeUtf8(latin1: string): string | undefined {
  if (ASCII.test(latin1)) return latin1
  const bytes = Buffer.from(latin1, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined
}

function layoutOf(header: readonly string[], format: InputFormat): Layout | InputFailure {
  const names = header.map((name) => decodeUtf8(name)?.trim())
  if (names.some((name) => name === undefined || name.includes('\0'))) {
    return { reason: 'not_utf8', message: 'the header is not UTF-8; convert the file first' }
  }
  const optional = format.optional ?? []
  const wanted = [...format.columns, ...optional]
  const missing = format.columns.filter((column) => !names.includes(column))
  if (missing.length > 0) {
    const message = `the header lacks ${missing.join(', ')}; it has ${names.join(', ')}`
    return { reason: 'missing_column', message }
  }
  const twice = wanted.filter((column) => names.indexOf(column) !== names.lastIndexOf(column))
  if (twice.length > 0) {
    return { reason: 'duplicate_column', message: `the header has ${twice.join(', ')} twice` }
  }
  return { width: header.length, indexes: wanted.map((column) => names.indexOf(column)) }
}

function errorItem(error: CsvError, line: number, endLine: number): InputItem {
  if (error.code === 'CSV_QUOTE_NOT_CLOSED') {
    const message = 'begins a quoted field that is not closed before the end of the file'
    return { _tag: 'BadRow', line, endLine, reason: 'quote_not_closed', message }
  }
  if (error.code === 'CSV_MAX_RECORD_SIZE') {
    const message = `the row that begins on line ${line} has more than ${MAX_RECORD_CHARS} bytes: is a quote left open?`
    return { _tag: 'Failed', failure: { reason: 'record_too_long', message } }
  }
  return {
    _tag: 'Failed',
    failure: { reason: 'not_csv', message: `line ${line} is not CSV (${error.code})` },
  }
}
