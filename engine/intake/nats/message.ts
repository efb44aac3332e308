import type { MsgHdrs } from 'nats'
import type { Expected } from '../../log/log.ts'
import { readBinaryEvent } from '../binary-event.ts'
import { incomingOf } from '../parse.ts'
import type { Incoming } from '../result.ts'

/** The events of a message; `expectation`: whether its headers say where a stream must stand. */
export function incomingOfMessage(
  data: Uint8Array,
  headers: MsgHdrs | undefined,
  expectation: 'heeded' | 'ignored',
): readonly Incoming[] {
  const id = headers?.get('Nats-Msg-Id') || undefined
  const stated = headers?.get('Nats-Expected-Last-Subject-Sequence') || undefined
  const batch = headers?.has('ce-specversion') ? [binaryCloudEvent(data, headers)] : incomingOf(data, id)
  if (stated === undefined || expectation === 'ignored') return batch
  if (!/^\d{1,16}$/.test(stated) || !Number.isSafeInteger(Number(stated))) {
    return [
      {
        unparsable: data,
        reason: 'invalid_envelope',
        message: 'Nats-Expected-Last-Subject-Sequence is no position',
      },
    ]
  }
  const expected: Expected = { position: Number(stated) }
  return batch.map((incoming) => ('value' in incoming ? { ...incoming, expected } : incoming))
}

/** CloudEvents over NATS 1.0.3, binary mode: attributes in `ce-*` headers, percent-encoded; the payload is `data`. */
function binaryCloudEvent(body: Uint8Array, headers: MsgHdrs): Incoming {
  const named = headers.keys().map((name) => [name.toLowerCase(), headers.get(name)] as const)
  const contentType = named.find(([name]) => name === 'content-type')?.[1]
  return readBinaryEvent({ headers: named, decode: percentDecoded, contentType, body })
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
