import * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../../engine/clock.ts'
import type { Configuration } from '../configuration.ts'
import type { Credentials } from '../credentials.ts'
import { type HeadwaterOptions, headwaterBackend } from './headwater-backend.ts'
import { type EsdbServer, type EsdbServerOptions, startEsdbServer } from './server.ts'
import { readTls } from './tls-files.ts'

type Settings = Pick<
  Configuration,
  'host' | 'esdbPort' | 'esdbTlsCert' | 'esdbTlsKey' | 'esdbTlsClientCa' | 'esdbAnonymous'
>

interface Started extends EsdbServer {
  /** As clients are handed it. */
  readonly address: string
}

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])

/** undefined: it is off. Left: a whole sentence that says what to do. */
export async function startEsdb(
  settings: Settings,
  engine: Pick<HeadwaterOptions, 'log' | 'intake'> & { readonly keyStore: HeadwaterOptions['opener'] },
  more: {
    readonly credentials: Credentials
    readonly clock: Clock
    readonly onDefect: (error: unknown) => void
  },
): Promise<E.Either<string, Started | undefined>> {
  const { host, esdbPort } = settings
  if (esdbPort === 0) return E.right(undefined)
  const security = securityOf(settings)
  if (E.isLeft(security)) return security
  const backend = headwaterBackend({ log: engine.log, intake: engine.intake, opener: engine.keyStore })
  try {
    const server = await startEsdbServer({ ...more, ...security.right, backend, host, port: esdbPort })
    const tls = security.right.tls === undefined ? '?tls=false' : '?tls=true'
    const name = host.includes(':') ? `[${host}]` : host
    return E.right({ ...server, address: `esdb://${name}:${server.port}${tls}` })
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown error'
    return E.left(`HEADWATER_ESDB_PORT ${esdbPort} can't be listened on: ${why}`)
  }
}

/** EventStoreDB's clients send credentials over TLS alone, so without it nobody could be told from anybody. */
function securityOf(settings: Settings): E.Either<string, Pick<EsdbServerOptions, 'tls' | 'anonymous'>> {
  const anonymous = settings.esdbAnonymous === 'loopback'
  if (anonymous && !LOOPBACK.has(settings.host))
    return E.left('HEADWATER_ESDB_ANONYMOUS=loopback needs HEADWATER_HOST to be a loopback address')
  const tls = readTls(settings)
  if (E.isLeft(tls)) return tls
  if (tls.right !== undefined || anonymous) return E.right({ tls: tls.right, anonymous })
  return E.left(
    "HEADWATER_ESDB_PORT needs HEADWATER_ESDB_TLS_CERT and HEADWATER_ESDB_TLS_KEY, since EventStoreDB's clients send credentials over TLS alone; or HEADWATER_ESDB_ANONYMOUS=loopback, with which whoever may connect on this machine may read and append",
  )
}
