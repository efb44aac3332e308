import type { FastifyInstance, FastifyReply } from 'fastify'
import { type AuditThread, AuditUnavailable, type SignedTreeHead } from '../../engine/audit/audit.ts'
import { inclusionBundle } from '../../engine/audit/bundle.ts'
import { formatBundle } from '../../engine/audit/verify.ts'
import { checkpointSchema, consistencySchema, keySchema, proofSchema, tileSchema } from '../audit/openapi.ts'
import type { ApiDeps } from '../deps.ts'
import { invalidQuery, Problem } from '../problem.ts'
import { decodeQuery, position, queryPairs, wholeNumber } from './query.ts'

const TEXT = 'text/plain; charset=utf-8'
const BYTES = 'application/octet-stream'
const JSON_TYPE = 'application/json; charset=utf-8'
/** A tile never changes: https://c2sp.org/tlog-tiles asks for long-lived caching. */
const IMMUTABLE = 'private, max-age=31536000, immutable'

const size = wholeNumber(1, Number.MAX_SAFE_INTEGER)

/** Proofs of what the log was: `/v1/audit/`, which is also the prefix of the log in https://c2sp.org/tlog-tiles. */
export function registerAudit(app: FastifyInstance, deps: ApiDeps): void {
  const { audit } = deps
  if (audit === undefined) return
  registerTiles(app, audit)
  registerProofs(app, audit)
}

function registerTiles(app: FastifyInstance, audit: AuditThread): void {
  app.get(
    '/v1/audit/checkpoint',
    { config: { access: 'read' }, schema: checkpointSchema() },
    async (request, reply) => {
      decodeQuery(queryPairs(request.url), {})
      const { note } = signedHead(audit, reply)
      return reply.header('content-type', TEXT).send(note)
    },
  )
  app.get('/v1/audit/key', { config: { access: 'read' }, schema: keySchema() }, async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    if (audit.verifierKey === '') throw unavailable(audit.status().refusal?.message)
    return reply.header('content-type', TEXT).send(`${audit.verifierKey}\n`)
  })
  app.get(
    '/v1/audit/tile/*',
    { config: { access: 'read' }, schema: tileSchema() },
    async (request, reply) => {
      decodeQuery(queryPairs(request.url), {})
      const { '*': path } = request.params as { '*': string }
      const bytes = await answered(() => audit.tile(`tile/${path}`))
      if (bytes === undefined) throw new Problem('not_found', 'The signed tree has no such tile.')
      return reply.headers({ 'content-type': BYTES, 'cache-control': IMMUTABLE }).send(Buffer.from(bytes))
    },
  )
}

function registerProofs(app: FastifyInstance, audit: AuditThread): void {
  const proof = { config: { access: 'read' }, schema: proofSchema() } as const
  app.get('/v1/audit/proof/:position', proof, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), { size })
    const { position: stated } = request.params as { position: string }
    const at = position.decode(stated)
    if (at._tag === 'Left') throw new Problem('not_found', 'There is no event at this position.')
    const found = await answered(() => audit.proveInclusion(at.right, query.size))
    if (found === undefined) throw new Problem('not_found', 'There is no event at this position.')
    const bundle = formatBundle(inclusionBundle(found))
    setPosition(reply, found.treeHead)
    return reply.header('content-type', JSON_TYPE).send(bundle)
  })
  const consistency = { config: { access: 'read' }, schema: consistencySchema() } as const
  app.get('/v1/audit/consistency', consistency, async (request, reply) => {
    const { from, to } = decodeQuery(queryPairs(request.url), { from: size, to: size })
    if (from === undefined)
      throw invalidQuery([{ parameter: 'from', message: 'is missing: the smaller size' }])
    const head = signedHead(audit, reply)
    const until = to ?? head.size
    const path = await answered(() => audit.proveConsistency(from, until))
    const hashes = path.map((hash) => Buffer.from(hash).toString('base64'))
    return { from, to: until, path: hashes, treeHead: head.note }
  })
}

function setPosition(reply: FastifyReply, head: SignedTreeHead): void {
  reply.header('headwater-position', String(head.position))
}

function signedHead(audit: AuditThread, reply: FastifyReply): SignedTreeHead {
  const head = audit.treeHead()
  if (head === undefined) {
    const { refusal } = audit.status()
    if (refusal !== undefined) throw unavailable(refusal.message)
    throw new Problem('not_found', 'No tree head is signed yet: the log is empty, or was a moment ago.')
  }
  setPosition(reply, head)
  return head
}

function unavailable(message: string | undefined): Problem {
  return new Problem('audit_unavailable', message ?? 'The audit has stopped.')
}

async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error
    switch (error.code) {
      case 'size':
        throw invalidQuery([{ parameter: 'size', message: error.message }])
      case 'changed':
        throw new Problem('history_changed', error.message)
      case 'not_signed':
      case 'stopped':
        throw unavailable(error.message)
    }
  }
}
