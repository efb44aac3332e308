import type { IncomingHttpHeaders } from 'node:http'
import { mediaType, readBinaryEvent } from '../../engine/intake/binary-event.ts'
import { incomingOf } from '../../engine/intake/parse.ts'
import type { Incoming } from '../../engine/intake/result.ts'

/**
 * CloudEvents 1.0 over HTTP (HTTP Protocol Binding, 3.1 to 3.3). Binary mode is told by its `ce-` headers; everything
 * else is one event or an array of events in the body, whatever Content-Type says: clients mislabel.
 */
export function readEvents(headers: IncomingHttpHeaders, body: Uint8Array): readonly Incoming[] {
  if (!isBinaryMode(headers)) return incomingOf(body, undefined)
  const contentType = headers['content-type']
  return [readBinaryEvent({ headers: single(headers), decode: decodeHeader, contentType, body })]
}

function isBinaryMode(headers: IncomingHttpHeaders): boolean {
  if (mediaType(headers['content-type']).startsWith('application/cloudevents')) return false
  return ['ce-specversion', 'ce-id', 'ce-type'].some((name) => headers[name] !== undefined)
}

function single(headers: IncomingHttpHeaders): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
  )
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
