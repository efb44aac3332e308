import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { connectionProblem } from '../import/http-sender.ts'
import type { Fingerprint } from '../import/input-file.ts'
import type { UrlMark } from './mark-file.ts'
import type { UrlPull } from './pull.ts'

/** One GET into a file. */

export type Fetched =
  | {
      readonly _tag: 'Fetched'
      /** Of the whole answer: one that differs anywhere isn't gone on with. */
      readonly fingerprint: Fingerprint
      /** Which address it was, and how to ask whether it has changed. */
      readonly validators: Pick<UrlMark, 'address' | 'etag' | 'lastModified'>
    }
  | { readonly _tag: 'NotModified' }
  /** A whole sentence; no address, header or body in it. */
  | { readonly _tag: 'Failed'; readonly why: string; readonly retryAfterMs?: number | undefined }

interface Request {
  readonly pull: UrlPull
  readonly mark: UrlMark
  readonly path: string
  readonly signal: AbortSignal
}

const MAX_REDIRECTS = 5

export async function fetchFile({ pull, mark, path, signal }: Request): Promise<Fetched> {
  const address = addressOf(pull, mark.highWater)
  const known = mark.address === hashOf(address) ? mark : {}
  const timeout = AbortSignal.timeout(pull.timeoutMs)
  try {
    const answer = await follow(pull, new URL(address), conditions(known), AbortSignal.any([signal, timeout]))
    if ('why' in answer) return { _tag: 'Failed', ...answer }
    return await taken(pull, answer, { path, address })
  } catch (error) {
    if (timeout.aborted) return failed(`nothing whole came within ${pull.timeoutMs / 1000} s`)
    return failed(`the address can't be read (${withoutAddress(connectionProblem(error), address)})`)
  }
}

export function addressOf({ url, highWater }: UrlPull, mark: string | undefined): string {
  const value = mark ?? highWater?.initial ?? ''
  return url.replaceAll('{highWater}', () => encodeURIComponent(value))
}

function conditions({ etag, lastModified }: UrlMark): readonly (readonly [string, string])[] {
  return [
    ...(etag === undefined ? [] : [['if-none-match', etag] as const]),
    ...(lastModified === undefined ? [] : [['if-modified-since', lastModified] as const]),
  ]
}

type Refused = Omit<Extract<Fetched, { _tag: 'Failed' }>, '_tag'>

/**
 * What is asked of one origin isn't told to another, nothing is asked in clear that was asked under TLS, and whoever answers
 * can't have others asked for it (who only this machine may reach, say) but those that the operator names.
 */
async function follow(
  pull: UrlPull,
  first: URL,
  conditional: readonly (readonly [string, string])[],
  signal: AbortSignal,
): Promise<Response | Refused> {
  let at = first
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const own = at.origin === first.origin ? pull.headers : []
    const headers = new Headers(
      [...own, ...conditional].map(([name, value]): [string, string] => [name, value]),
    )
    const response = await fetch(at, { headers, redirect: 'manual', signal })
    const location = response.headers.get('location')
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response
    await response.body?.cancel()
    const next = URL.canParse(location, at) ? new URL(location, at) : undefined
    if (next === undefined || !/^https?:$/.test(next.protocol))
      return { why: 'it redirects to no http or https address' }
    if (at.protocol === 'https:' && next.protocol === 'http:')
      return { why: 'it redirects from https to http' }
    if (next.origin !== first.origin && !pull.redirectsTo.includes(next.origin))
      return { why: 'it redirects to another origin, which redirectsTo does not name' }
    at = next
  }
  return { why: `it redirects more than ${MAX_REDIRECTS} times` }
}

interface Into {
  readonly path: string
  readonly address: string
}

async function taken(pull: UrlPull, response: Response, { path, address }: Into): Promise<Fetched> {
  if (response.status === 304) return { _tag: 'NotModified' }
  if (response.status !== 200 && response.status !== 204) {
    await response.body?.cancel()
    return failed(`HTTP ${response.status}`, retryAfterMs(response.headers.get('retry-after')))
  }
  const fingerprint = await save(response, path, pull.maxBytes)
  if (fingerprint === undefined) return failed(`it answers more than ${pull.maxBytes} bytes`)
  const [etag, lastModified] = [response.headers.get('etag'), response.headers.get('last-modified')]
  const validators = {
    address: hashOf(address),
    ...(etag === null ? {} : { etag }),
    ...(lastModified === null ? {} : { lastModified }),
  }
  return { _tag: 'Fetched', fingerprint, validators }
}

/** undefined: larger than allowed, decompressed. */
async function save(response: Response, path: string, maxBytes: number): Promise<Fingerprint | undefined> {
  const handle = await open(path, 'w', 0o600)
  const hash = createHash('sha256')
  let sizeBytes = 0
  try {
    for await (const chunk of response.body ?? []) {
      sizeBytes += chunk.length
      if (sizeBytes > maxBytes) return undefined
      hash.update(chunk)
      // Not `write`: that may take less than it is given, and the rows of the rest would never be asked for again.
      await handle.writeFile(chunk)
    }
  } finally {
    await handle.close()
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}

const MAX_RETRY_AFTER_MS = 3_600_000

function retryAfterMs(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header)
    ? Math.min(Number(header) * 1000, MAX_RETRY_AFTER_MS)
    : undefined
}

function failed(why: string, retryAfter?: number): Fetched {
  return { _tag: 'Failed', why, ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter }) }
}

/** An address may hold a key; errors sometimes quote it. */
function withoutAddress(message: string, address: string): string {
  return message.replaceAll(address, '…').slice(0, 200)
}

function hashOf(address: string): string {
  return createHash('sha256').update(address).digest('hex')
}
