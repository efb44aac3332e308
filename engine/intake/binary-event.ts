import * as E from 'fp-ts/lib/Either.js'
import type { Rejection } from './envelope.ts'
import { parseValue } from './parse.ts'
import type { Incoming } from './result.ts'

/** A message in CloudEvents' binary mode, as a transport hands it over. */
export interface BinaryMessage {
  /** Names in lower case, values as they came; those without the prefix `ce-` are not looked at. */
  readonly headers: Iterable<readonly [name: string, value: string]>
  /** Undoes the transport's percent-encoding, once; undefined where the outcome is not UTF-8. */
  readonly decode: (value: string) => string | undefined
  /** Absent: JSON or MessagePack. */
  readonly contentType: string | undefined
  readonly body: Uint8Array
}

type Attributes = Readonly<Record<string, unknown>>

const PREFIX = 'ce-'
/** The body's place, which no header may take. */
const NO_ATTRIBUTES: ReadonlySet<string> = new Set(['ce-data', 'ce-data_base64'])
const PARSABLE = /^$|\/json$|\+json$|^application\/(?:x-|vnd\.)?msgpack$/

/** The event whose attributes stand in headers and whose data is the body. */
export function readBinaryEvent(message: BinaryMessage): Incoming {
  const attributes = readAttributes(message)
  if (E.isLeft(attributes)) return unparsable(message, attributes.left)
  const data = readData(message)
  if (E.isLeft(data)) return unparsable(message, data.left)
  return { value: { ...attributes.right, ...data.right } }
}

/** What the quarantine keeps of it: half of it stood in the headers. */
function unparsable({ headers, body }: BinaryMessage, rejection: Rejection): Incoming {
  const kept = Object.fromEntries([...headers].filter(([name]) => name.startsWith(PREFIX)))
  const whole = { headers: kept, data_base64: Buffer.from(body).toString('base64') }
  return { unparsable: Buffer.from(JSON.stringify(whole)), ...rejection }
}

function readAttributes({ headers, decode, contentType }: BinaryMessage): E.Either<Rejection, Attributes> {
  const attributes: [string, string][] = []
  for (const [name, value] of headers) {
    if (!name.startsWith(PREFIX) || NO_ATTRIBUTES.has(name)) continue
    const text = decode(value)
    if (text === undefined)
      return E.left({ reason: 'invalid_utf8', message: 'a ce- header is not valid UTF-8' })
    attributes.push([name.slice(PREFIX.length), text])
  }
  if (contentType !== undefined) attributes.push(['datacontenttype', contentType])
  // From entries, so that a header named for a prototype becomes an own property, which the intake refuses.
  return E.right(Object.fromEntries(attributes))
}

/** `data` where it can be understood, `data_base64` where it can't; neither for an empty body. */
function readData({ contentType, body }: BinaryMessage): E.Either<Rejection, Attributes> {
  if (body.length === 0) return E.right({})
  if (!PARSABLE.test(mediaType(contentType))) {
    return E.right({ data_base64: Buffer.from(body).toString('base64') })
  }
  const parsed = parseValue(body)
  return E.isRight(parsed) ? E.right({ data: parsed.right }) : parsed
}

/** Without parameters, in lower case; '' where there is none. */
export function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}
