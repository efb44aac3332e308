import assert from 'node:assert/strict'
import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js'
import * as E from 'fp-ts/lib/Either.js'
import type { Appended, Expectation, ProposedEvent } from './backend.ts'
import { type CallContext, fail, guarded, STOPPING, send, untilOver } from './calls.ts'
import { batchError, type CallFailure } from './errors.ts'
import { Gathering } from './gathering.ts'
import { Empty, messages, shared } from './protocol.ts'
import { beginningBytes, heldBytes, TOO_MUCH_UNFINISHED } from './unfinished.ts'
import {
  appendSizeBytes,
  expectationOf,
  proposedEvent,
  streamIdentifier,
  streamNameOf,
  uuidOf,
} from './wire.ts'

type Call = ServerDuplexStream<messages.BatchAppendReq, messages.BatchAppendResp>

/** Under way at a time in one call; more wait in the client. */
const MAX_UNDER_WAY = 2_000
const MAX_UNDER_WAY_BYTES = 16 * 1024 * 1024

interface Batch {
  readonly correlation: shared.UUID
  readonly stream: string
  readonly expectation: Expectation
  /** ms UTC. */
  readonly deadlineMs: number
  readonly events: ProposedEvent[]
  sizeBytes: number
  /** While its last part hasn't come. */
  heldBytes: number
}

/** Any number of appends in one call, each in one or more parts, answered as they are done. */
export function batchAppendHandler(
  context: CallContext,
): handleBidiStreamingCall<messages.BatchAppendReq, messages.BatchAppendResp> {
  return (call) => {
    const batches = new Batches(call, context)
    const over = untilOver(call, context.stopping)
    over.addEventListener('abort', () => {
      batches.forgetUnfinished()
      if (context.stopping.aborted && !call.cancelled) fail(call, STOPPING)
    })
    call.on('data', (request) => {
      assert(request instanceof messages.BatchAppendReq)
      batches.receive(request, over)
    })
    call.on('end', () => batches.end())
    // Each answer that waits for a slow client listens; their number is bounded.
    call.setMaxListeners(0)
    // The client has gone; what is under way goes on.
    call.on('error', () => undefined)
  }
}

class Batches {
  readonly #call: Call
  readonly #context: CallContext
  readonly #gathering = new Gathering()
  readonly #unfinished = new Map<string, Batch>()
  #underWay = 0
  #underWayBytes = 0
  #ended = false

  constructor(call: Call, context: CallContext) {
    this.#call = call
    this.#context = context
  }

  receive(request: messages.BatchAppendReq, over: AbortSignal): void {
    const correlation = request.getCorrelationId() ?? new shared.UUID()
    const key = uuidOf(correlation) ?? ''
    const begun = this.#begin(request, correlation, key)
    const taken = E.isLeft(begun) ? begun : this.#take(request, begun.right)
    if (E.isLeft(taken)) {
      const batch = this.#unfinished.get(key)
      this.#forget(key)
      const stream = request.getOptions()?.getStreamIdentifier() ?? streamIdentifier(batch?.stream ?? '')
      const expectation = batch?.expectation ?? { kind: 'any' }
      void this.#answer(failed(taken.left, expectation), correlation, stream, over)
    } else if (taken.right !== undefined && request.getIsFinal()) {
      this.#forget(key)
      void this.#append(taken.right, over)
    }
  }

  /** The batch that a request opens or goes on with; undefined: one that was answered already. */
  #begin(
    request: messages.BatchAppendReq,
    correlation: shared.UUID,
    key: string,
  ): E.Either<CallFailure, Batch | undefined> {
    const options = request.getOptions()
    if (options === undefined) return E.right(this.#unfinished.get(key))
    const denied = this.#context.checkAccess('write', this.#call.metadata)
    if (denied !== undefined) return E.left(denied)
    const stream = streamNameOf(options.getStreamIdentifier())
    if (E.isLeft(stream)) return stream
    this.#forget(key)
    const heldBytes = request.getIsFinal() ? 0 : beginningBytes(stream.right, correlation.getString())
    if (!this.#context.unfinished.hold(heldBytes)) return E.left(TOO_MUCH_UNFINISHED)
    const revision = options.hasStreamPosition() ? options.getStreamPosition() : undefined
    const batch: Batch = {
      correlation,
      stream: stream.right,
      expectation: expectationOf(options, revision),
      deadlineMs: options.getDeadline()?.toDate().getTime() ?? Number.POSITIVE_INFINITY,
      events: [],
      sizeBytes: 0,
      heldBytes,
    }
    this.#unfinished.set(key, batch)
    return E.right(batch)
  }

  /** It is finished, refused, or begun anew. */
  #forget(key: string): void {
    this.#context.unfinished.release(this.#unfinished.get(key)?.heldBytes ?? 0)
    this.#unfinished.delete(key)
  }

  /** Their last part will never come. */
  forgetUnfinished(): void {
    for (const key of [...this.#unfinished.keys()]) this.#forget(key)
  }

  #take(
    request: messages.BatchAppendReq,
    batch: Batch | undefined,
  ): E.Either<CallFailure, Batch | undefined> {
    if (batch === undefined) return E.right(undefined)
    if (batch.deadlineMs <= this.#context.nowMs()) return E.left({ _tag: 'DeadlineExceeded' })
    const limitBytes = this.#context.maxAppendBytes
    for (const message of request.getProposedMessagesList()) {
      const event = proposedEvent(message)
      if (E.isLeft(event)) return event
      batch.sizeBytes += appendSizeBytes(event.right)
      if (batch.sizeBytes > limitBytes) return E.left({ _tag: 'MaximumAppendSizeExceeded', limitBytes })
      if (!request.getIsFinal()) {
        const bytes = heldBytes(event.right)
        if (!this.#context.unfinished.hold(bytes)) return E.left(TOO_MUCH_UNFINISHED)
        batch.heldBytes += bytes
      }
      batch.events.push(event.right)
    }
    return E.right(batch)
  }

  async #append(batch: Batch, over: AbortSignal): Promise<void> {
    const { stream, expectation, events, correlation, sizeBytes } = batch
    this.#move(1, sizeBytes)
    await this.#gathering.together()
    const done = await guarded<Appended>(this.#context, () =>
      this.#context.backend.append(stream, expectation, events),
    )
    const response = E.isLeft(done) ? failed(done.left, expectation) : succeeded(done.right)
    await this.#answer(response, correlation, streamIdentifier(stream), over)
    this.#move(-1, -sizeBytes)
  }

  async #answer(
    response: messages.BatchAppendResp,
    correlation: shared.UUID,
    stream: shared.StreamIdentifier,
    over: AbortSignal,
  ): Promise<void> {
    response.setCorrelationId(correlation)
    response.setStreamIdentifier(stream)
    await send(this.#call, response, over)
  }

  /** Answers that wait for a slow client count as under way, so it is read no faster than it reads. */
  #move(count: number, bytes: number): void {
    this.#underWay += count
    this.#underWayBytes += bytes
    const full = this.#underWay >= MAX_UNDER_WAY || this.#underWayBytes >= MAX_UNDER_WAY_BYTES
    if (full) this.#call.pause()
    else if (this.#call.isPaused()) this.#call.resume()
    if (this.#ended && this.#underWay === 0) this.#call.end()
  }

  end(): void {
    this.#ended = true
    if (this.#underWay === 0) this.#call.end()
  }
}

function failed(failure: CallFailure, expectation: Expectation): messages.BatchAppendResp {
  const response = new messages.BatchAppendResp()
  response.setError(batchError(failure, expectation))
  return response
}

function succeeded(appended: Appended): messages.BatchAppendResp {
  const done = new messages.BatchAppendResp.Success()
  if (appended === undefined) {
    done.setNoStream(new Empty())
    done.setNoPosition(new Empty())
  } else {
    const position = new shared.AllStreamPosition()
    position.setCommitPosition(String(appended.position))
    position.setPreparePosition(String(appended.position))
    done.setCurrentRevision(String(appended.revision))
    done.setPosition(position)
  }
  const response = new messages.BatchAppendResp()
  response.setSuccess(done)
  return response
}
