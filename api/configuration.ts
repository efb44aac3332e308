import * as E from 'fp-ts/lib/Either.js'
import { EMBEDDED, parseLogAddress } from './log-address.ts'
import type { Setting } from './setting.ts'
import { choice, integer, list, optionalText, parsedText, text } from './setting.ts'

const KEY_PATTERN = /^[\x21-\x39\x3b-\x7e]{16,256}$/
const KEY_FORM = '16 to 256 printable characters without spaces or colons'
const MIB = 1024 * 1024

/** The one configuration table: everything that can be set, by environment variable. */
const TABLE = {
  dataDirectory: text('HEADWATER_DATA', './data', {
    about: 'Directory of the log, the key store and the read models.',
  }),
  host: text('HEADWATER_HOST', '127.0.0.1', {
    about:
      'Address that HTTP listens on. Anything but loopback puts customer data on the network: use TLS in front.',
    pattern: /^[a-zA-Z0-9.:_-]+$/,
    form: 'an address or a host name',
  }),
  port: integer('HEADWATER_PORT', 7070, {
    about: 'Port that HTTP listens on; 0 takes a free one.',
    unit: '',
    min: 0,
    max: 65_535,
  }),
  writeKey: optionalText('HEADWATER_WRITE_KEY', 'made at first start', {
    about: 'Key that senders of events present.',
    pattern: KEY_PATTERN,
    form: KEY_FORM,
    secret: true,
  }),
  readToken: optionalText('HEADWATER_READ_TOKEN', 'made at first start', {
    about: 'Token that readers present.',
    pattern: KEY_PATTERN,
    form: KEY_FORM,
    secret: true,
  }),
  allowedHosts: list('HEADWATER_ALLOWED_HOSTS', {
    about: 'Names besides the loopback ones that the Host header may carry.',
    pattern: /^[a-zA-Z0-9._-]+$|^\[[0-9a-fA-F:.]+\]$/,
    form: 'host names without ports',
  }),
  masterKey: optionalText('HEADWATER_MASTER_KEY', 'made at first start', {
    about: 'Key that wraps the data keys of the key store; without it one is kept beside the key store.',
    pattern: /^(?:[0-9a-fA-F]{64}|[A-Za-z0-9+/]{43}=)$/,
    form: '32 bytes as 64 hexadecimal digits or as base64',
    secret: true,
  }),
  auditKey: optionalText('HEADWATER_AUDIT_KEY', 'made at first start', {
    about:
      'Key that signs tree heads, as `headwater audit key --new` makes it; without it one is kept in the data directory.',
    pattern: /^PRIVATE\+KEY\+[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/,
    form: 'PRIVATE+KEY+<name>+<id>+<base64>',
    secret: true,
  }),
  auditOrigin: optionalText('HEADWATER_AUDIT_ORIGIN', '`headwater/<workspace>`', {
    about: "The log's name in its tree heads and in the key that signs them; best a URL without its scheme.",
    pattern: /^[^\s+]{1,200}$/,
    form: '1 to 200 characters without spaces and +',
  }),
  treeHeadWebhook: optionalText('HEADWATER_TREE_HEAD_WEBHOOK', 'none', {
    about: 'Address that signed tree heads are posted to, to be kept there; the newest one after a failure.',
    pattern: /^https?:\/\/\S+$/,
    form: 'an http or https address',
    secret: true,
  }),
  workspace: text('HEADWATER_WORKSPACE', 'default', {
    about: 'The workspace served: its own log, keys and read models.',
    pattern: /^[a-z0-9][a-z0-9_-]{0,62}$/,
    form: '1 to 63 lower-case letters, digits, - and _',
  }),
  eventLog: parsedText('HEADWATER_LOG', EMBEDDED, {
    about:
      "Where the log lies: `embedded` in the data directory, or EventStoreDB's connection string (`esdb://…`, `esdb+discover://…`), of which the data directory then holds a replica.",
    parse: parseLogAddress,
    secret: true,
  }),
  logCompression: choice('HEADWATER_LOG_COMPRESSION', 'zstd', {
    about:
      'zstd: sealed segments of the log are compressed in the background; off: they stay as they are. Compressed ones are read either way.',
    values: ['zstd', 'off'],
  }),
  builds: choice('HEADWATER_BUILDS', 'auto', {
    about:
      'auto: a read model that new configuration changes serves as soon as it is folded; hold: it waits until `headwater switch`, and the one before is kept.',
    values: ['auto', 'hold'],
  }),
  duplicates: choice('HEADWATER_DUPLICATES', 'suggest', {
    about:
      'suggest: probable duplicates among people and companies are looked for and shown to stewards; link: the surest are linked without asking, up to 100 a run; off: nobody looks.',
    values: ['off', 'suggest', 'link'],
  }),
  duplicatesHours: integer('HEADWATER_DUPLICATES_HOURS', 24, {
    about:
      'How often probable duplicates are looked for, the first time an hour after the start; 0: only on request.',
    unit: 'hours',
    min: 0,
    max: 168,
  }),
  indexMemoryMb: integer('HEADWATER_INDEX_MEMORY_MB', 256, {
    about:
      "Memory for the filters of the log's index, about 2 MB a million events. With less, the duplicate check reads files for older segments.",
    unit: 'MiB',
    min: 0,
    max: 65_536,
  }),
  natsUrl: optionalText('NATS_URL', 'a nats-server of its own', {
    about: 'NATS servers, separated by commas; without it a nats-server from PATH is started on loopback.',
    pattern: /^\S+$/,
    form: 'addresses without spaces',
    secret: true,
  }),
  natsIntake: choice('NATS_INTAKE', 'direct', {
    about: 'direct: the intake answers the subject itself; jetstream: it consumes a stream that captures it.',
    values: ['direct', 'jetstream'],
  }),
  natsPort: integer('HEADWATER_NATS_PORT', 4222, {
    about: 'Port of the nats-server that Headwater starts itself; 0 takes a free one.',
    unit: '',
    min: 0,
    max: 65_535,
  }),
  esdbPort: integer('HEADWATER_ESDB_PORT', 0, {
    about: "Port for EventStoreDB's clients, 2113 by custom; 0: off.",
    unit: '',
    min: 0,
    max: 65_535,
  }),
  esdbTlsCert: optionalText('HEADWATER_ESDB_TLS_CERT', 'none', {
    about: "Certificate for EventStoreDB's clients, a PEM file. They send credentials over TLS alone.",
  }),
  esdbTlsKey: optionalText('HEADWATER_ESDB_TLS_KEY', 'none', {
    about: 'Private key of that certificate, a PEM file.',
  }),
  esdbTlsClientCa: optionalText('HEADWATER_ESDB_TLS_CLIENT_CA', 'none', {
    about:
      "Authority of EventStoreDB's clients, a PEM file: who connects needs a user certificate signed by it, beside the credentials.",
  }),
  esdbAnonymous: choice('HEADWATER_ESDB_ANONYMOUS', 'off', {
    about:
      "loopback: EventStoreDB's clients without credentials may read and append, as far as they can connect to this machine's loopback; off: nobody may.",
    values: ['off', 'loopback'],
  }),
  bodyLimitBytes: integer('HEADWATER_BODY_LIMIT_BYTES', 8 * MIB, {
    about: 'Largest request body or message, decompressed.',
    unit: 'bytes',
    min: 1024,
    max: 64 * MIB,
  }),
  eventLimitBytes: integer('HEADWATER_EVENT_LIMIT_BYTES', MIB, {
    about: 'Largest event; a larger one goes to quarantine.',
    unit: 'bytes',
    min: 1024,
    max: MIB,
  }),
  maxDepth: integer('HEADWATER_MAX_DEPTH', 64, {
    about: 'Deepest nesting of an event; a deeper one goes to quarantine.',
    unit: 'levels',
    min: 4,
    max: 256,
  }),
  queueEvents: integer('HEADWATER_QUEUE_EVENTS', 20_000, {
    about: 'Events under way in the intake before senders are told to wait.',
    unit: 'events',
    min: 1,
    max: 10_000_000,
  }),
  queueBytes: integer('HEADWATER_QUEUE_BYTES', 64 * MIB, {
    about: 'Bytes under way in the intake before senders are told to wait.',
    unit: 'bytes',
    min: MIB,
    max: 1024 * MIB,
  }),
  afterWaitMs: integer('HEADWATER_AFTER_WAIT_MS', 10_000, {
    about: 'Longest wait for a position (`?after=`) or for new events (`?wait=`).',
    unit: 'ms',
    min: 0,
    max: 60_000,
  }),
  pageLimit: integer('HEADWATER_PAGE_LIMIT', 500, {
    about: 'Most rows of one answer.',
    unit: 'rows',
    min: 1,
    max: 10_000,
  }),
  keyBackupDays: integer('HEADWATER_KEY_BACKUP_DAYS', 30, {
    about:
      'Days after which a backup of the keys expires: at most the time in which an erasure must be complete.',
    unit: 'days',
    min: 1,
    max: 3650,
  }),
  erasureWaitHours: integer('HEADWATER_ERASURE_WAIT_HOURS', 24, {
    about: 'How long an erasure waits, and can be cancelled, where nothing else is asked for.',
    unit: 'hours',
    min: 0,
    max: 720,
  }),
  pullFile: optionalText('HEADWATER_PULL', 'none', {
    about: 'File that lists the folders and URLs to fetch events from, see `api/pull/PULL.md`.',
  }),
  url: text('HEADWATER_URL', 'http://127.0.0.1:7070', {
    about: 'Engine that the command line talks to.',
    pattern: /^https?:\/\/\S+$/,
    form: 'an http or https address',
  }),
  logLevel: choice('LOG_LEVEL', 'info', {
    about: 'Least severity that is logged. Requests answered well are logged at `debug`.',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
  }),
} as const satisfies Readonly<Record<string, Setting<unknown>>>

type Value<S> = S extends Setting<infer T> ? T : never

export type Configuration = { readonly [K in keyof typeof TABLE]: Value<(typeof TABLE)[K]> }

interface LoadedConfiguration extends Configuration {
  /** Variables of our prefix that nothing reads: probably misspelt. */
  readonly warnings: readonly string[]
}

interface ConfigurationError {
  readonly variable: string
  /** A whole sentence; never repeats a secret. */
  readonly message: string
}

/** Reads every setting, or says everything that is wrong at once. A variable set to '' counts as absent. */
export function loadConfiguration(
  env: Readonly<Record<string, string | undefined>>,
): E.Either<readonly ConfigurationError[], LoadedConfiguration> {
  const errors: ConfigurationError[] = []
  const read = <T>(setting: Setting<T>): T => {
    const stated = env[setting.name]
    if (stated === undefined || stated === '') return setting.fallback
    const parsed = setting.parse(stated)
    if (parsed._tag === 'Right') return parsed.right
    errors.push({ variable: setting.name, message: sentence(setting, stated, parsed.left) })
    return setting.fallback
  }
  const configuration = readAll(read)
  const { eventLimitBytes, bodyLimitBytes, writeKey, readToken } = configuration
  if (eventLimitBytes > bodyLimitBytes) errors.push(EVENT_ABOVE_BODY)
  if (writeKey !== undefined && writeKey === readToken) errors.push(SAME_KEYS)
  return errors.length > 0 ? E.left(errors) : E.right({ ...configuration, warnings: unknownVariables(env) })
}

/** Written out, so that the compiler holds every setting to its own type. */
function readAll(read: <T>(setting: Setting<T>) => T): Configuration {
  return {
    dataDirectory: read(TABLE.dataDirectory),
    host: read(TABLE.host),
    port: read(TABLE.port),
    writeKey: read(TABLE.writeKey),
    readToken: read(TABLE.readToken),
    allowedHosts: read(TABLE.allowedHosts),
    masterKey: read(TABLE.masterKey),
    auditKey: read(TABLE.auditKey),
    auditOrigin: read(TABLE.auditOrigin),
    treeHeadWebhook: read(TABLE.treeHeadWebhook),
    workspace: read(TABLE.workspace),
    eventLog: read(TABLE.eventLog),
    logCompression: read(TABLE.logCompression),
    builds: read(TABLE.builds),
    duplicates: read(TABLE.duplicates),
    duplicatesHours: read(TABLE.duplicatesHours),
    indexMemoryMb: read(TABLE.indexMemoryMb),
    natsUrl: read(TABLE.natsUrl),
    natsIntake: read(TABLE.natsIntake),
    natsPort: read(TABLE.natsPort),
    esdbPort: read(TABLE.esdbPort),
    esdbTlsCert: read(TABLE.esdbTlsCert),
    esdbTlsKey: read(TABLE.esdbTlsKey),
    esdbTlsClientCa: read(TABLE.esdbTlsClientCa),
    esdbAnonymous: read(TABLE.esdbAnonymous),
    bodyLimitBytes: read(TABLE.bodyLimitBytes),
    eventLimitBytes: read(TABLE.eventLimitBytes),
    maxDepth: read(TABLE.maxDepth),
    queueEvents: read(TABLE.queueEvents),
    queueBytes: read(TABLE.queueBytes),
    afterWaitMs: read(TABLE.afterWaitMs),
    pageLimit: read(TABLE.pageLimit),
    keyBackupDays: read(TABLE.keyBackupDays),
    erasureWaitHours: read(TABLE.erasureWaitHours),
    pullFile: read(TABLE.pullFile),
    url: read(TABLE.url),
    logLevel: read(TABLE.logLevel),
  }
}

const EVENT_ABOVE_BODY: ConfigurationError = {
  variable: TABLE.eventLimitBytes.name,
  message: `${TABLE.eventLimitBytes.name} must not exceed ${TABLE.bodyLimitBytes.name}.`,
}

/** A key that does both would let every tracker read customers. */
const SAME_KEYS: ConfigurationError = {
  variable: TABLE.readToken.name,
  message: `${TABLE.readToken.name} must differ from ${TABLE.writeKey.name}.`,
}

function sentence(setting: Setting<unknown>, stated: string, problem: string): string {
  const shown = setting.secret ? '' : `; it is ${JSON.stringify(stated.slice(0, 100))}`
  return `${setting.name} ${problem}${shown}.`
}

function unknownVariables(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const known = new Set(settingNames())
  return Object.keys(env)
    .filter((name) => name.startsWith('HEADWATER_') && !known.has(name))
    .sort()
    .map((name) => `${name} is set, but nothing reads it: is it misspelt?`)
}

/** Names of everything that can be set. */
export function settingNames(): readonly string[] {
  return Object.values(TABLE).map(({ name }) => name)
}

/** The table as Markdown, as the README shows it. */
export function configurationTable(): string {
  const rows = Object.values(TABLE).map(
    ({ name, type, shown, unit, about }) => `| \`${name}\` | ${type} | ${shown} | ${unit} | ${about} |`,
  )
  return [
    '| variable | type | default | unit | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}
