import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import type { AppendFailure, Expectation } from './backend.ts'
import { Any, Empty, RpcStatus, shared } from './protocol.ts'

/** Every way in which a call fails. */
export type CallFailure =
  | AppendFailure
  /** Credentials that nobody has; or, where they are somebody's, not those that the call needs. */
  | { readonly _tag: 'Unauthenticated' }
  | { readonly _tag: 'AccessDenied' }
  | { readonly _tag: 'MaximumAppendSizeExceeded'; readonly limitBytes: number }
  | { readonly _tag: 'MetadataMissing'; readonly property: string }
  | { readonly _tag: 'InvalidArgument'; readonly reason: string }
  | { readonly _tag: 'DeadlineExceeded' }
  | { readonly _tag: 'Internal' }

type Answer = Pick<ServiceError, 'code' | 'details' | 'metadata'>

/**
 * Clients tell errors by the trailer `exception`; which there are, and their companions, is the protocol's. `expectation`: of a
 * deletion, which has no other way to say what was expected.
 */
export function callError(failure: CallFailure, stream = '', expectation: Expectation = ANY): Answer {
  switch (failure._tag) {
    case 'Unauthenticated':
      return answer(status.UNAUTHENTICATED, 'Unauthenticated', { exception: 'access-denied' })
    case 'AccessDenied':
      return answer(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' })
    case 'WrongExpectedVersion':
      return wrongVersion(stream, versionOf(expectation), failure.current ?? -1)
    case 'StreamDeleted':
      return answer(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
        exception: 'stream-deleted',
        'stream-name': stream,
      })
    case 'MaximumAppendSizeExceeded': {
      const { limitBytes } = failure
      const trailers = {
        exception: 'maximum-append-size-exceeded',
        'maximum-append-size': String(limitBytes),
      }
      return answer(status.INVALID_ARGUMENT, `Maximum Append Size of ${limitBytes} Exceeded.`, trailers)
    }
    case 'MetadataMissing': {
      const trailers = {
        exception: 'missing-required-metadata-property',
        'required-metadata-properties': 'type,content-type',
      }
      const message = `Required Metadata Property '${failure.property}' is missing`
      return answer(status.INVALID_ARGUMENT, message, trailers)
    }
    case 'Refused':
    case 'InvalidArgument':
      return answer(status.INVALID_ARGUMENT, failure.reason)
    case 'Unavailable':
      return answer(status.UNAVAILABLE, failure.reason)
    case 'DeadlineExceeded':
      return answer(status.DEADLINE_EXCEEDED, 'Deadline Exceeded')
    case 'Internal':
      return answer(status.INTERNAL, 'the server failed')
  }
}

const ANY: Expectation = { kind: 'any' }

function wrongVersion(stream: string, expected: number, actual: number): Answer {
  return answer(
    status.FAILED_PRECONDITION,
    `WrongExpectedVersion. Stream: ${stream}, Expected version: ${expected}, Actual version: ${actual}`,
    {
      exception: 'wrong-expected-version',
      'stream-name': stream,
      'expected-version': String(expected),
      'actual-version': String(actual),
    },
  )
}

/** As the protocol numbers what isn't a revision. */
function versionOf(expectation: Expectation): number {
  switch (expectation.kind) {
    case 'any':
      return -2
    case 'no_stream':
      return -1
    case 'stream_exists':
      return -4
    case 'revision':
      return expectation.revision
  }
}

function answer(code: status, details: string, trailers: Readonly<Record<string, string>> = {}): Answer {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, headerText(value))
  return { code, details, metadata }
}

/** Trailers are ASCII; a stream's name needn't be. */
function headerText(value: string): string {
  return value.replaceAll(/[^ -~]/g, '?')
}

/** The same in a batch append's answer, which ends one append and not the call. */
export function batchError(failure: CallFailure, expectation: Expectation): InstanceType<typeof RpcStatus> {
  switch (failure._tag) {
    case 'WrongExpectedVersion':
      return batchStatus(
        status.ALREADY_EXISTS,
        'WrongExpectedVersion',
        wrongExpectedVersion(failure.current, expectation),
      )
    case 'StreamDeleted':
      // Which stream, the answer itself says.
      return batchStatus(status.NOT_FOUND, 'StreamDeleted', {
        name: 'StreamDeleted',
        bytes: new shared.StreamDeleted().serializeBinary(),
      })
    case 'Unauthenticated':
    case 'AccessDenied':
      return batchStatus(status.PERMISSION_DENIED, 'AccessDenied', {
        name: 'AccessDenied',
        bytes: new shared.AccessDenied().serializeBinary(),
      })
    case 'MaximumAppendSizeExceeded': {
      const details = new shared.MaximumAppendSizeExceeded()
      details.setMaxappendsize(failure.limitBytes)
      const bytes = details.serializeBinary()
      return batchStatus(status.INVALID_ARGUMENT, 'MaximumAppendSizeExceeded', {
        name: 'MaximumAppendSizeExceeded',
        bytes,
      })
    }
    case 'DeadlineExceeded':
      return batchStatus(status.DEADLINE_EXCEEDED, 'Timeout', TIMEOUT)
    case 'Unavailable':
      // Of the details that clients know it is the only one that says: send it again.
      return batchStatus(status.UNAVAILABLE, failure.reason, TIMEOUT)
    case 'Internal':
      // It isn't known what became of it: no refusal, after which nobody would send it again.
      return batchStatus(status.INTERNAL, 'Unknown', {
        name: 'Unknown',
        bytes: new shared.Unknown().serializeBinary(),
      })
    case 'MetadataMissing':
    case 'Refused':
    case 'InvalidArgument': {
      const { code, details: message } = callError(failure)
      const details = new shared.BadRequest()
      details.setMessage(message)
      // The client shows this message only: it knows no details of other kinds.
      return batchStatus(code, message, { name: 'BadRequest', bytes: details.serializeBinary() })
    }
  }
}

interface Details {
  readonly name: string
  readonly bytes: Uint8Array
}

const TIMEOUT: Details = { name: 'Timeout', bytes: new shared.Timeout().serializeBinary() }

function batchStatus(
  code: status,
  message: string,
  { name, bytes }: Details,
): InstanceType<typeof RpcStatus> {
  const details = new Any()
  details.pack(bytes, `event_store.client.${name}`)
  const answered = new RpcStatus()
  answered.setCode(Number(code))
  answered.setMessage(message)
  answered.setDetails(details)
  return answered
}

function wrongExpectedVersion(current: number | undefined, expectation: Expectation): Details {
  const details = new shared.WrongExpectedVersion()
  if (current === undefined) details.setCurrentNoStream(new Empty())
  else details.setCurrentStreamRevision(String(current))
  switch (expectation.kind) {
    case 'any':
      details.setExpectedAny(new Empty())
      break
    case 'no_stream':
      details.setExpectedNoStream(new Empty())
      break
    case 'stream_exists':
      details.setExpectedStreamExists(new Empty())
      break
    case 'revision':
      details.setExpectedStreamPosition(String(expectation.revision))
      break
  }
  return { name: 'WrongExpectedVersion', bytes: details.serializeBinary() }
}
