import { hash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credentials } from './credentials.ts'
import { Problem } from './problem.ts'

/**
 * Who may call a route. `open`: anybody who can reach the port. `tracking`: whoever has the write key, which may stand in
 * the body too, so the route itself asks for it (`trackingChecker`). `admin`: whoever has both: a write key may stand in
 * the source of a web page, so it alone must not destroy or decide anything. Whoever has both may `write` too.
 */
export type Access = 'open' | 'read' | 'write' | 'tracking' | 'admin'

/** Where `admin` routes are handed the write key; the read token is in Authorization. */
export const WRITE_KEY_HEADER = 'headwater-write-key'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Absent: nobody gets in. */
    access?: Access
    /** Browsers on any site may call it: tracking routes only. */
    cors?: boolean
    /** Without an Authorization header the key may stand in the query, as `access_token` (RFC 6750, 2.3). */
    accessToken?: boolean
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
  // Most requests of an engine carry the same one.
  let lastAllowed: string | undefined
  return (host) => {
    if (host !== undefined && host === lastAllowed) return
    const name = host === undefined ? '' : host.toLowerCase().replace(/:\d{0,5}$/, '')
    if (allowed.has(name)) {
      lastAllowed = host
      return
    }
    const detail = 'The Host header names no host served here; HEADWATER_ALLOWED_HOSTS can add one.'
    throw new Problem('misdirected', detail)
  }
}

type Presented = { readonly secret: string } | undefined

/** `Bearer <key>`, or for senders `Basic` with the key as user name and any password (Segment's way). */
function presented(header: string | undefined, basicToo: boolean): Presented {
  const { scheme, text } = parsedHeader(header)
  if (scheme === 'bearer') return { secret: text }
  if (scheme === undefined || !basicToo) return undefined
  const colon = text.indexOf(':')
  return { secret: colon === -1 ? text : text.slice(0, colon) }
}

/** The token of `Bearer`, or `user:password` of `Basic`. */
function parsedHeader(header: string | undefined): {
  readonly scheme: 'bearer' | 'basic' | undefined
  readonly text: string
} {
  const match = /^(bearer|basic) +([\x21-\x7e]+) *$/i.exec(header ?? '')
  if (match === null) return { scheme: undefined, text: '' }
  const [, scheme = '', credentials = ''] = match
  if (scheme.toLowerCase() === 'bearer') return { scheme: 'bearer', text: credentials }
  return { scheme: 'basic', text: Buffer.from(credentials, 'base64').toString('latin1') }
}

/**
 * The query's `access_token`; undefined where there is none or more than one. Proxies write addresses to their logs, so
 * it is for senders that can set no header; our own log knows routes, never addresses.
 */
export function accessToken(url: string): string | undefined {
  const mark = url.indexOf('?')
  const stated = mark === -1 ? [] : new URLSearchParams(url.slice(mark + 1)).getAll('access_token')
  return stated.length === 1 && stated[0] !== '' ? stated[0] : undefined
}

const digest = (secret: string): Buffer => hash('sha256', secret, 'buffer')

/**
 * Throws unless the request carries what the route asks for. Comparison is of digests, in constant time: neither
 * the length nor a common prefix of a guess can be measured.
 */
export function accessChecker(
  credentials: Credentials,
): (access: Access | undefined, request: FastifyRequest) => void {
  const expected = digestsOf(credentials)
  const reads = headerMatcher(`Bearer ${credentials.readToken}`)
  return (access, request) => {
    if (access === 'open' || access === 'tracking') return
    // Most requests of an engine: known without taking the header apart and hashing what is in it.
    if (access === 'read' && reads(request.headers.authorization)) return
    if (access === 'admin') {
      const { isRead, isWrite } = bothIn(request, expected)
      if (isRead && isWrite) return
      throw isRead || isWrite ? new Problem('forbidden', NEEDS.admin) : unauthorised('read', NEEDS.admin)
    }
    // Whoever hands in both is a sender all the same; what they may decide the route looks at.
    if (access === 'write' && bothIn(request, expected).isWrite) return
    const needed = access ?? 'write'
    const given = presented(request.headers.authorization, needed === 'write') ?? inQuery(request)
    if (given === undefined) throw unauthorised(needed, 'No usable Authorization header was sent.')
    const sent = digest(given.secret)
    if (access !== undefined && timingSafeEqual(sent, expected[access])) return
    const other = needed === 'read' ? expected.write : expected.read
    if (timingSafeEqual(sent, other)) throw new Problem('forbidden', NEEDS[needed])
    throw unauthorised(needed, 'The credentials are unknown.')
  }
}

/** Whether a request carries what an `admin` route asks for. */
export function adminMatcher(
  credentials: Credentials,
): (request: Pick<FastifyRequest, 'headers'>) => boolean {
  const expected = digestsOf(credentials)
  return (request) => {
    const { isRead, isWrite } = bothIn(request, expected)
    return isRead && isWrite
  }
}

interface Digests {
  readonly read: Buffer
  readonly write: Buffer
}

function digestsOf({ readToken, writeKey }: Credentials): Digests {
  return { read: digest(readToken), write: digest(writeKey) }
}

function bothIn({ headers }: Pick<FastifyRequest, 'headers'>, expected: Digests) {
  const second = headers[WRITE_KEY_HEADER]
  return {
    isRead: secretIs(presented(headers.authorization, false)?.secret, expected.read),
    isWrite: secretIs(typeof second === 'string' ? second : undefined, expected.write),
  }
}

function secretIs(given: string | undefined, expected: Buffer): boolean {
  return given !== undefined && timingSafeEqual(digest(given), expected)
}

/** Longer ones are not matched here. */
const MATCHED_LENGTH = 256

/**
 * Whether a header is exactly the expected one. Always the same number of bytes is compared, and the length as one of them, so
 * that again neither that nor a common prefix can be measured.
 */
function headerMatcher(expected: string): (header: string | undefined) => boolean {
  if (!/^[\x20-\x7e]+$/.test(expected) || expected.length > MATCHED_LENGTH) return () => false
  const wanted = matchable(expected, Buffer.alloc(MATCHED_LENGTH + LENGTH_BYTES))
  const given = Buffer.alloc(wanted.length)
  return (header) => {
    if (header === undefined || header.length > MATCHED_LENGTH) return false
    return timingSafeEqual(matchable(header, given), wanted)
  }
}

const LENGTH_BYTES = 2

function matchable(text: string, into: Buffer): Buffer {
  into.fill(0)
  into.writeUInt16LE(text.length)
  into.write(text, LENGTH_BYTES, 'utf8')
  return into
}

function inQuery({ headers, routeOptions, url }: FastifyRequest): Presented {
  if (headers.authorization !== undefined || routeOptions.config.accessToken !== true) return undefined
  const secret = accessToken(url)
  return secret === undefined ? undefined : { secret }
}

/** Whether a secret is the expected one; compared as `accessChecker` does. */
export function secretMatcher(expected: string): (given: string) => boolean {
  const wanted = digest(expected)
  return (given) => timingSafeEqual(digest(given), wanted)
}

/** A write key as trackers are given it, `<write key>` or `<write key>:<source>`; keys hold no colon. */
export interface TrackingKey {
  readonly secret: string
  /** The source that the sender speaks for. */
  readonly source: string | undefined
}

/** The colon that ends a Basic user name without password ends a key as well. */
export function trackingKey(text: string): TrackingKey {
  const colon = text.indexOf(':')
  if (colon === -1) return { secret: text, source: undefined }
  const source = text.slice(colon + 1).replace(/:$/, '')
  return { secret: text.slice(0, colon), source: source === '' ? undefined : source }
}

/** Whether the header alone holds the write key, so that a body is worth reading. */
export function trackingHeaderMatcher(credentials: Credentials): (header: string | undefined) => boolean {
  const writes = secretMatcher(credentials.writeKey)
  return (header) => writes(trackingKey(parsedHeader(header).text).secret)
}

/** The key that fits, of header and body; throws a problem where none does. */
export function trackingChecker(
  credentials: Credentials,
): (header: string | undefined, inBody: unknown) => TrackingKey {
  const writes = secretMatcher(credentials.writeKey)
  const reads = secretMatcher(credentials.readToken)
  return (header, inBody) => {
    const texts = [parsedHeader(header).text, typeof inBody === 'string' ? inBody : '']
    const keys = texts.filter((text) => text !== '').map(trackingKey)
    const fitting = keys.find(({ secret }) => writes(secret))
    if (fitting !== undefined) return fitting
    if (keys.some(({ secret }) => reads(secret))) throw new Problem('forbidden', NEEDS.write)
    const detail =
      keys.length === 0 ? 'Neither header nor body has a write key.' : 'The write key is unknown.'
    throw unauthorised('write', detail)
  }
}

export const NEEDS = {
  read: 'This needs the read token; a write key only sends events.',
  write: 'This needs the write key; a read token only reads.',
  admin: `This needs both: the read token in Authorization, and the write key in ${WRITE_KEY_HEADER}.`,
} as const

function unauthorised(needed: 'read' | 'write', detail: string): Problem {
  const challenge =
    needed === 'write' ? 'Bearer realm="headwater", Basic realm="headwater"' : 'Bearer realm="headwater"'
  return new Problem('unauthorised', detail, { headers: { 'www-authenticate': challenge } })
}

/** Headers that every answer carries. The documentation's pages set a content policy of their own. */
export function setSecurityHeaders(reply: FastifyReply): void {
  reply.headers(SECURITY_HEADERS)
}

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'private, no-cache',
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
