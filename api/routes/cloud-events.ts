import type { IncomingHttpHeaders } from 'node:http'
import * as E from 'fp-ts/lib/Either.js'
import type { Rejection } from '../../engine/intake/envelope.ts'
import { parseValue } from '../../engine/intake/parse.ts'
import type { Incoming } from '../../engine/intake/result.ts'

/**
 * CloudEvents 1.0 over HTTP (HTTP Protocol Binding, 3.1 to 3.3). Binary mode is told by its `ce-` headers; everything
 * else is one event or an array of events in the body, whatever Content-Type says: clients mislabel.
 */
export function readEvents(headers: IncomingHttpHeaders, body: Uint8Array): readonly Incoming[] {
  if (isBinaryMode(headers)) return [readBinary(headers, body)]
  const parsed = parseValue(body)
  if (parsed._tag === 'Left') return [{ unparsable: body, ...parsed.left }]
  const value = parsed.right
  return Array.isArray(value) ? value.map((event: unknown) => ({ value: event })) : [{ value }]
}

const PREFIX = 'ce-'

function isBinaryMode(headers: IncomingHttpHeaders): boolean {
  if (mediaType(headers).startsWith('application/cloudevents')) return false
  return ['ce-specversion', 'ce-id', 'ce-type'].some((name) => headers[name] !== undefined)
}

function readBinary(headers: IncomingHttpHeaders, body: Uint8Array): Incoming {
  const attributes = readAttributes(headers)
  const data = attributes._tag === 'Left' ? attributes : readData(headers, body)
  if (attributes._tag === 'Left') return unparsable(headers, body, attributes.left)
  if (data._tag === 'Left') return unparsable(headers, body, data.left)
  return { value: { ...attributes.right, ...data.right } }
}

/** What the quarantine keeps of an event in binary mode: half of it stood in the headers. */
function unparsable(headers: IncomingHttpHeaders, body: Uint8Array, rejection: Rejection): Incoming {
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith(PREFIX)))
  const whole = { headers: kept, data_base64: Buffer.from(body).toString('base64') }
  return { unparsable: Buffer.from(JSON.stringify(whole)), ...rejection }
}

/** The body's place, which no header may take. */
const NO_ATTRIBUTES: ReadonlySet<string> = new Set(['ce-data', 'ce-data_base64'])

type Attributes = Readonly<Record<string, unknown>>

function readAttributes(headers: IncomingHttpHeaders): E.Either<Rejection, Attributes> {
  const attributes: [string, string][] = []
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(PREFIX) || value === undefined || NO_ATTRIBUTES.has(name)) continue
    const text = decodeHeader(Array.isArray(value) ? value.join(', ') : value)
    if (text === undefined)
      return E.left({ reason: 'invalid_utf8', message: 'a ce- header is not valid UTF-8' })
    attributes.push([name.slice(PREFIX.length), text])
  }
  const contentType = headers['content-type']
  if (contentType !== undefined) attributes.push(['datacontenttype', contentType])
  return E.right(Object.fromEntries(attributes))
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Unquotes, then decodes percent signs once (3.1.3.2); undefined where the outcome is not UTF-8. */
export function decodeHeader(raw: string): string | undefined {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(raw)
  const text = quoted === null ? raw : (quoted[1] ?? '').replaceAll(/\\(.)/g, '$1')
  // Node hands headers over as Latin-1, one character a byte, so that this undoes nothing but the escapes.
  const bytes = text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return undefined
  }
}

function mediaType(headers: IncomingHttpHeaders): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

const PARSABLE = /^$|\/json$|\+json$|^application\/(?:x-|vnd\.)?msgpack$/

/** `data` where it can be understood, `data_base64` where it can't; neither for an empty body. */
function readData(headers: IncomingHttpHeaders, body: Uint8Array): E.Either<Rejection, Attributes> {
  if (body.length === 0) return E.right({})
  const type = mediaType(headers)
  if (!PARSABLE.test(type)) return E.right({ data_base64: Buffer.from(body).toString('base64') })
  const parsed = parseValue(body)
  return parsed._tag === 'Right' ? E.right({ data: parsed.right }) : parsed
}
