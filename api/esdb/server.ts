import { isIP } from 'node:net'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { Clock } from '../../engine/clock.ts'
import type { Credentials } from '../credentials.ts'
import { accessChecker } from './access.ts'
import { appendHandler } from './append.ts'
import type { EsdbBackend } from './backend.ts'
import { batchAppendHandler } from './batch-append.ts'
import type { CallContext } from './calls.ts'
import { deleteHandler, tombstoneHandler } from './delete.ts'
import { supportedMethods } from './features.ts'
import { gossipOf } from './gossip.ts'
import { GossipService, ServerFeaturesService, StreamsService } from './protocol.ts'
import { readHandler } from './read.ts'
import { Streams } from './streams.ts'
import type { Tls } from './tls-files.ts'
import { Unfinished } from './unfinished.ts'

export interface EsdbServerOptions {
  readonly backend: EsdbBackend
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Absent: plain text, over which EventStoreDB's clients send no credentials. */
  readonly tls?: Tls | undefined
  readonly credentials: Credentials
  /** Whoever sends no credentials may read and append all the same. */
  readonly anonymous: boolean
  readonly clock: Clock
  /** Default: EventStoreDB's own. */
  readonly maxAppendBytes?: number | undefined
  /** A connection that was quiet so long is asked whether it lives, and has as long to answer. Default: EventStoreDB's own. */
  readonly keepAliveMs?: number | undefined
  /** Told of a defect of ours. */
  readonly onDefect: (error: unknown) => void
}

export interface EsdbServer {
  readonly port: number
  /** Ends open calls as unavailable, so that clients look for the server again; then what is left, after a while. */
  stop(): Promise<void>
}

const MAX_APPEND_BYTES = 1024 * 1024
/** Clients split batches into parts of 3 MiB. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024
/** A client has one connection: a thousand subscriptions leave it room for everything else. */
const MAX_CALLS_PER_CONNECTION = 2_000
/** A peer that vanished without a word would keep its subscriptions for ever. */
const KEEP_ALIVE_MS = 10_000
const STOP_MS = 2_000

/** Rejects where it can't listen. Services that aren't offered answer UNIMPLEMENTED. */
export async function startEsdbServer(options: EsdbServerOptions): Promise<EsdbServer> {
  const { backend, clock, host, tls, onDefect } = options
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': MAX_CALLS_PER_CONNECTION,
    'grpc.keepalive_time_ms': options.keepAliveMs ?? KEEP_ALIVE_MS,
    'grpc.keepalive_timeout_ms': options.keepAliveMs ?? KEEP_ALIVE_MS,
  })
  const stopping = new AbortController()
  const context: CallContext = {
    backend: new Streams(backend, () => clock.nowMs()),
    checkAccess: accessChecker(options.credentials, options.anonymous),
    maxAppendBytes: options.maxAppendBytes ?? MAX_APPEND_BYTES,
    unfinished: new Unfinished(),
    nowMs: () => clock.nowMs(),
    stopping: stopping.signal,
    onDefect,
  }
  let port = 0
  server.addService(StreamsService, {
    read: readHandler(context),
    append: appendHandler(context),
    batchAppend: batchAppendHandler(context),
    delete: deleteHandler(context),
    tombstone: tombstoneHandler(context),
  })
  server.addService(ServerFeaturesService, { getSupportedMethods: supportedMethods })
  server.addService(GossipService, {
    read: gossipOf({ endpoint: () => ({ host, port }), nowMs: context.nowMs }),
  })
  const name = isIP(host) === 6 ? `[${host}]` : host
  port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${name}:${options.port}`, securityOf(tls), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  return {
    port,
    stop() {
      stopping.abort()
      return stop(server)
    },
  }
}

function securityOf(tls: Tls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure()
  const { certificate, key, clientCa } = tls
  const own = [{ cert_chain: certificate, private_key: key }]
  return ServerCredentials.createSsl(clientCa ?? null, own, clientCa !== undefined)
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      server.forceShutdown()
      resolve()
    }, STOP_MS)
    server.tryShutdown(() => {
      clearTimeout(late)
      resolve()
    })
  })
}
