import { setImmediate } from 'node:timers/promises'
import type { handleClientStreamingCall, ServerReadableStream } from '@grpc/grpc-js'
import * as E from 'fp-ts/lib/Either.js'
import type { Appended, Expectation, ProposedEvent } from './backend.ts'
import { type CallContext, guarded } from './calls.ts'
import { type CallFailure, callError } from './errors.ts'
import { messages, shared } from './protocol.ts'
import { beginningBytes, heldBytes, TOO_MUCH_UNFINISHED } from './unfinished.ts'
import { appendSizeBytes, expectationOf, invalid, proposedEvent, streamNameOf } from './wire.ts'

type Call = ServerReadableStream<messages.AppendReq, messages.AppendResp>

interface Request {
  readonly stream: string
  readonly expectation: Expectation
  readonly events: readonly ProposedEvent[]
}

/** One append: its options, then its events, each a message. */
export function appendHandler(
  context: CallContext,
): handleClientStreamingCall<messages.AppendReq, messages.AppendResp> {
  return async (call, answer) => {
    const denied = context.checkAccess('write', call.metadata)
    if (denied !== undefined) return answer(callError(denied))
    // A connection that is cut ends reading with an error, and is no defect.
    const onDefect = (error: unknown): void => {
      if (!call.cancelled) context.onDefect(error)
    }
    const request = await guarded({ onDefect }, () => requestOf(call, context))
    // Node's client that cancels ends its messages first and says afterwards that it cancelled. What comes of that at once is
    // waited for; what comes later can't be told from a whole append whose answer nobody wants.
    await setImmediate()
    await setImmediate()
    if (call.cancelled) return
    if (E.isLeft(request)) return answer(callError(request.left))
    const { stream, expectation, events } = request.right
    const done = await guarded<Appended>(context, () => context.backend.append(stream, expectation, events))
    if (E.isRight(done)) return answer(null, success(done.right))
    const { left } = done
    if (left._tag !== 'WrongExpectedVersion') return answer(callError(left, stream))
    answer(null, wrongExpectedVersion(left.current, expectation))
  }
}

async function requestOf(call: Call, context: CallContext): Promise<E.Either<CallFailure, Request>> {
  const { unfinished } = context
  let held = 0
  const hold = (bytes: number): boolean => {
    const isHeld = unfinished.hold(bytes)
    if (isHeld) held += bytes
    return isHeld
  }
  try {
    return await gathered(call, context.maxAppendBytes, hold)
  } finally {
    unfinished.release(held)
  }
}

async function gathered(
  call: Call,
  maxAppendBytes: number,
  hold: (bytes: number) => boolean,
): Promise<E.Either<CallFailure, Request>> {
  let head: Pick<Request, 'stream' | 'expectation'> | undefined
  const events: ProposedEvent[] = []
  let sizeBytes = 0
  for await (const message of received(call)) {
    const proposed = message.getProposedMessage()
    if (head === undefined) {
      const begun = headOf(message.getOptions())
      if (E.isLeft(begun)) return begun
      head = begun.right
      if (!hold(beginningBytes(head.stream))) return E.left(TOO_MUCH_UNFINISHED)
    } else {
      if (proposed === undefined) return invalid('every message of an append after the first is an event')
      const event = proposedEvent(proposed)
      if (E.isLeft(event)) return event
      sizeBytes += appendSizeBytes(event.right)
      if (sizeBytes > maxAppendBytes)
        return E.left({ _tag: 'MaximumAppendSizeExceeded', limitBytes: maxAppendBytes })
      if (!hold(heldBytes(event.right))) return E.left(TOO_MUCH_UNFINISHED)
      events.push(event.right)
    }
  }
  return head === undefined ? invalid('an append without options') : E.right({ ...head, events })
}

function headOf(
  options: messages.AppendReq.Options | undefined,
): E.Either<CallFailure, Pick<Request, 'stream' | 'expectation'>> {
  if (options === undefined) return invalid('the first message of an append states its options')
  const stream = streamNameOf(options.getStreamIdentifier())
  if (E.isLeft(stream)) return stream
  const revision = options.hasRevision() ? options.getRevision() : undefined
  return E.right({ stream: stream.right, expectation: expectationOf(options, revision) })
}

async function* received(call: Call): AsyncGenerator<messages.AppendReq> {
  for await (const message of call) if (message instanceof messages.AppendReq) yield message
}

function success(appended: Appended): messages.AppendResp {
  const done = new messages.AppendResp.Success()
  if (appended === undefined) {
    done.setNoStream(new shared.Empty())
    done.setNoPosition(new shared.Empty())
  } else {
    const position = new messages.AppendResp.Position()
    position.setCommitPosition(String(appended.position))
    position.setPreparePosition(String(appended.position))
    done.setCurrentRevision(String(appended.revision))
    done.setPosition(position)
  }
  const response = new messages.AppendResp()
  response.setSuccess(done)
  return response
}

/** Not an error of the call here: the client makes it one unless it was told not to. */
function wrongExpectedVersion(current: number | undefined, expectation: Expectation): messages.AppendResp {
  const wrong = new messages.AppendResp.WrongExpectedVersion()
  if (current === undefined) wrong.setCurrentNoStream(new shared.Empty())
  else wrong.setCurrentRevision(String(current))
  switch (expectation.kind) {
    case 'any':
      wrong.setExpectedAny(new shared.Empty())
      break
    case 'no_stream':
      wrong.setExpectedNoStream(new shared.Empty())
      break
    case 'stream_exists':
      wrong.setExpectedStreamExists(new shared.Empty())
      break
    case 'revision':
      wrong.setExpectedRevision(String(expectation.revision))
      break
  }
  const response = new messages.AppendResp()
  response.setWrongExpectedVersion(wrong)
  return response
}
