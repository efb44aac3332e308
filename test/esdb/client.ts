import { EventStoreDBClient, type ResolvedEvent } from '@eventstore/db-client'
import type { EsdbBackend } from '../../api/esdb/backend.ts'
import { type EsdbServer, type EsdbServerOptions, startEsdbServer } from '../../api/esdb/server.ts'
import { systemClock } from '../../engine/clock.ts'
import { CERTIFICATE, PRIVATE_KEY } from './certificate.ts'

export const WRITE_KEY = 'hw_w_test_key_of_writers'
export const READ_TOKEN = 'hw_r_test_token_of_readers'

export function serve(backend: EsdbBackend, more: Partial<EsdbServerOptions> = {}): Promise<EsdbServer> {
  return startEsdbServer({
    backend,
    host: '127.0.0.1',
    port: 0,
    credentials: { writeKey: WRITE_KEY, readToken: READ_TOKEN },
    anonymous: true,
    clock: systemClock,
    onDefect: (error) => {
      throw error
    },
    ...more,
  })
}

export const TLS = { certificate: Buffer.from(CERTIFICATE), key: Buffer.from(PRIVATE_KEY) }

interface ClientOptions {
  readonly throwOnAppendFailure?: boolean | undefined
  /** Over TLS, with this password and any name. */
  readonly password?: string | undefined
  /** The user certificate that it shows. */
  readonly user?: { readonly userCertFile: Buffer; readonly userKeyFile: Buffer } | undefined
  /** gRPC shares the connections of clients in one process that are alike in everything; not this one's. */
  readonly isAlone?: boolean | undefined
}

const KEEP_ALIVE_MS = 10_000
let alone = 0

export function clientOf(
  { port }: Pick<EsdbServer, 'port'>,
  { throwOnAppendFailure = true, password, user, isAlone = false }: ClientOptions = {},
): EventStoreDBClient {
  // TLS names no addresses.
  const address = password === undefined ? '127.0.0.1' : 'localhost'
  const keepAliveInterval = isAlone ? KEEP_ALIVE_MS + ++alone : KEEP_ALIVE_MS
  const settings = { endpoint: { address, port }, throwOnAppendFailure, keepAliveInterval }
  if (password === undefined) return new EventStoreDBClient(settings, { insecure: true })
  const rootCertificate = Buffer.from(CERTIFICATE)
  return new EventStoreDBClient(settings, { rootCertificate, ...user }, { username: 'anybody', password })
}

type Event = NonNullable<ResolvedEvent['event']>

export async function collect(events: AsyncIterable<ResolvedEvent>): Promise<readonly Event[]> {
  const found: Event[] = []
  for await (const { event } of events) if (event !== undefined) found.push(event)
  return found
}

/** What a promise rejects with. */
export async function rejection(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'it was fulfilled',
    (error: unknown) => error,
  )
}

const PATIENCE_MS = 5_000

/** Resolves when it holds; rejects where it doesn't in good time. */
export async function until(holds: () => boolean, patienceMs = PATIENCE_MS): Promise<void> {
  for (const end = Date.now() + patienceMs; !holds(); ) {
    if (Date.now() > end) throw new Error('it never came to that')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
