import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

/** Plain code, apart from everything it checks: no mapping, no reducer, no money type of the project. */

/** The rows of a CSV file by header, with quoted fields as RFC 4180 has them. */
export function readRows(path: string): Record<string, string>[] {
  const bytes = readFileSync(path)
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').replace(/^\uFEFF/, '')
  const [header = [], ...records] = splitRecords(text)
  return records.map((record) => Object.fromEntries(header.map((name, index) => [name, record[index] ?? ''])))
}

function splitRecords(text: string): string[][] {
  const records: string[][] = []
  let record: string[] = []
  let field = ''
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (quoted) {
      if (char !== '"') field += char
      else if (text[at + 1] === '"') field += text[at++]
      else quoted = false
    } else if (char === '"') quoted = true
    else if (char === ',') {
      record.push(field)
      field = ''
    } else if (char === '\n') {
      record.push(field.replace(/\r$/, ''))
      records.push(record)
      record = []
      field = ''
    } else field += char
  }
  if (field !== '' || record.length > 0) records.push([...record, field])
  return records.filter((fields) => fields.length > 1 || fields[0] !== '')
}

/** Millionths, exactly, as a BigInt; enough for every price with up to six decimals. */
export function micros(decimal: string): bigint {
  const match = /^(-?)(\d*)\.?(\d{0,6})$/.exec(decimal.trim())
  if (match === null || decimal.trim() === '') throw new Error(`not a plain decimal: ${decimal}`)
  const [, sign, whole = '', fraction = ''] = match
  const value = BigInt(whole || '0') * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
  return sign === '-' ? -value : value
}

/** Cents, rounded half away from zero. */
export function cents(value: bigint): bigint {
  const half = value < 0n ? -5_000n : 5_000n
  return (value + half) / 10_000n
}

export function addTo<K>(totals: Map<K, bigint>, key: K, amount: bigint): void {
  totals.set(key, (totals.get(key) ?? 0n) + amount)
}

/** A total by string key, as a plain sorted object that a failed comparison prints readably. */
export function asCents(totals: ReadonlyMap<string, bigint>): Record<string, string> {
  return Object.fromEntries(
    [...totals]
      .map(([key, value]) => [key, String(cents(value))] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}
