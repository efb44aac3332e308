import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credentials } from './credentials.ts'
import { Problem } from './problem.ts'

/** Who may call a route. `open`: anybody who can reach the port. */
export type Access = 'open' | 'read' | 'write'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Absent: nobody gets in. */
    access?: Access
    /** Browsers on any site may call it: tracking routes only. */
    cors?: boolean
  }
}

const LOOPBACK_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])
/** An address to listen on, not one to be called by. */
const WILDCARD_ADDRESSES: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]'])

/**
 * Refuses requests whose Host names another site: a page that points its own name at a loopback address (DNS
 * rebinding) would otherwise read everything that the browser's machine may read.
 */
export function hostChecker(options: {
  readonly host: string
  readonly allowedHosts: readonly string[]
}): (host: string | undefined) => void {
  const own = options.host.includes(':') ? `[${options.host}]` : options.host
  const allowed = new Set([...LOOPBACK_NAMES, ...options.allowedHosts.map((name) => name.toLowerCase())])
  if (!WILDCARD_ADDRESSES.has(own)) allowed.add(own.toLowerCase())
  return (host) => {
    const name = host === undefined ? '' : host.toLowerCase().replace(/:\d{0,5}$/, '')
    if (allowed.has(name)) return
    const detail = 'The Host header names no host served here; HEADWATER_ALLOWED_HOSTS can add one.'
    throw new Problem('misdirected', detail)
  }
}

type Presented = { readonly secret: string } | undefined

/** `Bearer <key>`, or for senders `Basic` with the key as user name and any password (Segment's way). */
function presented(header: string | undefined, basicToo: boolean): Presented {
  const match = /^(bearer|basic) +([\x21-\x7e]+) *$/i.exec(header ?? '')
  if (match === null) return undefined
  const [, scheme = '', credentials = ''] = match
  if (scheme.toLowerCase() === 'bearer') return { secret: credentials }
  if (!basicToo) return undefined
  const decoded = Buffer.from(credentials, 'base64').toString('latin1')
  const colon = decoded.indexOf(':')
  return { secret: colon === -1 ? decoded : decoded.slice(0, colon) }
}

const digest = (secret: string): Buffer => createHash('sha256').update(secret).digest()

/**
 * Throws unless the request carries what the route asks for. Comparison is of digests, in constant time: neither
 * the length nor a common prefix of a guess can be measured.
 */
export function accessChecker(
  credentials: Credentials,
): (access: Access | undefined, request: FastifyRequest) => void {
  const expected = { read: digest(credentials.readToken), write: digest(credentials.writeKey) }
  return (access, request) => {
    if (access === 'open') return
    const needed = access ?? 'write'
    const given = presented(request.headers.authorization, needed === 'write')
    if (given === undefined) throw unauthorised(needed, 'No usable Authorization header was sent.')
    const hash = digest(given.secret)
    if (access !== undefined && timingSafeEqual(hash, expected[access])) return
    const other = needed === 'read' ? expected.write : expected.read
    if (timingSafeEqual(hash, other)) throw new Problem('forbidden', NEEDS[needed])
    throw unauthorised(needed, 'The credentials are unknown.')
  }
}

const NEEDS = {
  read: 'This needs the read token; a write key only sends events.',
  write: 'This needs the write key; a read token only reads.',
} as const

function unauthorised(needed: 'read' | 'write', detail: string): Problem {
  const challenge =
    needed === 'write' ? 'Bearer realm="headwater", Basic realm="headwater"' : 'Bearer realm="headwater"'
  return new Problem('unauthorised', detail, { headers: { 'www-authenticate': challenge } })
}

/** Headers that every answer carries. The documentation's pages set a content policy of their own. */
export function setSecurityHeaders(reply: FastifyReply): void {
  reply.headers({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cache-control': 'private, no-cache',
  })
}

/** Any site may send events (the key is public there); none may read, and cookies are never involved. */
export function setCorsHeaders(reply: FastifyReply): void {
  reply.headers({
    'access-control-allow-origin': '*',
    'access-control-expose-headers': 'headwater-position, retry-after',
  })
}

export function setPreflightHeaders(reply: FastifyReply): void {
  reply.headers({
    'access-control-allow-methods': 'POST',
    // The wildcard does not cover Authorization (Fetch standard, CORS-unsafe request-header names).
    'access-control-allow-headers': 'authorization, content-type, content-encoding, *',
    'access-control-max-age': '86400',
  })
}
