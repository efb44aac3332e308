import * as t from 'io-ts'
import { WRITE_KEY_HEADER } from '../security.ts'
import { messageOf } from './input-file.ts'
import type { Sender, SendOutcome } from './sender.ts'
import { resultsOf } from './sender.ts'

interface HttpSenderOptions {
  /** Base URL of the engine. */
  readonly url: string
  readonly writeKey: string | undefined
  /** With both, decisions and definitions are taken too. */
  readonly readToken?: string | undefined
  /** How long one request may take before it counts as lost; default 60 s. */
  readonly timeoutMs?: number | undefined
}

/** Posts batches in CloudEvents' JSON batch form to `POST /v1/events`. */
export function createHttpSender(options: HttpSenderOptions): Sender {
  const url = new URL('v1/events', options.url.endsWith('/') ? options.url : `${options.url}/`)
  const timeoutMs = options.timeoutMs ?? 60_000
  const headers = {
    'content-type': 'application/cloudevents-batch+json',
    accept: 'application/json',
    ...presentedBy(options),
  }
  return {
    target: options.url,
    close: async () => {},
    send: async (events, signal) => {
      const body = `[${events.map((event) => event.json).join(',')}]`
      const timeout = AbortSignal.timeout(timeoutMs)
      const either = signal === undefined ? timeout : AbortSignal.any([timeout, signal])
      try {
        const response = await fetch(url, {
          method: 'POST',
          headers,
          body,
          signal: either,
          redirect: 'error',
        })
        return await outcomeOf(response, events.length)
      } catch (error) {
        return { _tag: 'Unavailable', why: connectionProblem(error) }
      }
    },
  }
}

function presentedBy({ writeKey, readToken }: HttpSenderOptions): Readonly<Record<string, string>> {
  if (writeKey === undefined) return {}
  if (readToken === undefined) return { authorization: `Bearer ${writeKey}` }
  return { authorization: `Bearer ${readToken}`, [WRITE_KEY_HEADER]: writeKey }
}

async function outcomeOf(response: Response, count: number): Promise<SendOutcome> {
  const text = await response.text()
  if (response.ok) {
    const results = resultsOf(parsed(text), count)
    if (results !== undefined) return { _tag: 'Sent', results }
    return {
      _tag: 'Rejected',
      why: `the answer (HTTP ${response.status}) doesn't say what became of each event`,
    }
  }
  const why = `HTTP ${response.status}${detailOf(parsed(text))}`
  switch (response.status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return { _tag: 'Unavailable', why, retryAfterMs: retryAfterMs(response.headers.get('retry-after')) }
    case 413:
      return { _tag: 'TooLarge', why }
    case 401:
    case 403:
      return { _tag: 'Rejected', why: `${why}: is the write key right?` }
    default:
      return { _tag: 'Rejected', why }
  }
}

const MAX_RETRY_AFTER_MS = 60_000

/** Seconds; the form with a date needs a clock that agrees with the server's, and our engine doesn't send it. */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null || !/^\d{1,6}$/.test(header)) return undefined
  return Math.min(Number(header) * 1000, MAX_RETRY_AFTER_MS)
}

const problem = t.partial({ title: t.string, detail: t.string })

function detailOf(body: unknown): string {
  const decoded = problem.decode(body)
  if (decoded._tag === 'Left') return ''
  const { title, detail } = decoded.right
  return [title, detail]
    .filter((part) => part !== undefined)
    .map((part) => ` ${part}`)
    .join(':')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `fetch failed` says nothing; its cause does. */
export function connectionProblem(error: unknown): string {
  if (error instanceof Error && error.cause instanceof Error) {
    const code = 'code' in error.cause ? `${String(error.cause.code)} ` : ''
    return `${code}${error.cause.message}`.trim()
  }
  return messageOf(error)
}
