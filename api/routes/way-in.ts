import assert from 'node:assert/strict'
import type { FastifyRequest } from 'fastify'
import * as E from 'fp-ts/lib/Either.js'
import { isGuarded } from '../../engine/events/guarded.ts'
import type { Incoming, IntakeResult, Refusal } from '../../engine/intake/result.ts'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { NEEDS } from '../security.ts'
import type { DecodingFailure } from './content-encoding.ts'
import { ACCEPTED_ENCODINGS, decodeContent } from './content-encoding.ts'

/** What the ways in over HTTP have in common. */

/** Hands events to the intake and counts their fates; `source` is that of events which name none. */
export type Submit = (
  incoming: readonly Incoming[],
  source: string,
  rights: Rights,
) => Promise<readonly IntakeResult[]>

/** `report`: what a write key alone may do. `decide`: events of guarded types too. */
export type Rights = 'report' | 'decide'

/** Bytes as they came that can't be read, and why. */
export type Unparsable = Extract<Incoming, { readonly unparsable: Uint8Array }>

export function submitter(deps: ApiDeps): Submit {
  const counted = deps.metrics.counter(
    'headwater_http_events_total',
    'Events received over HTTP, by their fate.',
    ['fate'],
  )
  return async (incoming, source, rights) => {
    if (incoming.length === 0) return []
    const results = await submitAllowed(deps, incoming, source, rights)
    for (const result of results) {
      const fate = result.status === 'refused' ? `refused_${result.refusal.code}` : result.status
      counted.inc({ fate })
    }
    return results
  }
}

/** The others go in as if those that aren't allowed weren't there. */
async function submitAllowed(
  deps: ApiDeps,
  incoming: readonly Incoming[],
  source: string,
  rights: Rights,
): Promise<readonly IntakeResult[]> {
  const context = { defaultSource: source }
  const isAllowed = (one: Incoming) => rights === 'decide' || !('value' in one && isGuarded(one.value))
  if (incoming.every(isAllowed)) return deps.intake.submit(incoming, context)
  const allowed = incoming.filter(isAllowed)
  const taken = allowed.length === 0 ? [] : await deps.intake.submit(allowed, context)
  const results = taken.values()
  return incoming.map((one) => {
    const result = isAllowed(one) ? results.next().value : notAllowed(one)
    assert(result !== undefined, 'one result for each event')
    return result
  })
}

/** Not quarantined: whoever may not decide shall not leave decisions lying about for others to resubmit. */
function notAllowed(incoming: Incoming): IntakeResult {
  const value = 'value' in incoming ? incoming.value : undefined
  const stated = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined
  return { status: 'refused', id: typeof stated === 'string' ? stated : undefined, refusal: NOT_ALLOWED }
}

const NOT_ALLOWED: Refusal = {
  code: 'forbidden',
  message: `An event of this type decides about others. ${NEEDS.admin}`,
}

/** The body without its Content-Encoding, never more than the limit; throws a problem where it is. */
export async function readBody(
  deps: ApiDeps,
  { body, headers }: FastifyRequest,
  limitBytes = deps.configuration.bodyLimitBytes,
): Promise<E.Either<Unparsable, Buffer>> {
  const bytes = body instanceof Buffer ? body : Buffer.alloc(0)
  if (bytes.length > limitBytes) throw new Problem('too_large', 'The body exceeds the limit.')
  const decoded = await decodeContent(bytes, headers['content-encoding'], limitBytes)
  if (E.isRight(decoded)) return decoded
  if (decoded.left._tag !== 'Damaged') throw refusedBody(decoded.left)
  const message = 'the body is not what Content-Encoding says'
  return E.left({ unparsable: bytes, reason: 'not_json', message })
}

function refusedBody(failure: Exclude<DecodingFailure, { _tag: 'Damaged' }>): Problem {
  switch (failure._tag) {
    case 'TooLarge':
      return new Problem('too_large', 'The decompressed body exceeds the limit.')
    case 'UnsupportedEncoding':
      return new Problem('unsupported_encoding', `Use one of ${ACCEPTED_ENCODINGS}, or none.`, {
        headers: { 'accept-encoding': ACCEPTED_ENCODINGS },
      })
  }
}

/** Of what is acknowledged; 0 where nothing is. */
export function lastPosition(results: readonly IntakeResult[]): number {
  let last = 0
  for (const result of results) if (result.status !== 'refused') last = Math.max(last, result.position)
  return last
}

/** The sender is told to drop it (400), and may: we keep it. */
export function unparsableBody(message: string, results: readonly IntakeResult[]): Problem {
  const detail = `${message}; it is kept in quarantine.`
  return new Problem('unparsable_body', detail, { errors: [{ path: '', message }], extensions: { results } })
}

const RETRY_SECONDS = {
  overloaded: '1',
  read_only: '10',
  clock_jumped: '30',
  stopped: '30',
  log_damaged: '60',
} as const

export function problemOfRefusal(refusal: Refusal, results?: readonly IntakeResult[]): Problem {
  const extensions = results === undefined ? {} : { results }
  switch (refusal.code) {
    case 'wrong_expected':
    case 'forbidden':
      return new Problem(refusal.code, refusal.message, { extensions })
    case 'overloaded':
    case 'read_only':
    case 'clock_jumped':
    case 'stopped':
    case 'log_damaged':
      return new Problem(refusal.code, refusal.message, {
        extensions,
        headers: { 'retry-after': RETRY_SECONDS[refusal.code] },
      })
  }
}
