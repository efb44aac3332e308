import { type ClientHttp2Session, connect } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import streams from '@eventstore/db-client/generated/streams_grpc_pb.js'
import { credentials } from '@grpc/grpc-js'
import { messages, shared } from '../../api/esdb/protocol.ts'
import { streamIdentifier, uuidMessage } from '../../api/esdb/wire.ts'

/** Calls that the official client never makes. */

const STREAMS = '/event_store.client.streams.Streams'

/** A client of the service as it is generated. */
export function rawStreams(port: number): InstanceType<typeof streams.StreamsClient> {
  return new streams.StreamsClient(`127.0.0.1:${port}`, credentials.createInsecure())
}

/** The first message of an append. */
export function appendOptions(stream: string): messages.AppendReq {
  const options = new messages.AppendReq.Options()
  options.setStreamIdentifier(streamIdentifier(stream))
  options.setAny(new shared.Empty())
  const request = new messages.AppendReq()
  request.setOptions(options)
  return request
}

export function appendEvent(id: string, data: Uint8Array = Buffer.from('{}')): messages.AppendReq {
  const message = new messages.AppendReq.ProposedMessage()
  message.setId(uuidMessage(id, false))
  message.getMetadataMap().set('type', 'thing.done').set('content-type', 'application/json')
  message.setData(data)
  const request = new messages.AppendReq()
  request.setProposedMessage(message)
  return request
}

/** A part of an append of many; `stream`: absent in later parts. */
export function batchPart(
  correlation: string,
  stream: string | undefined,
  events: readonly { readonly id: string; readonly data: Uint8Array }[],
  isFinal: boolean,
): messages.BatchAppendReq {
  const request = new messages.BatchAppendReq()
  request.setCorrelationId(uuidMessage(correlation, false))
  request.setIsFinal(isFinal)
  if (stream !== undefined) {
    const options = new messages.BatchAppendReq.Options()
    options.setStreamIdentifier(streamIdentifier(stream))
    options.setAny(new shared.Empty())
    request.setOptions(options)
  }
  for (const { id, data } of events) {
    const message = new messages.BatchAppendReq.ProposedMessage()
    message.setId(uuidMessage(id, false))
    message.getMetadataMap().set('type', 'thing.done').set('content-type', 'application/json')
    message.setData(data)
    request.addProposedMessages(message)
  }
  return request
}

/** A gRPC frame: whether it is compressed, the length that it states, and what follows. */
export function frame(body: Uint8Array, { flag = 0, length = body.length } = {}): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(flag, 0)
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, body])
}

export interface RawAnswer {
  /** HTTP's. */
  readonly status: number | undefined
  /** gRPC's; undefined: none was told. */
  readonly grpcStatus: string | undefined
}

/** What a call comes to whose body is these bytes, whatever they are. */
export async function rawCall(
  port: number,
  method: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  /** Whether the connection is cut before the body has ended. */
  leaving: 'end' | 'leave' = 'end',
): Promise<RawAnswer> {
  const session: ClientHttp2Session = connect(`http://127.0.0.1:${port}`)
  session.on('error', () => undefined)
  try {
    return await new Promise((resolve) => {
      let [status, grpcStatus]: [number | undefined, string | undefined] = [undefined, undefined]
      const request = session.request({
        ':method': 'POST',
        ':path': method.startsWith('/') ? method : `${STREAMS}/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      })
      const note = (told: Readonly<Record<string, unknown>>): void => {
        const [http, grpc] = [told[':status'], told['grpc-status']]
        if (typeof http === 'number') status = http
        if (grpc !== undefined) grpcStatus = String(grpc)
      }
      request.on('response', note)
      request.on('trailers', note)
      request.on('error', () => undefined)
      request.on('close', () => resolve({ status, grpcStatus }))
      request.resume()
      if (leaving === 'end') request.end(body)
      else request.write(body, () => setTimeout(() => session.destroy(), 50))
    })
  } finally {
    session.destroy()
  }
}

/** What a server says to bytes that are no HTTP/2, until it hangs up; undefined: it hasn't within a second. */
export function rawBytes(port: number, bytes: Uint8Array): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1')
    let heard = ''
    const late = setTimeout(() => {
      resolve(undefined)
      socket.destroy()
    }, 1_000)
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(late)
      resolve(heard)
    })
    socket.write(bytes)
  })
}
