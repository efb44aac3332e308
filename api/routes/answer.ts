import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiDeps } from '../deps.ts'
import { Problem } from '../problem.ts'
import { formatInstant } from './cells.ts'

/** Where an answer stands: the position it holds at, and now(P) there (ms, 0 on an empty log). */
interface Standing {
  readonly position: number
  readonly received: number
}

/** Every read answers `{position, asOf, data, …}`, and its position in a header too. */
export function standing(
  reply: FastifyReply,
  at: Standing,
): { readonly position: number; readonly asOf: string | null } {
  reply.header('headwater-position', String(at.position))
  return { position: at.position, asOf: at.received === 0 ? null : formatInstant(at.received) }
}

/** Waits until the read models hold `after`, so that a writer reads what it wrote; throws a 504 problem else. */
export async function awaitPosition(deps: ApiDeps, after: number | undefined): Promise<void> {
  if (after === undefined || after === 0) return
  if (await deps.store.waitFor(after, deps.configuration.afterWaitMs)) return
  throw notReached(deps, after)
}

export function notReached(deps: ApiDeps, after: number): Problem {
  const detail = `The views haven't reached position ${after} within ${deps.configuration.afterWaitMs} ms.`
  return new Problem('position_not_reached', detail, { headers: { 'retry-after': '1' } })
}

/**
 * A strong ETag over what the answer says. Where it stands is left out: the log's growth alone changes no row, and a
 * 304 tells the newer position in its header.
 */
export function etagOf(data: unknown): string {
  return etagOfJson(JSON.stringify(data))
}

function etagOfJson(json: string): string {
  return `"${hash('sha256', json, 'base64url').slice(0, 27)}"`
}

const JSON_CONTENT_TYPE = 'application/json; charset=utf-8'

/** Answers `{...at, ...content}`, or that the caller has this content. It is written as JSON once, for ETag and body. */
export function sendContent(
  request: FastifyRequest,
  reply: FastifyReply,
  at: ReturnType<typeof standing>,
  content: Readonly<Record<string, unknown>>,
): FastifyReply {
  const json = JSON.stringify(content)
  if (unchanged(request, reply, etagOfJson(json))) return reply.send()
  const head = JSON.stringify(at)
  return reply.header('content-type', JSON_CONTENT_TYPE).send(`${head.slice(0, -1)},${json.slice(1)}`)
}

/** True when the caller has it already; the reply is then a 304 without a body. */
export function unchanged(request: FastifyRequest, reply: FastifyReply, etag: string): boolean {
  reply.header('etag', etag)
  const known = request.headers['if-none-match']
  if (known === undefined) return false
  // RFC 9110, 13.1.2: weak comparison, and * stands for any.
  const matches = known.split(',').some((entry) => [etag, '*'].includes(entry.trim().replace(/^W\//, '')))
  if (matches) reply.code(304)
  return matches
}
