import type { FastifyReply } from 'fastify'
import { LogDamaged } from '../engine/log/log.ts'
import type { StoreFailure } from '../engine/store/store.ts'

/** One thing that was wrong; `message` never repeats what was sent. */
export interface ProblemDetail {
  /** Name of the query parameter, header or path parameter. */
  readonly parameter?: string | undefined
  /** JSON Pointer into the body. */
  readonly path?: string | undefined
  readonly message: string
}

/** `application/problem+json`, RFC 9457. Thrown by handlers, answered by the error handler. */
export class Problem extends Error {
  readonly status: number
  /** Stable and for programs: the last part of `type`. */
  readonly code: ProblemCode
  readonly errors: readonly ProblemDetail[]
  readonly headers: Readonly<Record<string, string>>
  readonly extensions: Readonly<Record<string, unknown>>
  constructor(code: ProblemCode, detail: string, more: ProblemOptions = {}) {
    super(detail)
    this.name = 'Problem'
    this.code = code
    this.status = PROBLEMS[code].status
    this.errors = more.errors ?? []
    this.headers = more.headers ?? {}
    this.extensions = more.extensions ?? {}
  }
}

interface ProblemOptions {
  readonly errors?: readonly ProblemDetail[] | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly extensions?: Readonly<Record<string, unknown>> | undefined
}

/** Every problem that the api answers: code → status and title. */
export const PROBLEMS = {
  invalid_query: { status: 400, title: 'A query parameter is wrong' },
  invalid_body: { status: 400, title: 'The body is wrong' },
  unparsable_body: { status: 400, title: "The body can't be parsed" },
  bad_request: { status: 400, title: 'The request is malformed' },
  unauthorised: { status: 401, title: 'Credentials are missing or unknown' },
  forbidden: { status: 403, title: "These credentials don't allow this" },
  not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: "This method isn't offered here" },
  wrong_expected: { status: 409, title: 'The stream has moved on' },
  already_resubmitted: { status: 409, title: 'This was resubmitted before' },
  erasure_begun: { status: 409, title: 'The erasure has begun' },
  cannot_unmerge: { status: 409, title: 'There is nothing to take apart' },
  nothing_to_switch: { status: 409, title: 'There is no build to switch to' },
  duplicates_off: { status: 409, title: 'Nobody looks for duplicates here' },
  nothing_to_decide: { status: 409, title: 'There is nothing to decide' },
  cannot_decide: { status: 409, title: "This can't be decided" },
  log_not_empty: { status: 409, title: 'The log holds events already' },
  history_too_large: { status: 422, title: 'There is too much history for one answer' },
  overflow: { status: 422, title: 'A figure is too large' },
  too_large: { status: 413, title: 'The body is too large' },
  unsupported_encoding: { status: 415, title: "The Content-Encoding isn't supported" },
  unsupported_media_type: { status: 415, title: "The Content-Type isn't supported" },
  misdirected: { status: 421, title: "The Host isn't served here" },
  overloaded: { status: 429, title: 'Too much is under way' },
  log_damaged: { status: 500, title: 'A part of the log is damaged' },
  internal: { status: 500, title: 'Something went wrong here' },
  demo_unavailable: { status: 501, title: "The demo company isn't here" },
  audit_unavailable: { status: 503, title: 'Nothing can be proven for now' },
  history_changed: { status: 500, title: "The log isn't what was signed" },
  clock_jumped: { status: 503, title: 'The wall clock jumped' },
  read_only: { status: 503, title: 'Nothing can be written for now' },
  erasure_held_up: { status: 503, title: "The erasure can't be asked for now" },
  stopped: { status: 503, title: 'Writing has stopped' },
  store_unavailable: { status: 503, title: "The read models can't be read" },
  projection_unavailable: { status: 503, title: "The view isn't built yet" },
  position_not_reached: { status: 504, title: "The position wasn't reached in time" },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly title: string }>>

export type ProblemCode = keyof typeof PROBLEMS

export const PROBLEM_CONTENT_TYPE = 'application/problem+json'

export function problemBody(problem: Problem): Readonly<Record<string, unknown>> {
  return {
    type: `urn:headwater:problem:${problem.code}`,
    title: PROBLEMS[problem.code].title,
    status: problem.status,
    detail: problem.message,
    errors: problem.errors,
    ...problem.extensions,
  }
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .header('content-type', PROBLEM_CONTENT_TYPE)
    .send(JSON.stringify(problemBody(problem)))
}

export function invalidQuery(errors: readonly ProblemDetail[]): Problem {
  const names = [...new Set(errors.map((error) => error.parameter ?? 'query'))]
  return new Problem('invalid_query', `Wrong or unknown: ${names.join(', ')}.`, { errors })
}

export function invalidBody(path: string, message: string): Problem {
  return new Problem('invalid_body', message, { errors: [{ path, message }] })
}

/** What a reader is told when the store refuses a query. */
export function problemOfStore(failure: StoreFailure): Problem {
  switch (failure._tag) {
    case 'UnknownProjection':
    case 'NotServing':
      return new Problem('projection_unavailable', `The view ${failure.projection} isn't built yet.`, {
        headers: { 'retry-after': '2' },
      })
    case 'UnknownColumn':
      return invalidQuery([
        { parameter: failure.column, message: `is no column; these are: ${failure.known.join(', ')}` },
      ])
    case 'BadFilter':
      return invalidQuery([{ parameter: failure.column, message: "can't be filtered in this way" }])
    case 'BadCursor':
      return invalidQuery([
        { parameter: 'cursor', message: 'belongs to no earlier answer of the same query' },
      ])
    case 'NotSearchable':
      return invalidQuery([{ parameter: 'q', message: `${failure.projection} has no full-text search` }])
    case 'BadQuery':
      return invalidQuery([{ message: failure.why }])
    case 'Overflow':
      return new Problem(
        'overflow',
        `Too large to be exact: ${failure.figures.join(', ')}. Narrow the query.`,
      )
    case 'Overloaded':
      return new Problem('overloaded', 'Too many queries are under way.', { headers: { 'retry-after': '1' } })
    case 'StoreClosed':
    case 'StoreUnavailable':
      return new Problem('store_unavailable', "The read models can't be read for now.", {
        headers: { 'retry-after': '5' },
      })
  }
}

/** Damage is the operator's to see: it names places, and nobody. */
export function problemOfLog(error: unknown): Problem | undefined {
  if (!(error instanceof LogDamaged)) return undefined
  const { segment, offset, fromPosition, untilPosition } = error
  return new Problem('log_damaged', error.message, {
    extensions: { segment, offset, fromPosition, untilPosition },
  })
}

interface FrameworkError {
  readonly statusCode: number
  readonly code: string
}

function isFrameworkError(error: unknown): error is FrameworkError {
  return (
    error instanceof Error &&
    'statusCode' in error &&
    typeof error.statusCode === 'number' &&
    'code' in error &&
    typeof error.code === 'string'
  )
}

/** What the HTTP framework found wrong, in our words: its own may quote the request. */
export function problemOfFramework(error: unknown): Problem | undefined {
  if (!isFrameworkError(error)) return undefined
  switch (error.statusCode) {
    case 400:
      return new Problem('bad_request', 'The request is malformed.')
    case 404:
      return new Problem('not_found', 'There is nothing at this address.')
    case 413:
      return new Problem('too_large', 'The body exceeds the limit.')
    case 415:
      return new Problem('unsupported_media_type', "This Content-Type isn't supported here.")
    default:
      return undefined
  }
}
