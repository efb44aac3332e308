import { randomInt } from 'node:crypto'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import type { Logger } from 'pino'
import { pino } from 'pino'
import type { AuditStatus, SignedTreeHead } from '../engine/audit/audit.ts'
import { systemClock } from '../engine/clock.ts'
import type { RecordedEvent } from '../engine/events/event.ts'
import { registry } from '../engine/events/registry.ts'
import { StreamCaptures } from '../engine/intake/nats/direct.ts'
import { openNatsIntake, publishText } from '../engine/intake/nats/nats-intake.ts'
import type { NatsIntake, NatsOptions } from '../engine/intake/nats/options.ts'
import { normaliseIdentity } from '../engine/intake/normalise.ts'
import { LazyEvent } from '../engine/privacy/lazy-event.ts'
import { decodeMasterKey } from '../engine/privacy/master-key.ts'
import { openEvent } from '../engine/privacy/sealing.ts'
import { projections } from '../projections/catalog.ts'
import { buildApp } from './app.ts'
import { observeAudit } from './audit/metrics.ts'
import {
  createTreeHeadPublisher,
  type Outlet,
  treeHeadSubject,
  webhookOutlet,
} from './audit/tree-head-publisher.ts'
import type { Configuration } from './configuration.ts'
import { loadConfiguration } from './configuration.ts'
import type { LoadedCredentials } from './credentials.ts'
import { loadCredentials } from './credentials.ts'
import { createDemoLoader } from './demo-loader.ts'
import type { ApiDeps, EngineStatus } from './deps.ts'
import type { Engine } from './engine.ts'
import { openEngine } from './engine.ts'
import type { EngineMetrics } from './engine-metrics.ts'
import { engineMetrics } from './engine-metrics.ts'
import { startEsdb } from './esdb/start.ts'
import { failureText, withoutCredentials } from './failure-place.ts'
import { boundHeapGrowth } from './heap-growth.ts'
import { EMBEDDED, shownLogAddress } from './log-address.ts'
import { dieQuietly, openLogger } from './logging.ts'
import { mirrorStatus, observeMirror } from './mirror-metrics.ts'
import { startNatsServer } from './nats-server.ts'
import { packageVersion } from './package-version.ts'
import { callable, pageAddress } from './page-address.ts'
import { publishedConfiguration } from './published-configuration.ts'
import { loadPulls } from './pull/pull-file.ts'
import { createPulls } from './pull/pulls.ts'
import { quarantineBodies, resubmitKnown } from './quarantine-bodies.ts'
import { Stops } from './stops.ts'

/** Opens everything, serves until SIGINT or SIGTERM, closes everything. Exit code 1 if it can't start. */
export async function start(): Promise<void> {
  boundHeapGrowth()
  const loaded = loadConfiguration(process.env)
  if (E.isLeft(loaded)) {
    for (const { message } of loaded.left) console.error(message)
    process.exitCode = 1
    return
  }
  const destination = pino.destination({ dest: 2, sync: true })
  // Whoever read the output may be gone before us; that is no reason not to stop cleanly.
  destination.on('error', () => undefined)
  // Commands end at once then (cli/terminal.ts); an engine that did would leave its nats-server behind.
  for (const output of [process.stdout, process.stderr])
    output.removeAllListeners('error').on('error', () => undefined)
  const metrics = engineMetrics(systemClock)
  const logger = openLogger(loaded.right.logLevel, destination, metrics.onLogged)
  dieQuietly(logger)
  for (const warning of loaded.right.warnings) logger.warn(warning)
  // Whatever is created holds customers: nobody but its owner reads it, whatever the directory's own mode.
  process.umask(0o077)
  const stops = new Stops((error) => {
    logger.error(`stopping: ${failureText(error)}`)
    process.exitCode = 1
  })
  const stopping = untilSignal()
  const serving = serve(loaded.right, logger, metrics, stops)
  try {
    // A start may have to wait (for room on a full disk); it can be given up all the same.
    await Promise.race([serving, stopping])
    await stopping
    console.log('stopping: what is under way is finished first')
  } catch (error) {
    // Those thrown for the operator are plain; anything else is a defect.
    console.error(error instanceof Error && error.name === 'Error' ? error.message : failureText(error))
    process.exitCode = 1
  }
  await stops.run(serving, GIVE_UP_MS)
  logger.info('stopped')
  // Everything is closed; should some handle still be open, it is nobody's.
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

const LINGER_MS = 2_000
/** A start that waits for room on a disk is left to it; what else begins is there sooner, a nats-server last. */
const GIVE_UP_MS = 5_000
const PARENT_CHECK_MS = 500

function untilSignal(): Promise<void> {
  return new Promise((settle) => {
    process.once('SIGINT', () => settle())
    process.once('SIGTERM', () => settle())
    // `npm start` keeps a signal to itself and its shell: that they are gone is all that is heard of it.
    if (process.env['npm_lifecycle_event'] !== 'start') return
    const parent = process.ppid
    setInterval(() => {
      if (process.ppid !== parent) settle()
    }, PARENT_CHECK_MS).unref()
  })
}

async function serve(
  configuration: Configuration,
  logger: Logger,
  metrics: EngineMetrics,
  stops: Stops,
): Promise<void> {
  const directory = resolve(configuration.dataDirectory)
  const { pullFile } = configuration
  const pulls = pullFile === undefined ? [] : orThrow(await loadPulls(pullFile, process.env))
  const treeHeads = publishTreeHeads(configuration, logger)
  const engine = orThrow(
    await openEngine({
      ...configuration,
      directory,
      onTreeHead: treeHeads.publish,
      indexMemoryBytes: configuration.indexMemoryMb * 1024 * 1024,
      masterKey: configuration.masterKey === undefined ? undefined : decodeMasterKey(configuration.masterKey),
      clock: systemClock,
      onResult: metrics.onResult,
      onProgress: metrics.onProgress,
      onNotice: (level, message) => logger[level](message),
    }),
  )
  stops.beforehand(() => engine.mirror?.hurry())
  stops.push(engine.stop)
  stops.push(treeHeads.stop)
  metrics.observe(engine, { ...configuration, directory, version: packageVersion() })
  observeMirror(metrics.registry, engine.mirror)
  observeAudit(metrics.registry, engine.audit, engine.log, systemClock)
  const credentials = loadCredentials(directory, configuration)
  if (E.isLeft(credentials)) throw new Error(credentials.left.message)
  let address = ''
  const demo = createDemoLoader({
    url: () => address,
    writeKey: credentials.right.writeKey,
    readToken: credentials.right.readToken,
    directory,
    clock: systemClock,
    onNotice: (level, message) => logger[level](message),
  })
  const pulling = createPulls({
    ...{ pulls, intake: engine.intake, head: () => engine.log.head().position, clock: systemClock },
    ...{ directory: join(directory, 'pulls'), metrics: metrics.registry, logger },
    random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
  })
  const deps = depsOf(configuration, logger, engine, metrics, credentials.right)
  const app = await buildApp({ ...deps, demo, pulls: pulling })
  stops.push(() => app.close())
  address = callable(await app.listen({ host: configuration.host, port: configuration.port }))
  // Before the app closes: it goes on asking otherwise.
  if (demo !== undefined) stops.push(() => demo.stop())
  const nats = await openNats(configuration, directory, logger, engine, metrics, stops, treeHeads.connected)
  const esdb = orThrow(
    await startEsdb(configuration, engine, {
      credentials: credentials.right,
      clock: systemClock,
      onDefect: (error) => logger.error(`esdb: ${failureText(error)}`),
    }),
  )
  if (esdb !== undefined) stops.push(esdb.stop)
  pulling.start()
  stops.push(() => pulling.stop())
  expireQuarantine(engine, logger, stops)
  const known = await resubmitKnown(engine.quarantine, engine.intake)
  if (known > 0)
    logger.info(`${known} quarantined events are of a schema that is known now: they are in the log`)
  console.log(
    banner({
      ...{ address, directory, nats, esdb: esdb?.address },
      eventLog: configuration.eventLog,
      ...{ credentials: credentials.right, head: engine.log.head().position },
    }),
  )
}

const RANDOM_STEPS = 2 ** 32

/** A proof holds against a tree head that was kept elsewhere, so they are sent out: on NATS, and to a webhook. */
function publishTreeHeads({ workspace, treeHeadWebhook }: Configuration, logger: Logger) {
  let nats: NatsIntake | undefined
  const onNats: Outlet = {
    name: 'NATS',
    async send(note) {
      if (nats !== undefined) await publishText(nats, treeHeadSubject(workspace), note)
    },
  }
  const outlets = treeHeadWebhook === undefined ? [onNats] : [onNats, webhookOutlet(treeHeadWebhook)]
  const publisher = createTreeHeadPublisher({
    outlets,
    onNotice: (level, message) => logger[level](message),
  })
  let last: SignedTreeHead | undefined
  return {
    stop: publisher.stop,
    publish: (head: SignedTreeHead) => {
      last = head
      publisher.publish(head)
    },
    /** Whoever listens there may have missed what was signed before. */
    connected: (intake: NatsIntake) => {
      nats = intake
      if (last !== undefined) publisher.publish(last)
    },
  }
}

function auditState({ failure, refusal }: AuditStatus): EngineStatus['audit'] {
  if (failure !== undefined) return 'stopped'
  return refusal === undefined ? 'signing' : 'refused'
}

function orThrow<T>(result: E.Either<string, T>): T {
  if (E.isLeft(result)) throw new Error(result.left)
  return result.right
}

function depsOf(
  configuration: Configuration,
  logger: Logger,
  engine: Engine,
  metrics: EngineMetrics,
  credentials: LoadedCredentials,
): ApiDeps {
  const { log, store, liveRows, intake, keyStore, quarantine, guard } = engine
  const open = (recorded: RecordedEvent) => openEvent(recorded, keyStore, registry)
  const headAtStart = log.head().position
  const hasCaughtUp = () => !engine.projected().isBuilding && engine.projected().position >= headAtStart
  return {
    configuration,
    credentials,
    intake,
    log,
    store,
    liveRows,
    past: engine.past,
    versions: engine.versions,
    duplicates: engine.duplicates ?? 'off',
    directory: keyStore,
    projections: engine.serving.projections,
    catalogue: engine.catalogue,
    serving: engine.serving,
    quarantine: quarantineBodies(quarantine, intake),
    metrics: metrics.registry,
    logger,
    version: packageVersion(),
    // Of those that are folded for an answer most are looked at from outside only.
    openEvent: (recorded) => new LazyEvent(recorded, keyStore, registry),
    normaliseIdentity: (namespace, value) => normaliseIdentity(namespace, value),
    publishedConfiguration: publishedConfiguration(log, projections, open),
    erasures: engine.erasures,
    erasureWaitHours: configuration.erasureWaitHours,
    confirmClock: () => guard.confirm(),
    audit: engine.audit,
    status: () => ({
      audit: auditState(engine.audit.status()),
      caughtUp: hasCaughtUp() && engine.projected().failure === undefined,
      viewsStopped: engine.projected().failure !== undefined,
      writer: engine.writer(),
      ...mirrorStatus(engine.mirror, configuration.eventLog),
      clockTrusted: guard.trusted(),
      head: log.head().position,
      projected: engine.projected().position,
      ...(hasCaughtUp() ? {} : { reading: engine.projected().reading }),
    }),
  }
}

/** Where NATS is, or one line that says why it is off. */
async function openNats(
  configuration: Configuration,
  directory: string,
  logger: Logger,
  engine: Engine,
  metrics: EngineMetrics,
  stops: Stops,
  onConnected: (nats: NatsIntake) => void,
): Promise<{ readonly url: string; readonly note: string } | { readonly off: string }> {
  const given = configuration.natsUrl
  const server =
    given === undefined
      ? await startNatsServer({
          directory,
          port: configuration.natsPort,
          jetstream: configuration.natsIntake === 'jetstream',
          maxPayloadBytes: configuration.bodyLimitBytes,
          path: process.env['PATH'] ?? '',
        })
      : undefined
  if (server !== undefined && E.isLeft(server)) return { off: server.left }
  if (server !== undefined) stops.push(server.right.stop)
  const url = server?.right.url ?? given ?? ''
  const options: NatsOptions = {
    url,
    workspace: configuration.workspace,
    mode: configuration.natsIntake,
    intake: metrics.timedForNats(engine.intake),
    clock: systemClock,
    onStatus: (status) => {
      metrics.onNatsStatus(status)
      logger.info(`nats: ${status}`)
    },
  }
  const connected = await keepConnecting(options, logger, stops, onConnected)
  const moved = server?.right.onConfiguredPort === false ? `; port ${configuration.natsPort} was taken` : ''
  const whose = given === undefined ? `its own nats-server${moved}` : 'NATS_URL'
  return {
    url: withoutCredentials(url),
    note: connected ? whose : `${whose}; not reachable yet, trying again every ${RECONNECT_MS / 1000} s`,
  }
}

const RECONNECT_MS = 2_000

/**
 * True if NATS answered at once; else it is tried again in the background, while everything else is up. A stream that
 * captures our subject is no outage: it ends the start.
 */
async function keepConnecting(
  options: NatsOptions,
  logger: Logger,
  stops: Stops,
  onConnected: (nats: NatsIntake) => void,
): Promise<boolean> {
  let nats: NatsIntake | undefined
  const stopping = new AbortController()
  const connect = async (): Promise<boolean> => {
    try {
      nats = await openNatsIntake(options)
      onConnected(nats)
      return true
    } catch (error) {
      if (error instanceof StreamCaptures) throw error
      return false
    }
  }
  const connected = await connect()
  const retrying = connected ? Promise.resolve() : retry(connect, logger, stopping.signal)
  stops.push(async () => {
    stopping.abort()
    await retrying
    await nats?.stop()
  })
  return connected
}

async function retry(connect: () => Promise<boolean>, logger: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => undefined)
    try {
      if (signal.aborted || (await connect())) return
    } catch (error) {
      logger.error(error instanceof Error ? error.message : 'nats: the intake could not be opened')
      return
    }
  }
}

const EXPIRE_EVERY_MS = 3_600_000

/** Bodies are kept 30 days; their keys go with them. */
function expireQuarantine({ quarantine }: Engine, logger: Logger, stops: Stops): void {
  const expire = async (): Promise<void> => {
    const expired = await quarantine.expire()
    if (E.isLeft(expired)) logger.error(`expiring quarantine failed: ${expired.left._tag}`)
  }
  let expiring = expire()
  const timer = setInterval(() => {
    expiring = expire()
  }, EXPIRE_EVERY_MS)
  timer.unref()
  stops.push(async () => {
    clearInterval(timer)
    await expiring
  })
}

interface Started {
  readonly address: string
  readonly directory: string
  readonly nats: { readonly url: string; readonly note: string } | { readonly off: string }
  /** undefined: off. */
  readonly esdb: string | undefined
  readonly eventLog: string
  readonly credentials: LoadedCredentials
  readonly head: number
}

function banner({ address, directory, nats, esdb, eventLog, credentials, head }: Started): string {
  const kept = join(directory, 'credentials.json')
  const keys = credentials.created
    ? [
        '  keys      made just now, shown this once:',
        `              write key   ${credentials.writeKey}`,
        `              read token  ${credentials.readToken}`,
        `            and kept in ${kept}`,
      ]
    : [`  keys      from ${kept} or the environment`]
  // Secrets are shown once; later they are printed for whoever asks.
  const page = credentials.created
    ? `  page      ${pageAddress(address, credentials)}`
    : `  page      ${address}/   (npx headwater open prints it with the keys)`
  return [
    'Headwater is up.',
    page,
    `  http      ${address}   (documentation: ${address}/docs)`,
    'off' in nats ? `  nats      off: ${nats.off}` : `  nats      ${nats.url}   (${nats.note})`,
    ...(esdb === undefined ? [] : [`  esdb      ${esdb}`]),
    ...(eventLog === EMBEDDED ? [] : [`  log       ${shownLogAddress(eventLog)}   (log/ is its replica)`]),
    `  data      ${directory}   (last position ${head})`,
    ...keys,
    'Try, in another terminal:',
    `  npx headwater append '{"id":"1","source":"web","type":"cdp.identify","data":{"userId":"42","traits":{"email":"jane@example.com","phone":"+44 20 7946 0018"}}}'`,
    '  npx headwater show jane@example.com',
    '  npx headwater stats',
    'Ctrl-C stops it.',
  ].join('\n')
}
