/**
 * Theorem: every error of EventStoreDB's client is one of ours: what may pass is tried again, a size or an expectation is told apart,
 * and whatever else is said stays said. Positions are never rounded.
 */
import {
  AccessDeniedError,
  CancelledError,
  DeadlineExceededError,
  ErrorType,
  InvalidArgumentError,
  MaxAppendSizeExceededError,
  StreamDeletedError,
  StreamNotFoundError,
  TimeoutError,
  UnavailableError,
  UnknownError,
  UnsupportedError,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import { Metadata, status } from '@grpc/grpc-js'
import { expect, it } from 'vitest'
import { type ConnectionFailure, causeOf } from '../../engine/log/eventstore/connection.ts'
import { failureOf, safeInteger } from '../../engine/log/eventstore.ts'

const TABLE: Readonly<Record<ErrorType, ConnectionFailure['_tag']>> = {
  [ErrorType.TIMEOUT]: 'Away',
  [ErrorType.DEADLINE_EXCEEDED]: 'Away',
  [ErrorType.UNAVAILABLE]: 'Away',
  [ErrorType.CANCELLED]: 'Away',
  // By what it says; see below.
  [ErrorType.UNKNOWN]: 'Refused',
  [ErrorType.NOT_LEADER]: 'Away',
  [ErrorType.WRONG_EXPECTED_VERSION]: 'WrongExpected',
  // By its class, which has the size; see below.
  [ErrorType.MAXIMUM_APPEND_SIZE_EXCEEDED]: 'Refused',
  [ErrorType.STREAM_NOT_FOUND]: 'Refused',
  [ErrorType.NO_STREAM]: 'Refused',
  [ErrorType.NOT_FOUND]: 'Refused',
  [ErrorType.ACCESS_DENIED]: 'Refused',
  [ErrorType.INVALID_ARGUMENT]: 'Refused',
  [ErrorType.INVALID_TRANSACTION]: 'Refused',
  [ErrorType.STREAM_DELETED]: 'Refused',
  [ErrorType.SCAVENGE_NOT_FOUND]: 'Refused',
  [ErrorType.MISSING_REQUIRED_METADATA_PROPERTY]: 'Refused',
  [ErrorType.PERSISTENT_SUBSCRIPTION_FAILED]: 'Refused',
  [ErrorType.PERSISTENT_SUBSCRIPTION_DOES_NOT_EXIST]: 'Refused',
  [ErrorType.PERSISTENT_SUBSCRIPTION_EXISTS]: 'Refused',
  [ErrorType.PERSISTENT_SUBSCRIPTION_DROPPED]: 'Refused',
  [ErrorType.MAXIMUM_SUBSCRIBERS_REACHED]: 'Refused',
  [ErrorType.USER_NOT_FOUND]: 'Refused',
  [ErrorType.USER_CONFLICT]: 'Refused',
  [ErrorType.UNSUPPORTED]: 'Refused',
}

it.each(Object.entries(TABLE))('%s → %s', (type, tag) => {
  // Whatever class it has: the client tells its errors by their type.
  const error = Object.assign(new UnknownError(undefined, 'said'), { type })
  const failure = failureOf(error)
  expect(failure._tag).toBe(tag)
  expect(causeOf(failure)).toBe('said')
})

it.each([
  [new TimeoutError(), 'Away'],
  [new DeadlineExceededError(), 'Away'],
  [new UnavailableError(), 'Away'],
  [new CancelledError(), 'Away'],
  [new StreamNotFoundError(undefined, 'deal-1'), 'Refused'],
  [new StreamDeletedError(undefined, 'deal-1'), 'Refused'],
  [new AccessDeniedError(), 'Refused'],
  [new InvalidArgumentError('no'), 'Refused'],
  [new UnsupportedError('filters', '21'), 'Refused'],
  [new MaxAppendSizeExceededError(undefined, 77), 'TooLarge'],
  [
    new WrongExpectedVersionError(undefined, { streamName: 'deal-1', expected: 1n, current: 2n }),
    'WrongExpected',
  ],
  [new Error('Failed to discover after 10 attempts.'), 'Away'],
  [new Error('Channel has been shut down'), 'Away'],
  // The client hands gRPC's own on where there is no connection.
  [Object.assign(new Error('14 UNAVAILABLE: No connection established'), { code: 14 }), 'Away'],
  [Object.assign(new Error('13 INTERNAL: Received RST_STREAM'), { code: 13 }), 'Away'],
  [Object.assign(new Error('16 UNAUTHENTICATED'), { code: 16 }), 'Refused'],
  [new Error('a bug'), 'Refused'],
  ['no error at all', 'Refused'],
  // What was answered to an append has lost its status on its way through the client.
  [new UnknownError(undefined, 'Could not recognize the name holds an address'), 'Refused'],
  [new UnknownError(undefined, 'Could not recognize Server Is Busy'), 'Away'],
  [new UnknownError(undefined, 'Could not recognize Server Is Not Ready'), 'Away'],
  [new UnknownError(undefined, 'Could not recognize No leader info available in response'), 'Away'],
  [new UnknownError(), 'Away'],
] as const)('%s → %s', (error, tag) => expect(failureOf(error)._tag).toBe(tag))

const said = (code: status, details = 'said') =>
  new UnknownError(
    Object.assign(new Error(`${code} ${details}`), { code, details, metadata: new Metadata() }),
  )

it.each([
  [status.INVALID_ARGUMENT, 'Refused'],
  [status.FAILED_PRECONDITION, 'Refused'],
  [status.PERMISSION_DENIED, 'Refused'],
  [status.OUT_OF_RANGE, 'Refused'],
  [status.ALREADY_EXISTS, 'Refused'],
  [status.UNIMPLEMENTED, 'Refused'],
  [status.DATA_LOSS, 'Refused'],
  [status.UNKNOWN, 'Away'],
  [status.INTERNAL, 'Away'],
  [status.RESOURCE_EXHAUSTED, 'Away'],
] as const)("gRPC's %i, which the client has no type for → %s", (code, tag) =>
  expect(failureOf(said(code))._tag).toBe(tag),
)

it('tells what was answered to an append from a call that failed', () => {
  const denied = Object.assign(new Error('401'), { code: 16, details: '401', metadata: new Metadata() })
  for (const error of [said(status.UNIMPLEMENTED), new AccessDeniedError(denied), denied, new Error('a bug')])
    expect(failureOf(error)).toMatchObject({ _tag: 'Refused', isOfCall: true })
  for (const error of [new AccessDeniedError(), new UnknownError(undefined, 'Could not recognize no')])
    expect(failureOf(error)).toMatchObject({ _tag: 'Refused', isOfCall: false })
})

it('tells a message that is too large from a server that is busy', () => {
  const large = 'Received message larger than max (20000000 vs. 17825792)'
  expect(failureOf(said(status.RESOURCE_EXHAUSTED, large))._tag).toBe('Refused')
})

it('tells the size that the server takes', () =>
  expect(failureOf(new MaxAppendSizeExceededError(undefined, 77))).toMatchObject({ limitBytes: 77 }))

it('never rounds a position', () => {
  expect(safeInteger(2n ** 53n - 1n)).toBe(Number.MAX_SAFE_INTEGER)
  expect(() => safeInteger(2n ** 53n)).toThrow(/safe integer/)
  expect(() => safeInteger(2n ** 64n - 1n)).toThrow(/safe integer/)
})
