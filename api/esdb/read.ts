import type { handleServerStreamingCall, ServerWritableStream } from '@grpc/grpc-js'
import * as E from 'fp-ts/lib/Either.js'
import type { EsdbRecord, StreamRead } from './backend.ts'
import { type CallContext, fail, guarded, STOPPING, send, untilOver } from './calls.ts'
import type { CallFailure } from './errors.ts'
import { resolved } from './links.ts'
import { messages } from './protocol.ts'
import { type Asked, type AskedRead, readAsked } from './read-request.ts'
import { subscribe } from './subscribe.ts'
import { eventResponse, sizeBytesOf, streamIdentifier } from './wire.ts'

type Call = ServerWritableStream<messages.ReadReq, messages.ReadResp>

/** Reads of a stream and of `$all`, in both directions, and subscriptions: one method of the protocol. */
export function readHandler(
  context: CallContext,
): handleServerStreamingCall<messages.ReadReq, messages.ReadResp> {
  return async (call) => {
    const denied = context.checkAccess('read', call.metadata)
    if (denied !== undefined) return fail(call, denied)
    const asked = readAsked(call.request)
    if (E.isLeft(asked)) return fail(call, asked.left)
    const over = untilOver(call, context.stopping)
    // The client has gone.
    call.on('error', () => undefined)
    const done = await guarded(context, () => answer(call, context, asked.right, over))
    if (call.cancelled) return
    if (E.isLeft(done)) return fail(call, done.left, 'stream' in asked.right ? asked.right.stream : undefined)
    if (context.stopping.aborted) return fail(call, STOPPING)
    call.end()
  }
}

async function answer(
  call: Call,
  { backend }: CallContext,
  asked: Asked,
  over: AbortSignal,
): Promise<E.Either<CallFailure, void>> {
  switch (asked.kind) {
    case 'read_all':
      return sendAll(call, backend.readAll(asked), { backend, asked, over })
    case 'read_stream':
      return readStream(call, backend, asked, over)
    case 'subscribe_all':
    case 'subscribe_stream':
      return subscribe(backend, asked, over, (response, sizeBytes) => send(call, response, over, sizeBytes))
  }
}

async function readStream(
  call: Call,
  backend: CallContext['backend'],
  asked: Extract<Asked, { kind: 'read_stream' }>,
  over: AbortSignal,
): Promise<E.Either<CallFailure, void>> {
  const { stream, tellsBounds } = asked
  const view = await backend.view(stream)
  switch (view.kind) {
    case 'deleted':
      return E.left({ _tag: 'StreamDeleted' })
    case 'missing':
      await send(call, notFound(stream), over)
      return E.right(undefined)
    case 'visible': {
      const first = tellsBounds === true ? firstBehind(asked, view) : undefined
      if (first !== undefined) await send(call, firstPosition(first), over)
      const done = await sendAll(call, view.read(asked), { backend, asked, over })
      if (tellsBounds === true) await send(call, lastPosition(view.last), over)
      return done
    }
  }
}

/** EventStoreDB reads in pages, and tells where a stream goes on when the first has nothing. */
const PAGE_EVENTS = 32

function firstBehind(
  { direction, from = 0, limit }: StreamRead,
  { first, last }: { readonly first: number; readonly last: number },
): number | undefined {
  if (direction === 'backwards') return undefined
  if (from > last) return from === last + 1 ? undefined : last + 1
  return from + Math.min(PAGE_EVENTS, limit) <= first ? Math.min(first, last + 1) : undefined
}

function firstPosition(revision: number): messages.ReadResp {
  const response = new messages.ReadResp()
  response.setFirstStreamPosition(String(revision))
  return response
}

function lastPosition(revision: number): messages.ReadResp {
  const response = new messages.ReadResp()
  response.setLastStreamPosition(String(revision))
  return response
}

interface Reading {
  readonly backend: CallContext['backend']
  readonly asked: AskedRead
  readonly over: AbortSignal
}

async function sendAll(
  call: Call,
  batches: AsyncIterable<readonly EsdbRecord[]>,
  { backend, asked, over }: Reading,
): Promise<E.Either<CallFailure, void>> {
  for await (const batch of batches) {
    for (const record of batch) {
      const told = asked.resolvesLinks ? await resolved(backend, record) : { event: record }
      await send(call, eventResponse(told, asked.structuredIds), over, sizeBytesOf(told))
      if (over.aborted) return E.right(undefined)
    }
  }
  return E.right(undefined)
}

function notFound(stream: string): messages.ReadResp {
  const missing = new messages.ReadResp.StreamNotFound()
  missing.setStreamIdentifier(streamIdentifier(stream))
  const response = new messages.ReadResp()
  response.setStreamNotFound(missing)
  return response
}
