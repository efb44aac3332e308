/**
 * Theorem: `headwater doctor` finds each state of a machine or an installation that keeps an engine from working, says
 * what to do, and ends with 1 if and only if something failed; it changes no file, leaves a running engine alone, and
 * names no customer and no secret.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'nats'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Terminal } from '../../api/cli/command.ts'
import { processTerminal } from '../../api/cli/terminal.ts'
import { main } from '../../api/cli.ts'
import { examine } from '../../api/doctor/doctor.ts'
import { nearest } from '../../api/doctor/environment.ts'
import type { Finding } from '../../api/doctor/finding.ts'
import { type Machine, systemMachine } from '../../api/doctor/machine.ts'
import { checkRunning } from '../../api/doctor/running.ts'
import { manualClock, systemClock } from '../../engine/clock.ts'
import { systemFiles } from '../../engine/log/embedded/files.ts'
import { faultyFiles, noFaults } from '../log/faulty-files.ts'
import { EngineProcess, freePort, READ_TOKEN, WRITE_KEY } from '../support/engine-process.ts'
import { describeNats, testNatsServer } from '../support/nats-server.ts'
import { CLI } from './world.ts'

const NAME = 'Zephyrine'
const EMAIL = 'zephyrine@mail.example'
const SECRET = 'hush-0815-hush-0815'
const WITHOUT_NATS = { PATH: '' }

const root = mkdtempSync(join(tmpdir(), 'headwater-doctor-'))
/** A stopped installation with events, a quarantined one among them; tests copy it. */
const healthy = join(root, 'healthy')
/** The same before its last events. */
const earlier = join(root, 'earlier')
const printed: string[] = []
let data = ''
let port = 0

const identify = (id: string, name: string) => ({
  id,
  source: 'web',
  type: 'cdp.identify',
  data: { userId: name, traits: { email: `${name}.${EMAIL}`, firstName: NAME } },
})

async function send(engine: EngineProcess, events: readonly object[]): Promise<number> {
  const answer = await engine.post('/v1/events', JSON.stringify(events))
  const { position } = (await answer.json()) as { position: number }
  await engine.get(`/v1/projections?after=${position}`)
  return position
}

beforeAll(async () => {
  port = await freePort()
  const engine = new EngineProcess(port, healthy, WITHOUT_NATS)
  await engine.start()
  for (const at of [0, 1, 2]) await send(engine, [identify(`a${at}`, `early-${at}`)])
  await engine.kill('SIGTERM')
  cpSync(healthy, earlier, { recursive: true })
  await engine.start()
  const many = Array.from({ length: 450 }, (_, at) => identify(`b${at}`, `late-${at}`))
  await send(engine, many)
  await send(engine, [{ ...identify('c', 'bad'), data: { userId: {} } }])
  await engine.kill('SIGTERM')
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

beforeEach(async () => {
  data = mkdtempSync(join(root, 'data-'))
  cpSync(healthy, data, { recursive: true })
  port = await freePort()
})
afterEach(() => {
  rmSync(data, { recursive: true, force: true })
})

interface Seen {
  readonly code: number
  readonly checks: readonly Finding[]
}

const PROCESS = processTerminal(systemClock)

function environment(env: Readonly<Record<string, string>>): Record<string, string> {
  const keys = { HEADWATER_WRITE_KEY: WRITE_KEY, HEADWATER_READ_TOKEN: READ_TOKEN }
  return { PATH: '', HEADWATER_DATA: data, HEADWATER_PORT: String(port), ...keys, ...env }
}

async function doctor(env: Readonly<Record<string, string>> = {}): Promise<Seen> {
  const out: string[] = []
  const terminal: Terminal = { ...PROCESS, env: environment(env), out: (line) => out.push(line) }
  const code = await main(['doctor', '--json'], terminal)
  printed.push(...out)
  return { code, checks: (JSON.parse(out.join('')) as { checks: Finding[] }).checks }
}

/** With a machine that is ill in some way. */
async function doctorOn(machine: Partial<Machine>, clock = systemClock): Promise<readonly Finding[]> {
  return examine({ env: environment({}), machine: { ...systemMachine, ...machine }, clock })
}

function failures({ checks }: Pick<Seen, 'checks'>): readonly string[] {
  return checks.filter(({ status }) => status === 'fail').map(({ check, message }) => `${check}: ${message}`)
}

function of(checks: readonly Finding[], check: string): readonly Finding[] {
  return checks.filter((finding) => finding.check === check)
}

/** Name, mode, size and content of everything, whatever SQLite leaves beside a database it has read. */
function fingerprint(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .filter((name) => !/-(?:wal|shm)$/.test(name))
    .map((name) => {
      const found = statSync(join(directory, name))
      const content = found.isFile() ? readFileSync(join(directory, name)) : ''
      const hash = createHash('sha256').update(content).digest('hex')
      return `${name} ${found.mode.toString(8)} ${found.size} ${hash}`
    })
}

function segmentOf(directory: string): string {
  const name = readdirSync(join(directory, 'log')).find((each) => each.endsWith('.hwl'))
  return join(directory, 'log', name ?? '')
}

function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+')
  writeSync(file, bytes, 0, bytes.length, offset)
}

test('a stopped installation that is well: everything is looked at, nothing fails, nothing is changed', async () => {
  const before = fingerprint(data)
  const { code, checks } = await doctor()
  expect(failures({ checks })).toEqual([])
  expect(code).toBe(0)
  expect([...new Set(checks.map(({ check }) => check))]).toEqual([
    ...['node', 'processor', 'memory', 'open files', 'environment', 'file system', 'disk space', 'fsync'],
    ...['data', 'permissions', 'credentials', 'engine', 'log', 'key store', 'keys and log', 'quarantine'],
    ...['erasures', 'clock', 'audit', 'read models', 'port', 'nats'],
  ])
  expect(of(checks, 'log')[0]?.message).toMatch(/^1 segment verified, last position 454$/)
  expect(of(checks, 'keys and log')[0]?.message).toMatch(
    /^of (\d+) sealed parts .* \1 open or are of erased people$/,
  )
  expect(of(checks, 'read models')[0]?.message).toBe('up to position 454 of 454')
  expect(of(checks, 'quarantine')).toMatchObject([{ status: 'warn', message: '1 event waits in quarantine' }])
  expect(fingerprint(data)).toEqual(before)
})

test('as a process: text for people, a directory that is not there yet', async () => {
  const env = environment({ HEADWATER_DATA: join(data, 'absent', 'deep') })
  const child = spawn(process.execPath, [CLI, 'doctor'], { env })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect(output).toMatch(/^ok {4}node +v26/)
  expect(output).toContain('holds nothing yet: the first start makes it')
  expect(output).toMatch(/warn {2}nats +no nats-server on the PATH.*\n +→ install one/)
  expect(output).toMatch(/\d+ ok, \d+ to look at, 0 failed\n$/)
  expect(code).toBe(0)
  expect(readdirSync(data)).not.toContain('absent')
})

describe('the log', () => {
  test('a byte that flipped before its end: where, and what to do', async () => {
    const path = segmentOf(data)
    overwrite(path, 400, Uint8Array.of(readFileSync(path).readUInt8(400) ^ 0x40))
    const before = fingerprint(data)
    const seen = await doctor()
    expect(seen.code).toBe(1)
    expect(of(seen.checks, 'log')).toMatchObject([
      { status: 'fail', message: expect.stringMatching(/\.hwl is damaged at byte \d+.*positions 1 to \d/) },
    ])
    expect(of(seen.checks, 'log')[0]?.advice).toContain('restore')
    expect(fingerprint(data)).toEqual(before)
  })

  test('a torn tail: told, not cut', async () => {
    const path = segmentOf(data)
    const bytes = readFileSync(path)
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1
    overwrite(path, end, bytes.subarray(end - 30, end))
    const before = fingerprint(data)
    const seen = await doctor()
    expect(seen.code).toBe(0)
    expect(of(seen.checks, 'torn tail')).toMatchObject([
      {
        status: 'warn',
        message: expect.stringMatching(/unfinished block at byte \d+ .* after position 454/),
      },
    ])
    expect(fingerprint(data)).toEqual(before)
  })

  test('another workspace’s', async () => {
    expect(failures(await doctor({ HEADWATER_WORKSPACE: 'other' }))[0]).toMatch(
      /^log: .*workspace default, not other/,
    )
  })

  test('a clock behind its last event', async () => {
    const received = statSync(segmentOf(healthy)).mtimeMs
    const minutesAgo = (minutes: number) => doctorOn({}, manualClock(received - minutes * 60_000))
    expect(of(await minutesAgo(2), 'clock')[0]?.status).toBe('warn')
    expect(of(await minutesAgo(30), 'clock')).toMatchObject([
      {
        status: 'fail',
        message: expect.stringContaining('30 min behind'),
        advice: expect.stringContaining('confirm'),
      },
    ])
  })
})

describe('keys and read models', () => {
  test('a wrong, a malformed, a missing master key; a missing key store', async () => {
    const wrong = await doctor({ HEADWATER_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') })
    expect(failures(wrong)).toEqual(['key store: the master key is not the one it was written under'])
    expect(wrong.code).toBe(1)
    renameSync(join(data, 'keys', 'master.key'), join(data, 'away'))
    expect(failures(await doctor())[0]).toMatch(/^key store: the master key .*master\.key is missing/)
    writeFileSync(join(data, 'keys', 'master.key'), 'short', { mode: 0o600 })
    expect(failures(await doctor())[0]).toMatch(/^key store: the master key is malformed/)
    rmSync(join(data, 'keys'), { recursive: true })
    expect(failures(await doctor())[0]).toMatch(
      /^key store: .*keys\.sqlite is missing, and the log has events/,
    )
    expect(readdirSync(data)).not.toContain('keys')
  })

  test('a key store that is older than the log, or another’s', async () => {
    rmSync(join(data, 'keys'), { recursive: true })
    cpSync(join(earlier, 'keys'), join(data, 'keys'), { recursive: true })
    expect(failures(await doctor())[0]).toMatch(/^keys and log: .*none of the newest do/)
  })

  test('a log that is older than the read models', async () => {
    rmSync(join(data, 'log'), { recursive: true })
    cpSync(join(earlier, 'log'), join(data, 'log'), { recursive: true })
    expect(failures(await doctor())).toEqual([
      'audit: the log ends at position 3, and a tree head of 454 events is signed',
      'read models: they hold up to position 454, but the log ends at 3',
    ])
  })

  test('read models of another log, damaged ones, none', async () => {
    const other = new EngineProcess(port, join(root, 'other'), WITHOUT_NATS)
    await other.start()
    await send(other, [identify('x', 'other')])
    await other.kill('SIGTERM')
    for (const end of ['', '-wal', '-shm']) {
      rmSync(join(data, `read-models.sqlite${end}`), { force: true })
      cpSync(join(root, 'other', `read-models.sqlite${end}`), join(data, `read-models.sqlite${end}`), {
        filter: existsSync,
      })
    }
    expect(failures(await doctor())).toEqual([
      'read models: the event at their position 1 is another one in the log',
    ])
    for (const end of ['-wal', '-shm']) rmSync(join(data, `read-models.sqlite${end}`), { force: true })
    overwrite(join(data, 'read-models.sqlite'), 0, Buffer.alloc(4096, 9))
    expect(of((await doctor()).checks, 'read models')).toMatchObject([
      { status: 'warn', message: 'they are damaged' },
    ])
    rmSync(join(data, 'read-models.sqlite'))
    expect(of((await doctor()).checks, 'read models')[0]?.message).toContain('the next start folds them')
  })

  test('a damaged quarantine', async () => {
    overwrite(join(data, 'quarantine', 'quarantine.sqlite'), 0, Buffer.alloc(4096, 9))
    expect(failures(await doctor())).toEqual(['quarantine: quarantine.sqlite is damaged'])
  })
})

describe('the directory', () => {
  test('secrets that others can read; an open directory', async () => {
    chmodSync(join(data, 'keys', 'master.key'), 0o640)
    writeFileSync(join(data, 'credentials.json'), JSON.stringify({ writeKey: SECRET, readToken: 'x' }), {
      mode: 0o604,
    })
    chmodSync(join(data, 'credentials.json'), 0o604)
    const seen = await doctor()
    expect(seen.code).toBe(1)
    expect(failures(seen)).toEqual([
      'permissions: credentials.json can be read or written by others (mode 604)',
      'permissions: keys/master.key can be read or written by others (mode 640)',
    ])
    expect(of(seen.checks, 'permissions')[0]?.advice).toContain('chmod go-rwx')
    chmodSync(join(data, 'keys', 'master.key'), 0o600)
    chmodSync(join(data, 'credentials.json'), 0o600)
    chmodSync(data, 0o755)
    expect(of((await doctor()).checks, 'permissions')).toMatchObject([{ status: 'warn' }])
    chmodSync(segmentOf(data), 0o644)
    expect(failures(await doctor())[0]).toMatch(/^permissions: log\/\d+\.hwl can be read/)
  })

  test('credentials that are unusable', async () => {
    writeFileSync(join(data, 'credentials.json'), `{"writeKey":"${SECRET}"`, { mode: 0o600 })
    const seen = await doctor({ HEADWATER_READ_TOKEN: '' })
    expect(failures(seen)).toEqual([`credentials: ${join(data, 'credentials.json')} is unusable`])
    rmSync(join(data, 'credentials.json'))
    expect(of((await doctor({ HEADWATER_READ_TOKEN: '' })).checks, 'credentials')[0]?.status).toBe('ok')
  })

  test('a format that this release doesn’t read', async () => {
    writeFileSync(join(data, 'FORMAT'), '99\n')
    expect(failures(await doctor())).toEqual([`data: ${data} has format 99, this release reads 1`])
    rmSync(join(data, 'FORMAT'))
    expect(of((await doctor()).checks, 'data')[0]?.status).toBe('warn')
  })

  test('no room, no inodes, no right to write, a disk that fails', async () => {
    const volume = (change: object) => (path: string) => ({ ...systemMachine.volume(path), ...change })
    const full = await doctorOn({ volume: volume({ freeBytes: 1000 }) })
    expect(of(full, 'disk space')).toMatchObject([
      { status: 'fail', advice: expect.stringContaining('make room') },
    ])
    expect(of(await doctorOn({ volume: volume({ freeBytes: 5e8 }) }), 'disk space')[0]?.status).toBe('warn')
    expect(of(await doctorOn({ volume: volume({ inodes: 10, freeInodes: 0 }) }), 'inodes')[0]?.status).toBe(
      'fail',
    )
    const before = fingerprint(data)
    for (const [faults, message] of [
      [{ ...noFaults(), roomBytes: 10_000 }, 'is full (ENOSPC)'],
      [{ ...noFaults(), failing: { call: 'create', code: 'EROFS' } }, "can't be written (EROFS)"],
      [{ ...noFaults(), failing: { call: 'sync', code: 'EIO' } }, 'failed (EIO)'],
    ] as const) {
      const checks = await doctorOn({ files: faultyFiles(systemFiles, { ...faults }) })
      expect(of(checks, 'fsync')).toMatchObject([
        { status: 'fail', message: expect.stringContaining(message) },
      ])
    }
    expect(fingerprint(data)).toEqual(before)
  })

  test('a user who may not write there', async () => {
    chmodSync(root, 0o755)
    chmodSync(data, 0o555)
    const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
    const child = spawn(process.execPath, [CLI, 'doctor', '--json'], { env: environment({}), ...user })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(1)
    printed.push(output)
    const { checks } = JSON.parse(output) as { checks: readonly Finding[] }
    expect(failures({ checks }).filter((text) => /EACCES/.test(text))).toContain(
      `fsync: ${data} can't be written (EACCES)`,
    )
    chmodSync(data, 0o700)
  })

  test('file systems that keep nothing, or that others share; an fsync that is none', async () => {
    const on = (type: number) => doctorOn({ volume: (path) => ({ ...systemMachine.volume(path), type }) })
    expect(of(await on(0x01021994), 'file system')[0]).toMatchObject({ status: 'warn', message: /^tmpfs/ })
    expect(of(await on(0x6969), 'file system')[0]).toMatchObject({ status: 'warn', message: /^nfs/ })
    expect(of(await on(0xef53), 'file system')[0]).toMatchObject({ status: 'ok', message: 'ext4' })
    // With a clock that stands still every fsync takes no time at all.
    expect(of(await doctorOn({}, manualClock(systemClock.nowMs())), 'fsync')).toMatchObject([
      { status: 'warn', message: expect.stringContaining('too fast') },
    ])
  })
})

describe('the machine', () => {
  test.each([
    ['node', { nodeVersion: 'v20.11.0' }, 'fail', 'older than 26'],
    ['memory', { memoryBytes: 128 * 2 ** 20 }, 'fail', '128 MiB'],
    ['memory', { memoryBytes: 600 * 2 ** 20 }, 'warn', '600 MiB'],
    [
      'memory',
      { readText: texts({ '/sys/fs/cgroup/memory.max': '134217728\n' }) },
      'fail',
      'limit of the container',
    ],
    ['memory', { readText: texts({ '/sys/fs/cgroup/memory.max': 'max\n' }), memoryBytes: 8e9 }, 'ok', 'GiB'],
    [
      'memory',
      { readText: texts({ '/proc/self/cgroup': '0::/a/b\n', '/sys/fs/cgroup/a/memory.max': '1000000' }) },
      'fail',
      'container',
    ],
    [
      'processor',
      { cores: 8, readText: texts({ '/sys/fs/cgroup/cpu.max': '50000 100000\n' }) },
      'warn',
      '0.5 core',
    ],
    [
      'open files',
      { readText: texts({ '/proc/self/limits': 'Max open files            128        128     files\n' }) },
      'fail',
      '128',
    ],
    [
      'open files',
      { readText: texts({ '/proc/self/limits': 'Max open files            unlimited  unlimited files\n' }) },
      'ok',
      'unlimited',
    ],
  ])('%s %#', async (check, machine, status, message) => {
    const found = of(await doctorOn(machine), check)
    expect(found).toMatchObject([{ status, message: expect.stringContaining(message) }])
    if (status !== 'ok') expect(found[0]?.advice).toBeDefined()
  })

  function texts(own: Readonly<Record<string, string>>): Machine['readText'] {
    return (path) =>
      path.startsWith('/proc') || path.startsWith('/sys') ? own[path] : systemMachine.readText(path)
  }

  test('a port that is taken: by whom', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    try {
      const seen = await doctor()
      const who = process.platform === 'linux' ? `process ${process.pid} ` : 'another process'
      expect(failures(seen)[0]).toContain(`port: ${port} is in use by ${who}`)
    } finally {
      server.close()
    }
  })
})

describe('the environment', () => {
  test('misspelt and wrong variables, with what was meant; no value of a secret', async () => {
    const seen = await doctor({
      HEADWATER_PROT: '1',
      HEADWATER_WHATEVER_IT_IS: '1',
      NATS_INTAK: 'direct',
      HEADWATER_QUEUE_EVENTS: 'many',
      HEADWATER_WRITE_KEY: `${SECRET} with spaces`,
      HEADWATER_HOST: '0.0.0.0',
    })
    expect(
      of(seen.checks, 'environment').map(({ status, message, advice }) => [status, message, advice]),
    ).toEqual([
      ['fail', expect.stringMatching(/^HEADWATER_WRITE_KEY must be 16 to 256/), expect.any(String)],
      [
        'fail',
        expect.stringMatching(/^HEADWATER_QUEUE_EVENTS must be a whole number.*"many"/),
        expect.any(String),
      ],
      ['warn', 'HEADWATER_PROT is set, but nothing reads it', 'did you mean HEADWATER_PORT?'],
      ['warn', 'HEADWATER_WHATEVER_IT_IS is set, but nothing reads it', expect.stringContaining('README')],
      ['warn', 'NATS_INTAK is set, but nothing reads it', 'did you mean NATS_INTAKE?'],
      ['warn', 'HTTP listens on 0.0.0.0', expect.stringContaining('TLS')],
    ])
    expect(seen.code).toBe(1)
    expect(JSON.stringify(seen)).not.toContain(SECRET)
  })

  test('the nearest name', () => {
    const names = ['HEADWATER_PORT', 'HEADWATER_HOST', 'LOG_LEVEL']
    for (const typed of [
      'HEADWATER_PROT',
      'HEADWATER_PORTS',
      'HEADWATER_ORT',
      'HEADWATER_Port'.toUpperCase(),
    ])
      expect(nearest(typed, names, 2)).toBe('HEADWATER_PORT')
    expect(nearest('LOGLEVEL', names, 1)).toBe('LOG_LEVEL')
    expect(nearest('PATH', names, 3)).toBeUndefined()
  })
})

const remote = (state: string) => ({ address: 'esdb://store:2113', state, position: 9, replica: 8 })

describe('a running engine', () => {
  test('is asked, not touched; one that doesn’t answer where it should is a failure', async () => {
    const engine = new EngineProcess(port, data, WITHOUT_NATS)
    await engine.start()
    // Its HEADWATER_LOG stands in its own environment only.
    writeFileSync(join(data, 'log.replica'), 'esdb://store:2113\n')
    try {
      const { code, checks } = await doctor()
      expect(failures({ checks })).toEqual([])
      expect(code).toBe(0)
      expect(of(checks, 'engine')[0]?.message).toContain(`runs at http://127.0.0.1:${port}; `)
      expect(of(checks, 'lag')).toMatchObject([
        { status: 'ok', message: 'read models at position 454 of 454' },
      ])
      expect(of(checks, 'writer')[0]?.message).toBe('takes events')
      expect(of(checks, 'quarantine')).toMatchObject([
        { status: 'warn', message: '1 event waits in quarantine' },
      ])
      expect(checks.map(({ check }) => check)).not.toContain('log')
      const elsewhere = await doctor({ HEADWATER_URL: `http://127.0.0.1:${await freePort()}` })
      expect(failures(elsewhere)[0]).toMatch(
        /^engine: one runs on this directory, but .* doesn't tell how it is/,
      )
      expect(elsewhere.code).toBe(1)
      expect(await send(engine, [identify('later', 'later')])).toBeGreaterThan(454)
    } finally {
      await engine.kill('SIGKILL')
    }
    expect(failures(await doctor())[0]).toMatch(/^eventstore: log\/ is a replica of esdb:\/\/store:2113/)
    rmSync(join(data, 'log.replica'))
    const after = await doctor()
    expect(of(after.checks, 'engine')[0]?.message).toBe('none runs on this directory')
    expect(failures(after)).toEqual([])
    await engine.start()
    expect(await engine.kill('SIGTERM')).toBe(0)
  })

  test.each([
    [{ writer: 'stopped' }, 'writer', 'fail', 'a write failed'],
    [{ writer: 'read_only' }, 'writer', 'fail', 'the disk is full'],
    [{ clockTrusted: false }, 'clock', 'fail', 'clock jumped'],
    [{ head: 900_000 }, 'lag', 'warn', 'position 7 of 900000'],
    [{ ready: false, reasons: ['it is tired'] }, 'engine', 'fail', 'not ready: it is tired'],
    [{ writer: 'odd' }, 'engine', 'fail', 'what answers there is not Headwater'],
    [{ eventstore: remote('writing') }, 'eventstore', 'ok', 'esdb://store:2113: position 9 there, 8 in log/'],
    [{ eventstore: remote('away') }, 'eventstore', 'fail', "can't write to esdb://store:2113"],
    [{ eventstore: remote('stopped') }, 'eventstore', 'fail', 'writes to esdb://store:2113 no more'],
  ])('that says %j', async (change, check, status, message) => {
    const well = {
      ready: true,
      reasons: [],
      caughtUp: true,
      writer: 'running',
      clockTrusted: true,
      head: 7,
      projected: 7,
    }
    const metrics =
      'headwater_projector_poison_events 2\nheadwater_projector_running 0\nheadwater_logged_lines_total{level="error"} 3\n'
    const server = createHttpServer((request, response) =>
      response.end(request.url === '/readyz' ? JSON.stringify({ ...well, ...change }) : `#\n${metrics}`),
    )
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    try {
      const checks = await checkRunning(`http://127.0.0.1:${port}`)
      expect(of(checks, check)).toMatchObject([{ status, message: expect.stringContaining(message) }])
      if (message.includes('not Headwater')) return
      expect(of(checks, 'set aside')[0]?.message).toBe('2 events could not be folded by a read model')
      expect(of(checks, 'projector')[0]?.status).toBe('fail')
      expect(of(checks, 'errors')[0]?.message).toContain('3 errors')
    } finally {
      server.close()
    }
  })
})

describe('NATS', () => {
  test('a server that is away: its address, not what opens it', async () => {
    const away = await doctor({ NATS_URL: `nats://${NAME}:${SECRET}@127.0.0.1:${await freePort()}` })
    expect(of(away.checks, 'nats')).toMatchObject([
      { status: 'warn', message: expect.stringContaining("can't be reached") },
    ])
    expect(JSON.stringify(away)).not.toContain(SECRET)
  })

  test('a binary that doesn’t run, an old one', async () => {
    const fake = (text: string) => writeFileSync(join(data, 'nats-server'), text, { mode: 0o755 })
    fake('#!/bin/sh\nexit 1\n')
    expect(failures(await doctor({ PATH: data }))[0]).toMatch(/^nats: .*nats-server doesn't run/)
    fake('#!/bin/sh\necho nats-server: v1.4.1\n')
    expect(of((await doctor({ PATH: data })).checks, 'nats')[0]?.message).toContain(
      'version 1.4.1: older than 2.9',
    )
  })
})

describeNats('NATS with a real server', () => {
  test('a stream that captures the subject fails in direct mode, and is what jetstream mode needs', async () => {
    const server = await testNatsServer(join(data, 'server'), true)
    const client = await connect({ servers: server.url })
    try {
      const well = await doctor({ NATS_URL: server.url })
      expect(of(well.checks, 'nats')).toMatchObject([
        { status: 'ok', message: expect.stringMatching(/2\.\d+\.\d+, with JetStream/) },
      ])
      const manager = await client.jetstreamManager()
      await manager.streams.add({ name: 'ALL', subjects: ['events.>'] })
      const captured = await doctor({ NATS_URL: server.url })
      expect(failures(captured)[0]).toMatch(/^nats: the stream ALL captures events\.default\.>/)
      expect(failures(await doctor({ NATS_URL: server.url, NATS_INTAKE: 'jetstream' }))).toEqual([])
    } finally {
      await client.close()
      await server.stop()
    }
  })

  test('no JetStream where it is needed', async () => {
    const server = await testNatsServer(join(data, 'server'), false)
    try {
      const seen = await doctor({ NATS_URL: server.url, NATS_INTAKE: 'jetstream' })
      expect(failures(seen)[0]).toContain('has no JetStream')
    } finally {
      await server.stop()
    }
  })
})

test('nothing printed in all this named a customer or a secret', () => {
  expect(printed.length).toBeGreaterThan(20)
  const all = printed.join('\n')
  for (const mark of [NAME, 'mail.example', SECRET, WRITE_KEY, READ_TOKEN]) expect(all).not.toContain(mark)
})
