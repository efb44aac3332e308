import * as E from 'fp-ts/lib/Either.js'
import { Unpackr } from 'msgpackr'
import type { Rejection } from './envelope.ts'
import type { Incoming } from './result.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })
/** Wide integers stay exact: as numbers where they can be, else as big ones, which `inspect` refuses. Its types lack 'auto'. */
const unpackr = Object.assign(new Unpackr({ useRecords: false }), { int64AsType: 'auto' })

/** Of a number that a double might not hold. They are rare, and looking at each number's text is slow. */
const WIDE_DIGITS = 16

/** Whether that many digits stand in a row: one of every so many units is among them then, and no other is looked at. */
export function hasWideNumber(text: string): boolean {
  for (let at = WIDE_DIGITS - 1; at < text.length; at += WIDE_DIGITS) {
    if (!isDigit(text.charCodeAt(at))) continue
    let from = at
    while (from > 0 && isDigit(text.charCodeAt(from - 1))) from -= 1
    let to = at + 1
    while (to < text.length && isDigit(text.charCodeAt(to))) to += 1
    if (to - from >= WIDE_DIGITS) return true
  }
  return false
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39
}

/** An integer that a double would change becomes a big one, which `inspect` refuses: data is kept as it was sent. */
function exactInteger(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context?.source === undefined) return value
  return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value
}

/**
 * The value in a message: JSON, or MessagePack where the first byte is that of a MessagePack map or array (no JSON
 * text begins with one).
 */
export function parseValue(bytes: Uint8Array): E.Either<Rejection, unknown> {
  return isMessagePack(bytes[0]) ? parseMessagePack(bytes) : parseJson(bytes)
}

function isMessagePack(first: number | undefined): boolean {
  return first !== undefined && ((first >= 0x80 && first <= 0x9f) || (first >= 0xdc && first <= 0xdf))
}

function parseJson(bytes: Uint8Array): E.Either<Rejection, unknown> {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return E.left({ reason: 'invalid_utf8', message: 'the body is not valid UTF-8' })
  }
  try {
    return E.right(hasWideNumber(text) ? JSON.parse(text, exactInteger) : JSON.parse(text))
  } catch {
    // The engine's own message quotes the text, which may be personal.
    return E.left({ reason: 'not_json', message: 'the body is not JSON' })
  }
}

function parseMessagePack(bytes: Uint8Array): E.Either<Rejection, unknown> {
  try {
    return E.right(unpackr.unpack(bytes))
  } catch (error) {
    return error instanceof RangeError
      ? E.left({ reason: 'too_deep', message: 'the body is nested too deeply' })
      : E.left({ reason: 'not_json', message: 'the body is neither JSON nor MessagePack' })
  }
}

/** One event or an array of events, as the intake takes them. `id` stands in where an event states none. */
export function incomingOf(bytes: Uint8Array, id: string | undefined): readonly Incoming[] {
  const parsed = parseValue(bytes)
  if (E.isLeft(parsed)) return [{ unparsable: bytes, ...parsed.left }]
  if (!Array.isArray(parsed.right)) return [{ value: parsed.right, fallbackId: id }]
  return parsed.right.map((value: unknown, index) => ({
    value,
    fallbackId: id === undefined ? undefined : `${id}.${index}`,
  }))
}
