/**
 * Theorem: what the container files say agrees with the code and with each other: they parse, every path is there, ports,
 * names and values are those of the configuration table, images are exact, each service has health check and limits,
 * Prometheus reaches the engine, the dashboard asks for metrics that there are, and the tree that the image is made of runs
 * and passes its own health check. Each check finds its mistake. (Nothing here starts a container.)
 */
import { spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import * as t from 'io-ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfiguration } from '../../api/configuration.ts'
import {
  composeComplaints,
  engineEnvironment,
  imageEnvironment,
  instructionsOf,
  isInBuild,
  ROOT,
  read,
  readCompose,
  scrapeComplaints,
  strictYaml,
} from '../support/compose.ts'
import { freePort, WRITE_KEY } from '../support/engine-process.ts'
import { describeNats } from '../support/nats-server.ts'

const COMPOSE = read('docker-compose.yml')
const DOCKERFILE = read('Dockerfile')
const IGNORE = read('.dockerignore')
const DASHBOARD = 'api/deploy/grafana/dashboards/headwater.json'

const compose = readCompose(COMPOSE)
const instructions = instructionsOf(DOCKERFILE)

describe('docker-compose.yml', () => {
  test('agrees with the code', () => {
    expect(composeComplaints(COMPOSE)).toEqual([])
    expect([...compose.services.keys()].sort()).toEqual([
      ...['eventstore', 'grafana', 'headwater', 'nats', 'postgres', 'prometheus'],
    ])
  })

  test.each([
    ['127.0.0.1:7070:7070', '127.0.0.1:7071:7071', "headwater doesn't publish 7070"],
    ['127.0.0.1:7070:7070', '7070:7070', 'is not on loopback'],
    ['127.0.0.1:7070:7070', '127.0.0.1:80:7070', 'changes the number'],
    ['nats://nats:4222', 'nats://nats:4223', "nats doesn't publish 4223"],
    ['nats://nats:4222', 'nats://queue:4222', 'NATS_URL names queue'],
    ['NATS_INTAKE: jetstream', 'NATS_INTAKE: both', 'NATS_INTAKE must be one of'],
    [
      'HEADWATER_ALLOWED_HOSTS: headwater',
      'HEADWATER_ALLOWED_HOSTS: other',
      "doesn't answer to headwater:7070",
    ],
    ['HEADWATER_ALLOWED_HOSTS:', 'HEADWATER_ALLOWED_HOST:', "the engine doesn't know HEADWATER_ALLOWED_HOST"],
    ['      HEADWATER_LOG: esdb', '      # HEADWATER_LOG: esdb', 'HEADWATER_LOG names no EventStoreDB'],
    ['esdb://eventstore:2113', 'esdb://events:2113', 'HEADWATER_LOG names events'],
    ['esdb://eventstore:2113', 'esdb://eventstore:2114', "eventstore doesn't publish 2114"],
    ['esdb://eventstore:2113', 'http://eventstore:2113', 'HEADWATER_LOG must be embedded, or'],
    ['2113?tls=false', '2113', 'differ in TLS'],
    [
      '      eventstore:\n        condition: service_healthy',
      '      eventstore:\n        condition: service_started',
      'the engine doesn’t wait for EventStoreDB',
    ],
    ['image: headwater:0.1.0', 'image: headwater:9.9.9', 'the package is'],
    ['nats:2.11.6-alpine', 'nats:latest', 'names no exact version'],
    ['postgres:17.6-alpine', 'postgres:17', 'names no exact version'],
    ['eventstore/eventstore:24.10.5', 'eventstore/eventstore', 'names no exact version'],
    ['./api/deploy/nats.conf:', './api/deploy/absent.conf:', 'absent.conf is not in the repository'],
    ['nats.conf:/etc/nats/nats.conf:ro', 'nats.conf:/etc/nats/nats.conf', 'can be written from inside'],
    ['- grafana:/var/lib/grafana', '- graphana:/var/lib/grafana', 'no volume graphana'],
    ['- headwater:/data', '- headwater:/var/data', 'the data is in no volume'],
    ['  eventstore-logs:\n', '  eventstore-logs:\n  spare:\n', 'spare is mounted nowhere'],
    [
      'condition: service_healthy\n    healthcheck:\n      test: [CMD, node',
      'condition: healthy\n    healthcheck:\n      test: [CMD, node',
      'unknown condition healthy',
    ],
    [
      '      prometheus:\n        condition',
      '      postgres:\n        condition',
      'postgres, which is off by default',
    ],
    [
      '      prometheus:\n        condition',
      '      promotheus:\n        condition',
      'promotheus, which is no service',
    ],
    [
      'healthcheck:\n      test: [CMD, pg',
      'healthchek:\n      test: [CMD, pg',
      'postgres: unknown key healthchek',
    ],
    [
      'healthcheck:\n      test: [CMD, pg',
      'healthchek:\n      test: [CMD, pg',
      'postgres: wrong or missing healthcheck',
    ],
    ['          memory: 1g', '          memory: ""', 'has no limits'],
    ['  cap_drop: [ALL]', '  cap_drop: []', 'keeps capabilities'],
    ["'no-new-privileges:true'", "'no-new-privileges:false'", 'may gain privileges'],
    [
      '    read_only: true\n    tmpfs: [/tmp]\n    stop',
      '    tmpfs: [/tmp]\n    stop',
      'headwater: its root can be written',
    ],
    ['    user: postgres', '    user: postgres\n    read_only: true', 'needs a root that can be written'],
    [
      'POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password',
      'POSTGRES_PASSWORD: secret',
      'stands in the file',
    ],
    ['    secrets: [postgres_password]\n', '', "names a secret that it isn't given"],
    ['name: headwater\n', 'name: headwater\nservcies: {}\n', 'unknown key servcies'],
  ])('finds %j → %j', (from, to, complaint) => {
    expect(COMPOSE).toContain(from)
    expect(composeComplaints(COMPOSE.replace(from, to)).join('\n')).toContain(complaint)
  })

  test.each([
    ['a key twice', 'name: headwater', 'name: headwater\nname: headwater'],
    ['an anchor that isn’t there', '<<: *hardened', '<<: *softened'],
    ['a tab', '    build: .', '\tbuild: .'],
  ])('doesn’t parse with %s', (_, from, to) => {
    expect(() => composeComplaints(COMPOSE.replace(from, to))).toThrow()
  })

  test('names the licence of EventStoreDB beside its image', () => {
    expect(COMPOSE).toMatch(/# Licence: Event Store License v2.*\n(?: +#.*\n)* +eventstore:\n/)
    expect(compose.services.get('eventstore')?.profiles).toBeUndefined()
  })
})

describe('what is mounted', () => {
  test('Prometheus asks the engine where it listens', () => {
    const loaded = loadConfiguration(engineEnvironment(compose))
    if (loaded._tag === 'Left') throw new Error(loaded.left[0]?.message)
    const prometheus = read('api/deploy/prometheus.yml')
    expect(scrapeComplaints(prometheus, loaded.right)).toEqual([])
    expect(scrapeComplaints(prometheus.replace(':7070', ':7071'), loaded.right)).toEqual([
      'Prometheus asks headwater:7071',
    ])
    expect(scrapeComplaints(prometheus.replace(': /metrics', ': /metric'), loaded.right)).toEqual([
      'Prometheus asks for /metric',
    ])
  })

  test('every YAML file parses strictly', () => {
    const files = globSync('api/deploy/**/*.yml', { cwd: ROOT })
    expect(files.length).toBeGreaterThan(2)
    for (const file of files) expect(strictYaml(read(file)), file).toBeTypeOf('object')
  })

  test('Grafana finds its source of data and its dashboards', () => {
    const mounts = new Map(
      compose.services.get('grafana')?.volumes.map((volume) => [volume.split(':')[1], volume.split(':')[0]]),
    )
    const provider = strictYaml(read('api/deploy/grafana/provisioning/dashboards/headwater.yml'))
    const providers = t.type({ providers: t.array(t.type({ options: t.type({ path: t.string }) })) })
    if (!providers.is(provider)) throw new Error('no providers')
    const folder = mounts.get(provider.providers[0]?.options.path ?? '')
    expect(join(ROOT, folder ?? '')).toBe(dirname(join(ROOT, DASHBOARD)))
    const sources = strictYaml(read('api/deploy/grafana/provisioning/datasources/prometheus.yml'))
    const source = t.type({ datasources: t.array(t.type({ uid: t.string, url: t.string })) })
    if (!source.is(sources)) throw new Error('no datasources')
    expect(sources.datasources[0]?.uid).toBe('prometheus')
    const { hostname, port } = new URL(sources.datasources[0]?.url ?? '')
    expect(compose.services.get(hostname)?.ports).toEqual([`127.0.0.1:${port}:${port}`])
    const home =
      compose.services.get('grafana')?.environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'] ?? ''
    expect(existsSync(join(ROOT, mounts.get(dirname(home)) ?? '', relative(dirname(home), home)))).toBe(true)
  })

  test('NATS listens where the engine asks, takes what the engine takes, keeps it in its volume', () => {
    const conf = read('api/deploy/nats.conf')
    const value = (key: string) => new RegExp(`^\\s*${key}: (\\S+)$`, 'm').exec(conf)?.[1]
    const loaded = loadConfiguration({})
    if (loaded._tag === 'Left') throw new Error('the defaults are wrong')
    expect(Number(value('port'))).toBe(loaded.right.natsPort)
    expect(Number(value('max_payload'))).toBe(loaded.right.bodyLimitBytes)
    const nats = compose.services.get('nats')
    expect(nats?.volumes).toContain(`nats:${value('store_dir')}`)
    expect(nats?.healthcheck.test.join(' ')).toContain(`http://${value('http')}/healthz`)
    expect(nats?.command).toEqual([
      '-c',
      nats?.volumes.find((volume) => volume.startsWith('./'))?.split(':')[1],
    ])
  })
})

describeNats('api/deploy/nats.conf', () => {
  test('is one that nats-server takes', () => {
    const { status, stderr } = spawnSync('nats-server', ['-t', '-c', join(ROOT, 'api/deploy/nats.conf')], {
      encoding: 'utf8',
    })
    expect(stderr).toContain('is valid')
    expect(status).toBe(0)
  })
})

const SENSITIVE = [
  ...[
    'data/log/00000000000000000001.hwl',
    'data/credentials.json',
    'data/keys/master.key',
    'data/keys/keys.sqlite',
  ],
  ...['.env', 'headwater.env', 'api/.env', 'api/x/headwater.env', 'engine/credentials.json', '.git/config'],
  ...['node_modules/pino/package.json', 'test/cli/world.ts', 'bench/main.ts', 'api/deploy/nats.conf'],
]

/** Sources of the COPY instructions that come from the repository. */
const copied = instructions
  .filter(([name, rest]) => name === 'COPY' && !rest.startsWith('--from='))
  .map(([, rest]) => rest.split(/\s+/))
  .map((words) => ({ sources: words.slice(0, -1), target: words.at(-1) ?? '' }))

const inBuild = (path: string): boolean => isInBuild(IGNORE, path)

describe('Dockerfile and .dockerignore', () => {
  test('the Node of the image is the one that the package brings', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
    const bases = instructions.filter(([name]) => name === 'FROM').map(([, rest]) => rest.split(' ')[0])
    expect(new Set(bases)).toEqual(new Set([`node:${dependencies['node']}-slim`]))
    expect(bases.length).toBe(2)
  })

  test('every path that is copied is there and gets into the build', () => {
    const sources = copied.flatMap((each) => each.sources)
    expect(sources.length).toBeGreaterThan(4)
    for (const source of sources) {
      expect(existsSync(join(ROOT, source)), source).toBe(true)
      expect(inBuild(source), source).toBe(true)
    }
  })

  test('no data, keys or settings get into the build', () => {
    expect(SENSITIVE.filter(inBuild)).toEqual([])
    const needed = [
      'api/headwater.mjs',
      'api/deploy/healthcheck.mjs',
      'engine/log/log.ts',
      'projections/catalog.ts',
    ]
    expect(needed.filter((path) => !inBuild(path))).toEqual([])
    // The rule bites: without the first line all of it would.
    expect(SENSITIVE.filter((path) => isInBuild(IGNORE.replace(/^\*$/m, ''), path))).toContain(
      'node_modules/pino/package.json',
    )
    expect(SENSITIVE.filter((path) => isInBuild(IGNORE.replace('**/*.env\n', ''), path))).toEqual([
      'api/x/headwater.env',
    ])
  })

  test('runs as a user without rights, with its data in a volume, and stops as the engine expects', () => {
    const of = (wanted: string) => instructions.filter(([name]) => name === wanted).map(([, rest]) => rest)
    expect(of('USER')).toEqual(['node'])
    expect(of('VOLUME')).toEqual([imageEnvironment(DOCKERFILE)['HEADWATER_DATA']])
    expect(of('STOPSIGNAL')).toEqual(['SIGTERM'])
    expect(of('EXPOSE')).toEqual(['7070'])
    const check = JSON.parse(/CMD (\[.*\])$/.exec(of('HEALTHCHECK')[0] ?? '')?.[1] ?? '[]') as string[]
    expect(['CMD', ...check]).toEqual(compose.services.get('headwater')?.healthcheck.test)
  })

  test('every package that the copied sources import is a dependency, not one of development', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
    const sources = globSync('{engine,projections,api}/**/*.{ts,mjs}', { cwd: ROOT }).filter(inBuild)
    const imported = sources.flatMap((file) =>
      [
        ...read(file).matchAll(
          /^(?:import|export)\b(?! type)[^'"]*?from '([^'.][^']*)'|\bimport\('([^'.][^']*)'\)/gm,
        ),
      ].map(([, named, dynamic]) => named ?? dynamic ?? ''),
    )
    const packages = new Set(
      imported
        .filter((name) => !name.startsWith('node:'))
        .map((name) =>
          name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/'),
        ),
    )
    expect(packages.size).toBeGreaterThan(8)
    expect([...packages].filter((name) => dependencies[name] === undefined)).toEqual([])
  })
})

describe('the tree that the image is made of', () => {
  const tree = mkdtempSync(join(tmpdir(), 'headwater-image-'))
  const command = JSON.parse(instructions.findLast(([name]) => name === 'CMD')?.[1] ?? '[]') as string[]
  const health = compose.services.get('headwater')?.healthcheck.test.slice(1) ?? []
  let stop: (() => Promise<number | null>) | undefined
  let url = ''
  let env: Record<string, string> = {}

  beforeAll(async () => {
    for (const { sources, target } of copied)
      for (const source of sources) {
        const to = target.endsWith('/') ? join(tree, target, source) : join(tree, target)
        mkdirSync(dirname(to), { recursive: true })
        cpSync(join(ROOT, source), to, {
          recursive: true,
          filter: (path) => statSync(path).isDirectory() || inBuild(relative(ROOT, path)),
        })
      }
    symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    env = {
      ...imageEnvironment(DOCKERFILE),
      HEADWATER_DATA: join(tree, 'data'),
      HEADWATER_PORT: String(port),
      HEADWATER_WRITE_KEY: WRITE_KEY,
      HEADWATER_ALLOWED_HOSTS: engineEnvironment(compose)['HEADWATER_ALLOWED_HOSTS'] ?? '',
      PATH: '',
    }
  })
  afterAll(async () => {
    await stop?.()
    rmSync(tree, { recursive: true, force: true })
  })

  /** With this Node in place of the image's. */
  const run = (words: readonly string[], more: readonly string[] = []) =>
    spawnSync(process.execPath, [...words.slice(1), ...more], {
      cwd: tree,
      env,
      encoding: 'utf8',
      timeout: 20_000,
    })

  test('its command is the engine’s', () => {
    expect(command[0]).toBe('node')
    const { status, stdout } = run(command, ['--help'])
    expect(stdout).toContain('Usage: headwater start')
    expect(status).toBe(0)
  })

  test('starts, is healthy by its own check, answers Prometheus, and stops with the signal', async () => {
    expect(health[0]).toBe('node')
    expect(existsSync(join(tree, health[1] ?? ''))).toBe(true)
    expect(run(health).status).toBe(1)
    const child = spawn(process.execPath, command.slice(1), { cwd: tree, env, stdio: 'ignore' })
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
    stop = () => {
      child.kill('SIGTERM')
      return ended
    }
    await expect.poll(() => run(health).status, { timeout: 30_000 }).toBe(0)
    const event = { id: '1', source: 'web', type: 'cdp.identify', data: { userId: '1' } }
    const headers = { authorization: `Bearer ${WRITE_KEY}`, 'content-type': 'application/json' }
    const sent = await fetch(`${url}/v1/events`, {
      method: 'POST',
      headers,
      body: JSON.stringify([event, { ...event, id: '2', data: { userId: {} } }]),
    })
    expect(sent.status).toBe(200)
    await expect
      .poll(async () =>
        (await (await fetch(`${url}/metrics`)).text()).match(/^headwater_projected_position 2$/m),
      )
      .not.toBeNull()

    const metrics = await (await fetch(`${url}/metrics`)).text()
    const samples = new Set(metrics.split('\n').map((line) => /^(headwater_\w+)[ {]/.exec(line)?.[1]))
    const labels = new Set([...metrics.matchAll(/[{,](\w+)="/g)].map(([, label]) => label))
    const { names, grouped } = asked(readFileSync(join(ROOT, DASHBOARD), 'utf8'))
    expect(names.size).toBeGreaterThan(25)
    expect([...names].filter((name) => !samples.has(name))).toEqual([])
    expect([...grouped].filter((label) => !labels.has(label))).toEqual([])
    // The rule bites.
    expect(samples.has('headwater_intake_events')).toBe(false)
    expect(await stop()).toBe(0)
  })
})

const PANELS = t.type({
  uid: t.string,
  panels: t.array(
    t.type({
      id: t.number,
      title: t.string,
      datasource: t.type({ uid: t.literal('prometheus') }),
      gridPos: t.type({ x: t.number, y: t.number, w: t.number, h: t.number }),
      fieldConfig: t.type({ defaults: t.type({ unit: t.string }) }),
      targets: t.array(t.type({ expr: t.string, refId: t.string })),
    }),
  ),
})

/** Metrics and labels that a dashboard's expressions name. */
function asked(text: string): { names: ReadonlySet<string>; grouped: ReadonlySet<string> } {
  const dashboard: unknown = JSON.parse(text)
  if (!PANELS.is(dashboard)) throw new Error('no dashboard')
  const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
  const names = expressions.flatMap((expr) => expr.match(/headwater_\w+/g) ?? [])
  const grouped = expressions.flatMap((expr) => [
    ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', ')),
    ...[...expr.matchAll(/[{,](\w+)=/g)].map(([, label = '']) => label),
  ])
  return { names: new Set(names), grouped: new Set(grouped) }
}

test('the dashboard is one: ids once, nothing overlaps, brackets close, every panel has a unit and a title', () => {
  const dashboard: unknown = JSON.parse(read(DASHBOARD))
  if (!PANELS.is(dashboard)) throw new Error('no dashboard')
  const { panels } = dashboard
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
  )
  expect(new Set(cells).size).toBe(cells.length)
  expect(panels.filter(({ gridPos }) => gridPos.x + gridPos.w > 24)).toEqual([])
  for (const { targets, fieldConfig } of panels) {
    expect(fieldConfig.defaults.unit).not.toBe('')
    for (const { expr } of targets)
      for (const [open, close] of ['()', '{}', '[]'] as const)
        expect(expr.split(open ?? '').length, expr).toBe(expr.split(close ?? '').length)
  }
})
