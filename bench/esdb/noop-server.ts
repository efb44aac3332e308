/**
 * A process that speaks EventStoreDB's protocol and stores nothing: the same gRPC library, messages and services, appends answered
 * at once with rising revisions, reads made up. What a client gets out of it is the client's own ceiling.
 */
import { randomUUID } from 'node:crypto'
import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js'
import { supportedMethods } from '../../api/esdb/features.ts'
import { messages, ServerFeaturesService, StreamsService, shared } from '../../api/esdb/protocol.ts'
import { dataOf, EVENT_TYPE } from './events.ts'

const MAX_MESSAGE_BYTES = 8 * 1024 * 1024
const CREATED = String(BigInt(Date.UTC(2026, 0, 1)) * 10_000n)

let position = 0

const append: handleClientStreamingCall<messages.AppendReq, messages.AppendResp> = (call, answer) => {
  call.on('data', () => undefined)
  call.on('end', () => {
    position++
    const at = new messages.AppendResp.Position()
    at.setCommitPosition(String(position))
    at.setPreparePosition(String(position))
    const done = new messages.AppendResp.Success()
    done.setCurrentRevision(String(position))
    done.setPosition(at)
    const response = new messages.AppendResp()
    response.setSuccess(done)
    answer(null, response)
  })
}

const batchAppend: handleBidiStreamingCall<messages.BatchAppendReq, messages.BatchAppendResp> = (call) => {
  call.on('data', (request: messages.BatchAppendReq) => {
    position += request.getProposedMessagesList().length
    if (!request.getIsFinal()) return
    const at = new shared.AllStreamPosition()
    at.setCommitPosition(String(position))
    at.setPreparePosition(String(position))
    const done = new messages.BatchAppendResp.Success()
    done.setCurrentRevision(String(position))
    done.setPosition(at)
    const response = new messages.BatchAppendResp()
    response.setCorrelationId(request.getCorrelationId())
    response.setStreamIdentifier(request.getOptions()?.getStreamIdentifier())
    response.setSuccess(done)
    call.write(response)
  })
  call.on('end', () => call.end())
  call.on('error', () => undefined)
}

const read: handleServerStreamingCall<messages.ReadReq, messages.ReadResp> = async (call) => {
  const count = Number(call.request.getOptions()?.getCount() ?? 0)
  call.on('error', () => undefined)
  for (let k = 0; k < count && !call.cancelled; k++) {
    if (!call.write(eventOf(k))) await new Promise((resolve) => call.once('drain', resolve))
  }
  call.end()
}

function eventOf(k: number): messages.ReadResp {
  const id = new shared.UUID()
  id.setString(randomUUID())
  const stream = new shared.StreamIdentifier()
  stream.setStreamName(new Uint8Array(Buffer.from(`bench-${k % 1_000}`)))
  const recorded = new messages.ReadResp.ReadEvent.RecordedEvent()
  recorded.setId(id)
  recorded.setStreamIdentifier(stream)
  recorded.setStreamRevision(String(k))
  recorded.setCommitPosition(String(k))
  recorded.setPreparePosition(String(k))
  const properties = recorded.getMetadataMap()
  properties.set('type', EVENT_TYPE)
  properties.set('created', CREATED)
  properties.set('content-type', 'application/json')
  recorded.setData(Buffer.from(JSON.stringify(dataOf(k))))
  const event = new messages.ReadResp.ReadEvent()
  event.setEvent(recorded)
  event.setCommitPosition(String(k))
  const response = new messages.ReadResp()
  response.setEvent(event)
  return response
}

const server = new Server({
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_concurrent_streams': 1_000,
})
server.addService(StreamsService, { append, batchAppend, read })
server.addService(ServerFeaturesService, { getSupportedMethods: supportedMethods })
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  process.send?.(port)
})
process.on('disconnect', () => process.exit())
