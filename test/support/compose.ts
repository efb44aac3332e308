import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as t from 'io-ts'
import { parseDocument } from 'yaml'
import { loadConfiguration, settingNames } from '../../api/configuration.ts'
import { hostChecker } from '../../api/security.ts'

/** What is asked of the container files, as functions of their text, so that a test can hold a spoilt one against them. */

export const ROOT = join(import.meta.dirname, '..', '..')

export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** Strict YAML 1.2 with merge keys; throws where there is an error, a warning or a key that stands twice. */
export function strictYaml(text: string): unknown {
  const document = parseDocument(text, { strict: true, uniqueKeys: true, merge: true, prettyErrors: true })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw problem
  return document.toJS()
}

const healthcheck = t.exact(
  t.type({
    test: t.array(t.string),
    interval: t.string,
    timeout: t.string,
    start_period: t.string,
    retries: t.number,
  }),
)

/** The part of the Compose specification that is used here; anything else is taken for a misspelling. */
const SERVICE = t.intersection([
  t.type({
    image: t.string,
    restart: t.string,
    cap_drop: t.array(t.string),
    security_opt: t.array(t.string),
    logging: t.UnknownRecord,
    ports: t.array(t.string),
    volumes: t.array(t.string),
    healthcheck,
    deploy: t.type({
      resources: t.type({ limits: t.type({ cpus: t.string, memory: t.string }) }),
    }),
  }),
  t.partial({
    build: t.string,
    command: t.array(t.string),
    depends_on: t.record(t.string, t.type({ condition: t.string })),
    env_file: t.array(t.type({ path: t.string, required: t.boolean })),
    environment: t.record(t.string, t.string),
    profiles: t.array(t.string),
    read_only: t.boolean,
    secrets: t.array(t.string),
    stop_grace_period: t.string,
    tmpfs: t.array(t.string),
    user: t.string,
  }),
])

export type Service = t.TypeOf<typeof SERVICE>

const SERVICE_KEYS = new Set(SERVICE.types.flatMap(({ props }) => Object.keys(props)))

const COMPOSE = t.type({
  name: t.string,
  services: t.record(t.string, t.UnknownRecord),
  volumes: t.record(t.string, t.unknown),
  secrets: t.record(t.string, t.type({ environment: t.string })),
})

export interface Compose {
  readonly services: ReadonlyMap<string, Service>
  readonly volumes: readonly string[]
  readonly secrets: readonly string[]
  /** What isn't of the form expected. */
  readonly complaints: readonly string[]
}

export function readCompose(text: string): Compose {
  const document = strictYaml(text)
  if (!COMPOSE.is(document))
    return { services: new Map(), volumes: [], secrets: [], complaints: ['no compose file'] }
  const complaints = Object.keys(document)
    .filter((key) => !(key in COMPOSE.props) && !key.startsWith('x-'))
    .map((key) => `unknown key ${key}`)
  const services = new Map<string, Service>()
  for (const [name, body] of Object.entries(document.services)) {
    for (const key of Object.keys(body))
      if (!SERVICE_KEYS.has(key)) complaints.push(`${name}: unknown key ${key}`)
    const decoded = SERVICE.decode(body)
    if (decoded._tag === 'Right') services.set(name, decoded.right)
    else {
      const at = decoded.left.map(({ context }) =>
        context.map(({ key }) => key).filter((key) => /^[a-z_]/.test(key)),
      )
      complaints.push(
        `${name}: wrong or missing ${[...new Set(at.map((path) => path.join('.')))].join(', ')}`,
      )
    }
  }
  return {
    services,
    volumes: Object.keys(document.volumes),
    secrets: Object.keys(document.secrets),
    complaints,
  }
}

/** Everything that is wrong with the compose file. */
export function composeComplaints(text: string): readonly string[] {
  const compose = readCompose(text)
  const perService = [...compose.services].flatMap(([name, service]) =>
    [
      ...imageComplaints(service),
      ...hardeningComplaints(service),
      ...portComplaints(service),
      ...volumeComplaints(service, compose),
      ...dependencyComplaints(service, compose),
      ...secretComplaints(service, compose),
    ].map((complaint) => `${name}: ${complaint}`),
  )
  const mounted = [...compose.services.values()].flatMap(({ volumes }) =>
    volumes.map((volume) => volume.split(':')[0]),
  )
  const unused = compose.volumes.filter((volume) => !mounted.includes(volume))
  return [
    ...compose.complaints,
    ...perService,
    ...unused.map((volume) => `the volume ${volume} is mounted nowhere`),
    ...engineComplaints(compose),
  ]
}

function imageComplaints({ image, build }: Service): readonly string[] {
  const tag = image.split(':')[1] ?? ''
  if (build !== undefined) {
    const { version } = JSON.parse(read('package.json')) as { version: string }
    return tag === version ? [] : [`its image is ${tag}, the package is ${version}`]
  }
  // PostgreSQL's releases have two numbers.
  const exact = image.startsWith('postgres:')
    ? /^\d+\.\d+(?:-[a-z0-9.]+)?$/
    : /^v?\d+\.\d+\.\d+(?:-[a-z0-9.]+)?$/
  return exact.test(tag) ? [] : [`${image} names no exact version`]
}

function hardeningComplaints(service: Service): readonly string[] {
  const { cap_drop, security_opt, read_only, restart, secrets, deploy, image } = service
  const { cpus, memory } = deploy.resources.limits
  const readOnly = read_only === true || secrets !== undefined || image.startsWith('eventstore/')
  return [
    ...(cap_drop.includes('ALL') ? [] : ['keeps capabilities']),
    ...(security_opt.includes('no-new-privileges:true') ? [] : ['may gain privileges']),
    ...(readOnly ? [] : ['its root can be written']),
    ...(restart === 'unless-stopped' ? [] : ['is not restarted']),
    ...(Number(cpus) > 0 && /^\d+[mg]$/.test(memory) ? [] : ['has no limits']),
  ]
}

function portComplaints({ ports }: Service): readonly string[] {
  return ports.flatMap((port) => {
    const [, outside, inside] = /^127\.0\.0\.1:(\d+):(\d+)$/.exec(port) ?? []
    if (outside === undefined) return [`${port} is not on loopback`]
    return outside === inside ? [] : [`${port} changes the number`]
  })
}

function volumeComplaints({ volumes }: Service, compose: Compose): readonly string[] {
  return volumes.flatMap((volume) => {
    const [source = '', target = '', mode] = volume.split(':')
    if (!target.startsWith('/')) return [`${volume} is mounted nowhere`]
    if (!source.startsWith('.')) return compose.volumes.includes(source) ? [] : [`no volume ${source}`]
    if (!existsSync(join(ROOT, source))) return [`${source} is not in the repository`]
    return mode === 'ro' ? [] : [`${source} can be written from inside`]
  })
}

function dependencyComplaints(
  { depends_on = {}, profiles }: Service,
  { services }: Compose,
): readonly string[] {
  return Object.entries(depends_on).flatMap(([name, { condition }]) => {
    const target = services.get(name)
    if (target === undefined) return [`depends on ${name}, which is no service`]
    if (!['service_healthy', 'service_started'].includes(condition)) return [`unknown condition ${condition}`]
    return target.profiles === undefined || profiles !== undefined
      ? []
      : [`depends on ${name}, which is off by default`]
  })
}

function secretComplaints(
  { secrets = [], environment = {}, read_only }: Service,
  compose: Compose,
): readonly string[] {
  const files = Object.entries(environment).flatMap(([name, value]) =>
    /^\/run\/secrets\//.test(value) && !secrets.includes(value.slice('/run/secrets/'.length))
      ? [`${name} names a secret that it isn't given`]
      : [],
  )
  const plain = Object.keys(environment).filter((name) => /PASSWORD$|SECRET$|TOKEN$|_KEY$/.test(name))
  return [
    ...files,
    ...plain.map((name) => `${name} stands in the file`),
    ...secrets.filter((name) => !compose.secrets.includes(name)).map((name) => `no secret ${name}`),
    // https://github.com/docker/compose/issues/12031
    ...(secrets.length > 0 && read_only === true
      ? ['a secret of the environment needs a root that can be written']
      : []),
  ]
}

/** What the engine's container is started with, over what the image sets. */
export function engineEnvironment(compose: Compose): Readonly<Record<string, string>> {
  return { ...imageEnvironment(read('Dockerfile')), ...compose.services.get('headwater')?.environment }
}

function engineComplaints(compose: Compose): readonly string[] {
  const engine = compose.services.get('headwater')
  if (engine === undefined) return ['there is no engine']
  const environment = engineEnvironment(compose)
  const loaded = loadConfiguration(environment)
  if (loaded._tag === 'Left') return loaded.left.map(({ message }) => message)
  const { right: configuration } = loaded
  const known = new Set([...settingNames(), 'NODE_ENV'])
  const nats = new URL(configuration.natsUrl ?? 'nats://absent')
  return [
    ...Object.keys(environment)
      .filter((name) => !known.has(name))
      .map((name) => `the engine doesn't know ${name}`),
    ...published('headwater', engine, configuration.port),
    ...(compose.services.has(nats.hostname)
      ? published(nats.hostname, compose.services.get(nats.hostname), Number(nats.port))
      : [`NATS_URL names ${nats.hostname}, which is no service`]),
    ...(engine.volumes.includes(`headwater:${configuration.dataDirectory}`)
      ? []
      : ['the data is in no volume']),
    ...(engine.depends_on?.[nats.hostname]?.condition === 'service_healthy'
      ? []
      : ['the engine doesn’t wait for NATS']),
    ...logComplaints(engine, configuration.eventLog, compose),
    ...scrapeComplaints(read('api/deploy/prometheus.yml'), configuration),
  ]
}

function published(name: string, service: Service | undefined, port: number): readonly string[] {
  return service?.ports.includes(`127.0.0.1:${port}:${port}`) === true
    ? []
    : [`${name} doesn't publish ${port}`]
}

const PROMETHEUS = t.type({
  scrape_configs: t.array(
    t.intersection([
      t.type({ job_name: t.string, static_configs: t.array(t.type({ targets: t.array(t.string) })) }),
      t.partial({ metrics_path: t.string }),
    ]),
  ),
})

/** Prometheus asks the engine's port, by a name that the engine answers to. */
export function scrapeComplaints(
  text: string,
  engine: { readonly host: string; readonly port: number; readonly allowedHosts: readonly string[] },
): readonly string[] {
  const document = strictYaml(text)
  if (!PROMETHEUS.is(document)) return ['no configuration of Prometheus']
  const job = document.scrape_configs.find(({ job_name }) => job_name === 'headwater')
  const target = job?.static_configs[0]?.targets[0]
  if (target !== `headwater:${engine.port}`) return [`Prometheus asks ${target}`]
  const refused = hostRefused(target, engine) ? [`the engine doesn't answer to ${target}`] : []
  return job?.metrics_path === '/metrics' ? refused : [...refused, `Prometheus asks for ${job?.metrics_path}`]
}

function hostRefused(
  host: string,
  engine: { readonly host: string; readonly allowedHosts: readonly string[] },
): boolean {
  try {
    hostChecker(engine)(host)
    return false
  } catch {
    return true
  }
}

/** The log lies in the EventStoreDB that stands beside the engine, which waits for it and speaks to it as it is set up. */
function logComplaints(engine: Service, eventLog: string, compose: Compose): readonly string[] {
  const [, host = '', port, query] = /^esdb:\/\/([^:/?]+):(\d+)(\?.*)?$/.exec(eventLog) ?? []
  const target = compose.services.get(host)
  if (target === undefined) return [`HEADWATER_LOG names ${host || 'no EventStoreDB'}, which is no service`]
  const isInsecure = target.environment?.['EVENTSTORE_INSECURE'] === 'true'
  return [
    ...published(host, target, Number(port)),
    ...(isInsecure === (query === '?tls=false') ? [] : ['HEADWATER_LOG and EventStoreDB differ in TLS']),
    ...(engine.depends_on?.[host]?.condition === 'service_healthy'
      ? []
      : ['the engine doesn’t wait for EventStoreDB']),
  ]
}

/** `ENV` of the last stage. */
export function imageEnvironment(dockerfile: string): Readonly<Record<string, string>> {
  const last = instructionsOf(dockerfile).slice(
    instructionsOf(dockerfile).findLastIndex(([name]) => name === 'FROM'),
  )
  const pairs = last.filter(([name]) => name === 'ENV').flatMap(([, rest]) => rest.split(/\s+/))
  return Object.fromEntries(pairs.map((pair) => [pair.split('=')[0] ?? '', pair.split('=')[1] ?? '']))
}

/** Name and the rest of each instruction, continued lines joined. */
export function instructionsOf(dockerfile: string): readonly (readonly [name: string, rest: string])[] {
  const lines = dockerfile
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
  return lines
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => [line.split(' ', 1)[0] ?? '', line.slice(line.indexOf(' ') + 1).trim()] as const)
}

/** Whether a path gets into the build, by .dockerignore's rules: the last pattern that matches it or a folder of it decides. */
export function isInBuild(ignore: string, path: string): boolean {
  const folders = path.split('/').map((_, depth, parts) => parts.slice(0, depth + 1).join('/'))
  let included = true
  for (const line of ignore.split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue
    const pattern = globOf(line.replace(/^!/, ''))
    if (folders.some((folder) => pattern.test(folder))) included = line.startsWith('!')
  }
  return included
}

function globOf(pattern: string): RegExp {
  const source = pattern
    .split(/(\*\*\/|\*\*|\*)/)
    .map((part) =>
      part === '**/'
        ? '(?:.*/)?'
        : part === '**'
          ? '.*'
          : part === '*'
            ? '[^/]*'
            : part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'),
    )
    .join('')
  return new RegExp(`^${source}$`)
}
