import type { handleUnaryCall } from '@grpc/grpc-js'
import * as E from 'fp-ts/lib/Either.js'
import type { Appended, Expectation } from './backend.ts'
import { type CallContext, guarded } from './calls.ts'
import { type CallFailure, callError } from './errors.ts'
import { messages, shared } from './protocol.ts'
import { expectationOf, invalid, streamNameOf } from './wire.ts'

type Options = messages.DeleteReq.Options | messages.TombstoneReq.Options

interface Request {
  readonly stream: string
  readonly expectation: Expectation
}

/** Hides a stream's events from this protocol's readers; it can be written again. */
export function deleteHandler(
  context: CallContext,
): handleUnaryCall<messages.DeleteReq, messages.DeleteResp> {
  return removal(context, 'delete', (appended) => {
    const response = new messages.DeleteResp()
    if (appended === undefined) response.setNoPosition(new shared.Empty())
    else response.setPosition(placed(new messages.DeleteResp.Position(), appended.position))
    return response
  })
}

/** Ends a stream for this protocol's readers and writers, for ever. */
export function tombstoneHandler(
  context: CallContext,
): handleUnaryCall<messages.TombstoneReq, messages.TombstoneResp> {
  return removal(context, 'tombstone', (appended) => {
    const response = new messages.TombstoneResp()
    if (appended === undefined) response.setNoPosition(new shared.Empty())
    else response.setPosition(placed(new messages.TombstoneResp.Position(), appended.position))
    return response
  })
}

function removal<Req extends { getOptions(): Options | undefined }, Response>(
  context: CallContext,
  way: 'delete' | 'tombstone',
  responseOf: (appended: Appended) => Response,
): handleUnaryCall<Req, Response> {
  return async (call, answer) => {
    const denied = context.checkAccess('write', call.metadata)
    if (denied !== undefined) return answer(callError(denied))
    const request = requestOf(call.request.getOptions())
    if (E.isLeft(request)) return answer(callError(request.left))
    const { stream, expectation } = request.right
    const done = await guarded(context, () => context.backend[way](stream, expectation))
    if (E.isLeft(done)) answer(callError(done.left, stream, expectation))
    else answer(null, responseOf(done.right))
  }
}

function requestOf(options: Options | undefined): E.Either<CallFailure, Request> {
  if (options === undefined) return invalid('a deletion without options')
  const stream = streamNameOf(options.getStreamIdentifier())
  if (E.isLeft(stream)) return stream
  const revision = options.hasRevision() ? options.getRevision() : undefined
  return E.right({ stream: stream.right, expectation: expectationOf(options, revision) })
}

function placed<P extends { setCommitPosition(value: string): P; setPreparePosition(value: string): P }>(
  message: P,
  position: number,
): P {
  return message.setCommitPosition(String(position)).setPreparePosition(String(position))
}
