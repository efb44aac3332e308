/**
 * Theorem: the command line does what it is asked or says in one line why not, with the exit code that its help documents;
 * what programs read goes to standard output and the rest to standard error.
 */
import { spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Terminal } from '../../api/cli/command.ts'
import { processTerminal } from '../../api/cli/terminal.ts'
import { main } from '../../api/cli.ts'
import { systemClock } from '../../engine/clock.ts'
import { FakeEngine, mappingDocument, temporaryFiles } from '../import/support.ts'

const CLI = join(import.meta.dirname, '..', '..', 'api', 'cli.ts')
const files = temporaryFiles()
const PROCESS = processTerminal(systemClock)

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface RunOptions {
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  /** SIGINT when standard output or standard error first matches. */
  readonly interruptAt?: RegExp
}

function headwater(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const env = {
    PATH: process.env.PATH ?? '',
    HEADWATER_URL: url,
    HEADWATER_DATA: files.directory,
    ...options.env,
  }
  const child = spawn(process.execPath, [CLI, ...args], { env })
  const seen = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk: Buffer) => {
      const before = options.interruptAt?.test(seen[stream])
      seen[stream] += chunk.toString()
      if (before === false && options.interruptAt?.test(seen[stream])) child.kill('SIGINT')
    })
  }
  child.stdin.end(options.stdin ?? '')
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...seen })))
}

let server: Server
let url = ''
let engine: FakeEngine
/** Path (without its query) → answer; what is absent is 404. */
let routes: Record<string, (query: URLSearchParams, body: unknown) => [status: number, body: unknown]>
let authorizations: Set<string | undefined>

beforeAll(async () => {
  files.write('credentials.json', JSON.stringify({ writeKey: 'kept-write', readToken: 'kept-read' }))
  files.write('mapping.json', JSON.stringify(mappingDocument()))
  server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
  files.remove()
})

beforeEach(() => {
  engine = new FakeEngine()
  authorizations = new Set()
  routes = {
    'POST /v1/events': (_, body) => [200, { position: 1, results: engine.take(body as { id: string }[]) }],
  }
})

function answer(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  authorizations.add(request.headers.authorization)
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const at = new URL(request.url ?? '/', 'http://x')
    const text = Buffer.concat(chunks).toString()
    const route = routes[`${request.method} ${at.pathname}`]
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    const [status, reply] = route?.(at.searchParams, body) ?? [404, { title: 'There is nothing here' }]
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply))
  })
}

const COMMANDS = ['start', 'import', 'append', 'tail', 'show', 'stats']

describe('help and mistakes', () => {
  test('--help lists every command, and each has its own with its exit codes', async () => {
    expect(await headwater(['bogus'])).toMatchObject({ code: 2, stdout: '' })
    const all = await headwater(['--help'])
    expect(all.code).toBe(0)
    for (const command of COMMANDS) expect(all.stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
    const helps = await Promise.all(COMMANDS.map((command) => headwater([command, '--help'])))
    for (const [i, help] of helps.entries()) {
      expect(help).toMatchObject({ code: 0, stderr: '' })
      expect(help.stdout).toContain(`Usage: headwater ${COMMANDS[i]}`)
      expect(help.stdout).toContain('Exit codes: 0 ')
    }
  })

  test.each([
    [[], 'Usage'],
    [['bogus'], 'there is no command bogus'],
    [['help', 'bogus'], 'there is no command bogus'],
    [['start', 'now'], 'start takes no arguments'],
    [['import', '--bogus'], "Unknown option '--bogus'"],
    [['import', 'x.csv'], 'import needs --map'],
    [['import', '--map', 'mapping.json'], 'import takes one file'],
    [['import', '--map', '/absent.json', 'x.csv'], "can't be read"],
    [['append', '{'], 'not JSON'],
    [['append', '/absent.json'], "can't be read"],
    [['tail', '--limit', 'many'], '--limit takes a whole number'],
    [['tail', '--from', '0'], '--from takes a whole number from 1'],
    [['show'], 'show takes one identity'],
    [['show', 'somebody'], 'no e-mail address'],
    [['stats', '--verbose'], "Unknown option '--verbose'"],
  ])('%j: exit 2', async (args, message) => {
    const out: string[] = []
    const err: string[] = []
    const terminal: Terminal = {
      ...PROCESS,
      out: (line) => out.push(line),
      err: (line) => err.push(line),
    }
    expect(await main(args, terminal)).toBe(2)
    expect(out).toEqual([])
    expect(err.join('\n')).toContain(message)
  })

  test('an engine that is not there: exit 1 and one line', async () => {
    const env = { HEADWATER_URL: 'http://127.0.0.1:9' }
    const commands = [['append', '{}'], ['stats'], ['show', 'a@b.c'], ['tail', '--once']]
    for (const ran of await Promise.all(commands.map((args) => headwater(args, { env })))) {
      expect(ran).toMatchObject({ code: 1, stdout: '' })
      expect(ran.stderr.trim().split('\n')).toHaveLength(1)
    }
  })
})

describe('import', () => {
  const importing = (...args: string[]) => headwater(['import', '--map', files.path('mapping.json'), ...args])

  test('--dry-run prints ten events and sends nothing', async () => {
    const file = files.write('dry.csv', `a,b\n${Array.from({ length: 20 }, (_, i) => `${i},x`).join('\n')}\n`)
    const ran = await importing('--dry-run', file)
    expect(ran.code).toBe(0)
    expect(ran.stdout.match(/"specversion"/g)).toHaveLength(10)
    expect(engine.received).toBe(0)
  })

  test('all well: exit 0; again: nothing new; both with the write key', async () => {
    const file = files.write('well.csv', 'a,b\n1,2\n1,2\n')
    expect(await importing('--json', file)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"appended":2'),
    })
    expect(await importing(file)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('2 there already'),
    })
    expect(authorizations).toEqual(new Set(['Bearer kept-write']))
  })

  test('refused rows: exit 3, or 0 with --lenient, and each is named', async () => {
    const file = files.write('ragged.csv', 'a,b\n1,2\nragged\n')
    const ran = await importing(file)
    expect(ran).toMatchObject({ code: 3, stdout: '' })
    expect(ran.stderr).toContain('line 3: has 1 field, the header has 2 (ragged_row)')
    expect((await importing('--lenient', file)).code).toBe(0)
  })

  test('quarantined events: exit 3', async () => {
    routes['POST /v1/events'] = (_, body) => [
      200,
      {
        results: (body as []).map(() => ({
          status: 'quarantined',
          position: 1,
          reason: 'invalid_data',
          message: 'm',
        })),
      },
    ]
    const ran = await importing(files.write('quarantined.csv', 'a,b\n1,2\n'))
    expect(ran).toMatchObject({ code: 3, stderr: expect.stringContaining('quarantined: m (invalid_data)') })
  })

  test('a file without the columns, and an engine that refuses: exit 1', async () => {
    const headless = await importing(files.write('columns.csv', 'a,c\n1,2\n'))
    expect(headless).toMatchObject({ code: 1, stderr: expect.stringContaining('the header lacks b') })
    routes['POST /v1/events'] = () => [401, { title: 'Credentials are missing or unknown' }]
    const refused = await importing(files.write('refused.csv', 'a,b\n1,2\n'))
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is the write key right?') })
  })

  test('an invalid mapping: exit 2, with every fault', async () => {
    const map = files.write('wrong.json', JSON.stringify(mappingDocument({ source: 7, sequence: 'x' })))
    const ran = await headwater(['import', '--map', map, 'x.csv'])
    expect(ran.code).toBe(2)
    expect(ran.stderr).toMatch(/^ {2}source: .*\n {2}sequence: /m)
  })

  test('interrupted: exit 130; the same command goes on and finishes', async () => {
    const rows = Array.from({ length: 4_000 }, (_, i) => `${i},x`).join('\n')
    const args = ['import', '--map', files.path('mapping.json'), files.write('long.csv', `a,b\n${rows}\n`)]
    let requests = 0
    routes['POST /v1/events'] = (_, body) =>
      ++requests > 4 ? [503, {}] : [200, { results: engine.take(body as { id: string }[]) }]
    const stopped = await headwater(args, { interruptAt: /waiting: HTTP 503/ })
    expect(stopped).toMatchObject({ code: 130, stderr: expect.stringContaining('give the same command') })
    requests = Number.NEGATIVE_INFINITY
    const finished = await headwater(args)
    expect(finished).toMatchObject({ code: 0, stderr: expect.stringContaining('going on after row') })
    expect(engine.log.size).toBe(4_000)
  })
})

describe('append', () => {
  const event = { id: '1', source: 'web', type: 'x', data: {} }

  test('from an argument, a file and standard input', async () => {
    const text = JSON.stringify(event)
    const results = await Promise.all([
      headwater(['append', text]),
      headwater(['append', files.write('event.json', text)]),
      headwater(['append'], { stdin: `[${text},${text}]` }),
    ])
    for (const ran of results) expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(engine.received).toBe(4)
    expect(results.map(({ stdout }) => stdout.trim().split('\n').length)).toEqual([1, 1, 2])
  })

  test.each([
    ['quarantined', 3],
    ['refused', 1],
    ['duplicate', 0],
  ])('%s: exit %i', async (status, code) => {
    routes['POST /v1/events'] = () => [200, { results: [{ status, id: '1', position: 1 }] }]
    expect(await headwater(['append', JSON.stringify(event)])).toMatchObject({ code })
  })
})

describe('tail', () => {
  const events = [1, 2, 3, 4, 5].map((position) => ({ position, type: position % 2 === 0 ? 'even' : 'odd' }))

  beforeEach(() => {
    routes['GET /v1/events'] = (query) => {
      const types = query.get('types')?.split(',')
      const after = Number(query.get('after'))
      const found = events
        .filter(({ position, type }) => position > after && (types?.includes(type) ?? true))
        .slice(0, Number(query.get('limit')))
      return [
        200,
        { position: 5, asOf: null, data: found, next: found.at(-1)?.position ?? Math.max(after, 5) },
      ]
    }
  })

  const positions = (ran: Ran) =>
    ran.stdout
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { position: number }).position)

  test('--once prints the log to its end', async () => {
    const ran = await headwater(['tail', '--once'])
    expect(ran.code).toBe(0)
    expect(positions(ran)).toEqual([1, 2, 3, 4, 5])
    expect(authorizations).toEqual(new Set(['Bearer kept-read']))
  })

  test('--from, --type and --limit', async () => {
    expect(positions(await headwater(['tail', '--from', '2', '--limit', '3']))).toEqual([2, 3, 4])
    expect(positions(await headwater(['tail', '--once', '--type', 'even']))).toEqual([2, 4])
  })

  test('begins with now, survives an engine that is away, and ends cleanly on SIGINT', async () => {
    let requests = 0
    routes['GET /v1/events'] = (query) => {
      requests++
      if (requests === 1) return [200, { position: 5, data: [], next: 5 }]
      if (requests === 2) return [503, { title: 'away' }]
      const data = query.get('after') === '5' ? [{ position: 6 }] : []
      return [200, { position: 6, data, next: 6 }]
    }
    const ran = await headwater(['tail'], { interruptAt: /"position":6/ })
    expect(ran.code).toBe(0)
    expect(positions(ran)).toEqual([6])
    expect(ran.stderr).toContain('trying again')
  })

  test('a reader that goes away early is no error', async () => {
    const child = spawn('sh', ['-c', `"${process.execPath}" "${CLI}" tail --from 1 | head -n 1; exit 0`], {
      env: { PATH: process.env.PATH ?? '', HEADWATER_URL: url, HEADWATER_DATA: files.directory },
    })
    let stderr = ''
    let stdout = ''
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    // The next event meets the closed pipe.
    let last = 5
    const feeding = setInterval(() => events.push({ position: ++last, type: 'late' }), 50)
    await new Promise((resolve) => child.on('close', resolve))
    clearInterval(feeding)
    events.length = 5
    expect(stdout.trim()).toBe(JSON.stringify(events[0]))
    expect(stderr).toBe('')
  })
})

describe('show', () => {
  const ID = 'ab'.repeat(16)
  const write = (value: unknown, source: string) => ({
    value,
    event: `e-${source}`,
    source,
    position: 1,
    time: '2026-01-02T03:04:05.000Z',
  })

  beforeEach(() => {
    routes['POST /v1/profiles/lookup'] = (_, body) => {
      const stated = (body as { identities: string[] }).identities[0]
      return [
        200,
        { position: 9, data: [stated === 'email:ada@example.com' || stated === ID ? { id: ID } : null] },
      ]
    }
    routes[`GET /v1/profiles/${ID}`] = () => [
      200,
      {
        position: 9,
        asOf: null,
        data: {
          id: ID,
          name: 'Ada\u001b[2J',
          phone: null,
          traits: { plan: 'gold' },
          identities: [{ id: ID, namespace: 'email', value: 'ada@example.com' }, { id: 'cd'.repeat(16) }],
        },
        explain: {
          name: {
            value: 'Ada',
            rule: 'latest',
            winners: [write('Ada', 'crm')],
            overruled: [write('Augusta', 'web')],
          },
          'traits.plan': { value: 'gold', rule: 'latest', winners: [write('gold', 'web')], overruled: [] },
        },
      },
    ]
    routes[`GET /v1/profiles/${ID}/timeline`] = () => [
      200,
      {
        position: 9,
        data: [{ position: 8, time: '2026-01-01T00:00:00Z', type: 'cdp.identify', source: 'web' }],
      },
    ]
  })

  test('fields with the write that won and those overruled, identities, latest events', async () => {
    const ran = await headwater(['show', 'ada@example.com'])
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    for (const text of [
      'email:ada@example.com',
      '(erased)',
      'latest: crm, 2026-01-02T03:04:05.000Z, event e-crm',
      'overruled: Augusta, web',
      'traits.plan',
      'cdp.identify',
    ]) {
      expect(ran.stdout).toContain(text)
    }
    // What a customer typed must not reach the terminal as a command, and colours only a terminal.
    expect(ran.stdout).not.toContain('\u001b')
    expect(ran.stdout).not.toContain('phone')
  })

  test('by id, as JSON; nobody: exit 1', async () => {
    const ran = await headwater(['show', ID, '--json'])
    expect(JSON.parse(ran.stdout)).toMatchObject({ profile: { data: { id: ID } } })
    const nobody = await headwater(['show', 'user:42'])
    expect(nobody).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('nobody is known as user:42'),
    })
  })
})

describe('stats', () => {
  const engineStatus = { ready: true, reasons: [] as string[], head: 9, projected: 9, writer: 'running' }

  beforeEach(() => {
    routes['GET /readyz'] = () => [200, engineStatus]
    routes['GET /v1/projections'] = () => [
      200,
      {
        position: 9,
        asOf: '2026-01-01T00:00:00Z',
        data: [
          { name: 'profile', version: 1, builds: [{ build: 'profile__v1', position: 7, serving: true }] },
        ],
        poison: [],
      },
    ]
  })

  test('ready: exit 0', async () => {
    const ran = await headwater(['stats'])
    expect(ran.code).toBe(0)
    expect(ran.stdout).toContain('position 9')
    expect(ran.stdout).toMatch(/^profile {2,}1 .*7, behind the log/m)
    expect(JSON.parse((await headwater(['stats', '--json'])).stdout)).toMatchObject({ engine: engineStatus })
  })

  test('not ready: exit 1', async () => {
    routes['GET /readyz'] = () => [
      503,
      { ...engineStatus, ready: false, reasons: ['the writer has stopped'] },
    ]
    expect(await headwater(['stats'])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('not ready: the writer'),
    })
  })

  test('the token from the environment comes first, and a wrong one is named', async () => {
    routes['GET /v1/projections'] = () => [401, { title: 'Credentials are missing or unknown' }]
    const ran = await headwater(['stats'], { env: { HEADWATER_READ_TOKEN: 'stated' } })
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('is the read token right?') })
    expect(authorizations).toEqual(new Set(['Bearer stated']))
  })
})
