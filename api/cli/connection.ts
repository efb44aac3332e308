import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as t from 'io-ts'
import { connectionProblem } from '../import/http-sender.ts'
import { WRITE_KEY_HEADER } from '../security.ts'
import { CommandFailed, type Terminal, UsageError } from './command.ts'
import { findRunningDemo } from './running-demo.ts'

/** Where the engine is and what opens it. */
export interface Connection {
  readonly url: string
  readonly writeKey: string | undefined
  readonly readToken: string | undefined
}

const DEFAULT_URL = 'http://127.0.0.1:7070'
const kept = t.type({ writeKey: t.string, readToken: t.string })

/**
 * From the environment, and what it lacks from the data directory. `url` overrides HEADWATER_URL. Where nothing is
 * stated, a demo that runs is meant.
 */
export async function findConnection(terminal: Terminal, url?: string | undefined): Promise<Connection> {
  const { env } = terminal
  const demo = url === undefined && !statesEngine(env) ? await findRunningDemo() : undefined
  const stated = url ?? stringOf(env.HEADWATER_URL) ?? demo?.url ?? DEFAULT_URL
  if (!URL.canParse(stated) || !/^https?:$/.test(new URL(stated).protocol)) {
    throw new UsageError(`${stated} is no http or https address`)
  }
  const writeKey = stringOf(env.HEADWATER_WRITE_KEY)
  const readToken = stringOf(env.HEADWATER_READ_TOKEN)
  const own =
    writeKey !== undefined && readToken !== undefined
      ? undefined
      : await readKept(demo?.directory ?? dataDirectory(terminal))
  return {
    url: stated.replace(/\/+$/, ''),
    writeKey: writeKey ?? own?.writeKey,
    readToken: readToken ?? own?.readToken,
  }
}

const STATING = ['HEADWATER_URL', 'HEADWATER_DATA', 'HEADWATER_WRITE_KEY', 'HEADWATER_READ_TOKEN'] as const

function statesEngine(env: Terminal['env']): boolean {
  return STATING.some((name) => stringOf(env[name]) !== undefined)
}

export function dataDirectory(terminal: Terminal): string {
  return stringOf(terminal.env.HEADWATER_DATA) ?? './data'
}

function stringOf(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

async function readKept(directory: string): Promise<t.TypeOf<typeof kept> | undefined> {
  try {
    const decoded = kept.decode(JSON.parse(await readFile(join(directory, 'credentials.json'), 'utf8')))
    return decoded._tag === 'Right' ? decoded.right : undefined
  } catch {
    // The engine may be elsewhere; what it says to a request without credentials is clear enough.
    return undefined
  }
}

interface Reply {
  readonly status: number
  readonly body: unknown
}

interface Request {
  readonly path: string
  /** Posted as JSON; absent: a GET. */
  readonly body?: unknown
  readonly method?: 'DELETE' | undefined
  /** Hands in the write key too, for what can't be undone. */
  readonly admin?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

const TIMEOUT_MS = 30_000

/** Any answer with a JSON body; throws `CommandFailed` where there is none. */
export async function ask(connection: Connection, request: Request): Promise<Reply> {
  const { readToken, writeKey, url } = connection
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal])
  const headers = {
    accept: 'application/json',
    ...(readToken === undefined ? {} : { authorization: `Bearer ${readToken}` }),
    ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(request.admin === true && writeKey !== undefined ? { [WRITE_KEY_HEADER]: writeKey } : {}),
  }
  const method = request.method === undefined ? {} : { method: request.method }
  const post = request.body === undefined ? {} : { method: 'POST', body: JSON.stringify(request.body) }
  try {
    const response = await fetch(`${url}${request.path}`, {
      ...post,
      ...method,
      headers,
      signal,
      redirect: 'error',
    })
    return { status: response.status, body: JSON.parse(await response.text()) as unknown }
  } catch (error) {
    if (request.signal?.aborted) throw error
    if (error instanceof SyntaxError)
      throw new CommandFailed(`${url} doesn't answer in JSON: is it Headwater?`)
    throw new CommandFailed(`${url} can't be reached (${connectionProblem(error)}): is the engine running?`)
  }
}

/** The body of a successful answer; throws `CommandFailed` with what the engine says otherwise. */
export async function askOk(connection: Connection, request: Request): Promise<unknown> {
  return answered(connection, await ask(connection, request))
}

/** The same of an answer that is here already. */
export function answered(connection: Connection, reply: Reply): unknown {
  if (reply.status >= 200 && reply.status < 300) return reply.body
  throw new CommandFailed(refusalText(connection, reply))
}

const fault = t.intersection([
  t.type({ message: t.string }),
  t.partial({ parameter: t.string, path: t.string }),
])
const problem = t.partial({ title: t.string, detail: t.string, errors: t.array(fault) })
type StatedProblem = t.TypeOf<typeof problem>

/** What each fault is, where the detail doesn't say so. */
function saidOf({ title, detail, errors = [] }: StatedProblem): readonly (string | undefined)[] {
  const faults = errors.filter(({ message }) => message !== detail)
  const texts = faults.map(({ parameter, path, message }) => `${parameter ?? path ?? ''} ${message}`.trim())
  return [title, detail, texts.length === 0 ? undefined : texts.join('; ')]
}

export function refusalText(connection: Connection, reply: Reply): string {
  const decoded = problem.decode(reply.body)
  const said = decoded._tag === 'Right' ? saidOf(decoded.right) : []
  const text = [`HTTP ${reply.status}`, ...said.filter((part) => part !== undefined)].join(': ')
  if (reply.status !== 401 && reply.status !== 403) return text
  const missing = connection.readToken === undefined ? 'no read token was found' : 'is the read token right?'
  return `${text} (${missing}; set HEADWATER_READ_TOKEN, or HEADWATER_DATA to the engine's data directory)`
}

/** Decodes an answer, or says that the engine speaks another version of the language. */
export function decodeAnswer<A>(codec: t.Decoder<unknown, A>, body: unknown): A {
  const decoded = codec.decode(body)
  if (decoded._tag === 'Right') return decoded.right
  const at = decoded.left[0]?.context.map((entry) => entry.key).join('.') ?? ''
  throw new CommandFailed(`the engine's answer is not understood (at ${at}): are both of one version?`)
}
