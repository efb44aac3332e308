import type { FastifyInstance } from 'fastify'
import * as t from 'io-ts'
import { isGuarded } from '../../engine/events/guarded.ts'
import { parseValue } from '../../engine/intake/parse.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import { StoreQueryError } from '../../engine/store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { resubmitSchema } from '../openapi-engine.ts'
import { invalidBody, Problem } from '../problem.ts'
import { adminMatcher, NEEDS } from '../security.ts'
import { standing } from './answer.ts'
import { decodeQuery, queryPairs } from './query.ts'
import type { FoundRow, View } from './views.ts'
import { idOf, registerView } from './views.ts'
import { problemOfRefusal } from './way-in.ts'

const QUARANTINE: View = {
  path: '/v1/quarantine',
  projection: 'quarantine',
  tag: 'Governance',
  items: true,
  detail: showKept,
}

/** What the intake refused: the list, each with its body while that is kept, and a second try. */
export function registerQuarantine(app: FastifyInstance, deps: ApiDeps): void {
  registerView(app, deps, QUARANTINE)
  registerResubmit(app, deps)
}

/** The log lacks a message that could name a sender's property; the kept one has it, as long as it is kept. */
async function showKept(deps: ApiDeps, { stored }: FoundRow): Promise<Readonly<Record<string, unknown>>> {
  const kept = await deps.quarantine.open(stored.key)
  return kept === undefined ? { body: null } : { body: showBody(kept.bytes), message: kept.message }
}

/** Parsed where it can be, for whoever corrects it; null where it isn't kept. */
function showBody(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return null
  const parsed = parseValue(bytes)
  if (parsed._tag === 'Right') return { value: parsed.right }
  return { base64: Buffer.from(bytes).toString('base64') }
}

const correction = t.type({ event: t.UnknownRecord })

/** The corrected event, undefined without a body. A bare event must not pass for "as it was". */
function readCorrection(body: unknown): Readonly<Record<string, unknown>> | undefined {
  if (body === undefined || body === null) return undefined
  const decoded = correction.decode(body)
  if (decoded._tag === 'Left') throw invalidBody('/event', 'The body is {"event": {…}}, or empty.')
  if (Object.keys(decoded.right).length > 1)
    throw invalidBody('', 'Nothing may stand beside "event" in the body.')
  return decoded.right.event
}

function registerResubmit(app: FastifyInstance, deps: ApiDeps): void {
  const options = { config: { access: 'write' }, schema: resubmitSchema() } as const
  const mayDecide = adminMatcher(deps.credentials)
  app.post(`${QUARANTINE.path}/:id/resubmit`, options, async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    const corrected = readCorrection(request.body)
    const id = idOf(request)
    if (!mayDecide(request) && (await isGuardedAgain(deps, id, corrected)))
      throw new Problem('forbidden', `An event of this type decides about others. ${NEEDS.admin}`)
    const result = await resubmit(deps, id, corrected)
    if (result.status === 'refused') throw problemOfRefusal(result.refusal, [result])
    const head = deps.log.head()
    standing(reply, { position: result.position, received: head.received })
    return { position: result.position, results: [result] }
  })
}

/** By NATS or both keys a decision may have come that was refused for something else. */
async function isGuardedAgain(deps: ApiDeps, id: string, corrected: unknown | undefined): Promise<boolean> {
  if (corrected !== undefined) return isGuarded(corrected)
  const bytes = (await deps.quarantine.open(id))?.bytes
  const parsed = bytes === undefined ? undefined : parseValue(bytes)
  return parsed?._tag === 'Right' && isGuarded(parsed.right)
}

async function resubmit(deps: ApiDeps, id: string, corrected: unknown | undefined): Promise<IntakeResult> {
  // The log knows of links whose mark beside the body a crash prevented.
  const position = await resubmittedPosition(deps, id)
  if (position !== undefined) throw alreadyResubmitted(position)
  const answer = await deps.quarantine.resubmit(id, corrected)
  switch (answer._tag) {
    case 'Submitted':
      return answer.result
    case 'AlreadyResubmitted':
      await deps.store.waitFor(deps.log.head().position, deps.configuration.afterWaitMs)
      throw alreadyResubmitted(await resubmittedPosition(deps, id))
    case 'NothingKept':
      throw new Problem(
        'not_found',
        'Nothing is kept under this id that can be submitted; correct it in the body.',
      )
  }
}

/** As far as the view knows: a view that is away must not keep anybody from sending. */
async function resubmittedPosition(deps: ApiDeps, id: string): Promise<number | undefined> {
  const { projection } = QUARANTINE
  if (!deps.projections.has(projection)) return undefined
  try {
    const { value } = await deps.store.get([projection], id)
    const position = value.rows.get(projection)?.[0]?.row['resubmitted_position']
    return typeof position === 'number' ? position : undefined
  } catch (error) {
    if (error instanceof StoreQueryError) return undefined
    throw error
  }
}

/** The position is unknown only while the view is behind. */
function alreadyResubmitted(position: number | undefined): Problem {
  if (position === undefined)
    return new Problem('already_resubmitted', 'An event in the log stands for this.')
  const detail = `The event at position ${position} stands for this.`
  return new Problem('already_resubmitted', detail, { extensions: { position } })
}
