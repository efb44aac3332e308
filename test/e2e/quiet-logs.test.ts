/**
 * Theorem: nothing that the process prints names a customer, at the highest log level either: not what is accepted, not
 * what is refused, not addresses, headers or subjects, not what goes wrong inside; nor does it print a key.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, headers as natsHeaders } from 'nats'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { failureText, nameAndPlace, withoutCredentials } from '../../api/failure-place.ts'
import { EngineProcess, freePort, READ_TOKEN, WRITE_KEY } from '../support/engine-process.ts'
import { describeNats, testNatsServer } from '../support/nats-server.ts'

/** Nothing else has these in it; a name, its parts of addresses and numbers, and a key of the operator's. */
const NAME = 'Zephyrine'
const SURNAME = 'Quandary'
const EMAIL = 'zephyrine.quandary@mail.example'
const PHONE = '+44 20 7946 0987'
const USER = 'zq-48151623'
const SECRET = 'hush-0815-hush'
const MARKS = [
  NAME,
  SURNAME,
  'mail.example',
  '79460987',
  '7946 0987',
  '48151623',
  SECRET,
  WRITE_KEY,
  READ_TOKEN,
]

/** Marks as they stand in a text: plainly, percent-encoded, in base64, in hexadecimal. */
function leaksOf(text: string): readonly string[] {
  const lower = text.toLowerCase()
  const decoded = lower.replaceAll(/%([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  const compact = lower.replaceAll(/[^a-z0-9+/]/g, '')
  return MARKS.filter((mark) => {
    const plain = mark.toLowerCase()
    if (lower.includes(plain) || decoded.includes(plain)) return true
    if (lower.includes(Buffer.from(mark).toString('hex'))) return true
    // Base64 of a text in the midst of others begins at any of three offsets; its middle is always the same.
    return [0, 1, 2].some((offset) => {
      const text64 = Buffer.from('x'.repeat(offset) + mark).toString('base64')
      return text64.length > 12 && compact.includes(text64.slice(4, -4).toLowerCase())
    })
  })
}

let directory: string
const running: EngineProcess[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-quiet-'))
})
afterEach(async () => {
  for (const engine of running.splice(0)) await engine.kill('SIGTERM')
  rmSync(directory, { recursive: true, force: true })
})

async function startEngine(env: Readonly<Record<string, string>>): Promise<EngineProcess> {
  const engine = new EngineProcess(await freePort(), join(directory, 'data'), { LOG_LEVEL: 'trace', ...env })
  running.push(engine)
  await engine.start()
  return engine
}

const person = { email: EMAIL, phone: PHONE, firstName: NAME, lastName: SURNAME }
const base = { source: 'crm', type: 'cdp.identify' }
const identify = { ...base, id: `sign-up ${NAME}`, subject: EMAIL, data: { userId: USER, traits: person } }

/** Bodies that are taken, and bodies that are refused each in another way, all about the same person. */
const BODIES: readonly string[] = [
  identify,
  { ...identify, data: { userId: USER, traits: { ...person, email: `other.${EMAIL}` } } },
  { ...base, id: '2', data: { userId: { [NAME]: EMAIL }, traits: EMAIL } },
  { ...base, id: '3', time: `${NAME} o'clock`, data: {} },
  { ...base, id: '4', identities: [`email:${EMAIL}`, EMAIL, `${NAME}:`], data: {} },
  { ...base, id: '5', type: `${NAME} ${SURNAME}`, data: person },
  { ...base, id: '6', source: EMAIL, data: { userId: USER } },
  { ...base, id: '7', schema: 99, data: person },
  {
    ...base,
    id: '8',
    subject: `person-${USER}`,
    actor: EMAIL,
    origin: NAME,
    [NAME]: EMAIL,
    data: { userId: USER },
  },
  {
    id: '9',
    source: 'erp',
    type: 'erp.invoice_issued',
    identities: [`user:${USER}`],
    data: { invoice_id: NAME, lines: EMAIL },
  },
  {
    id: '10',
    source: 'crm',
    type: 'lead.created',
    identities: [`lead:${USER}`],
    data: { lead_id: USER, ...person, note: NAME },
  },
  { id: '11', source: 'x', type: 'person.erased', data: person },
  [identify, NAME, { type: EMAIL }, null, 7],
].map((event) => JSON.stringify(event))

/** On a busy machine it takes a while until all of it has gone its way. */
const WITHIN_MS = 120_000

const UNPARSABLE = [`{"email":"${EMAIL}"`, `${NAME}\u0000${EMAIL}`, `"${EMAIL}"`, '']

async function sendHttp(engine: EngineProcess): Promise<readonly string[]> {
  const ids: string[] = []
  const marked = {
    'user-agent': NAME,
    cookie: `who=${EMAIL}`,
    'x-customer': USER,
    referer: `https://${EMAIL}/`,
  }
  const sent = [...BODIES, ...UNPARSABLE].map(async (body) => {
    const answer = await engine.post('/v1/events', body, marked)
    for (const [, id = ''] of (await answer.text()).matchAll(/"quarantineId":"([0-9a-f]+)"/g)) ids.push(id)
  })
  await Promise.all(sent)
  const binary = {
    'ce-specversion': '1.0',
    'ce-id': NAME,
    'ce-source': 'crm',
    'ce-type': 'cdp.identify',
    'ce-subject': EMAIL,
  }
  await engine.post('/v1/events', JSON.stringify(person), { ...binary, 'content-type': 'application/json' })
  await engine.post('/v1/events', NAME, { ...binary, 'ce-time': EMAIL, 'content-type': 'text/plain' })
  await engine.post('/v1/events', EMAIL, { 'content-encoding': 'gzip' })
  await engine.post('/v1/events', EMAIL, { 'content-encoding': NAME, 'content-type': EMAIL })
  const calls = ['identify', 'track', 'page', 'group', 'alias', 'batch', 'i', 't'].flatMap((call) =>
    [JSON.stringify({ userId: USER, event: NAME, traits: person, context: person }), EMAIL].map((body) =>
      engine.post(`/v1/${call}`, body, marked),
    ),
  )
  await Promise.all(calls)
  return ids
}

const encoded = encodeURIComponent(EMAIL)

const PATHS: readonly string[] = [
  `/v1/profiles/email:${encoded}`,
  `/v1/profiles/email:${EMAIL}?explain=true`,
  `/v1/profiles/email:${encoded}/timeline`,
  `/v1/profiles/${USER}`,
  `/v1/profiles?q=${NAME}`,
  `/v1/profiles?${NAME}=1`,
  `/v1/profiles?email=${encoded}&sort=${NAME}&cursor=${encoded}`,
  `/v1/profiles?after=${NAME}`,
  `/v1/leads?email=${encoded}`,
  `/v1/accounts/${USER}`,
  `/v1/quarantine/${USER}`,
  `/v1/events?from=${NAME}`,
  `/v1/${NAME}/${encoded}`,
  `/${encoded}/%zz`,
  `/v1/profiles/%E0%A4${NAME}`,
  `/v1/analytics/revenue?by=${NAME}`,
  `/v1/projects/${USER}/settings`,
]

async function readHttp(engine: EngineProcess, quarantined: readonly string[]): Promise<void> {
  const readers = [`Bearer ${READ_TOKEN}`, `Bearer ${WRITE_KEY}`, `Basic ${btoa(`${EMAIL}:${SECRET}`)}`, NAME]
  const asked = readers.flatMap((authorization) =>
    PATHS.map(async (path) => (await fetch(engine.url + path, { headers: { authorization } })).arrayBuffer()),
  )
  await Promise.all(asked)
  for (const method of ['DELETE', 'PUT', 'OPTIONS', 'PROPFIND'])
    await fetch(`${engine.url}/v1/profiles/email:${encoded}`, { method }).then((answer) =>
      answer.arrayBuffer(),
    )
  await engine.post('/v1/profiles/lookup', JSON.stringify({ identities: [`email:${EMAIL}`, NAME] }), {
    authorization: `Bearer ${READ_TOKEN}`,
  })
  for (const id of quarantined) {
    await fetch(`${engine.url}/v1/quarantine/${id}`, { headers: { authorization: `Bearer ${READ_TOKEN}` } })
    for (const body of ['', JSON.stringify({ event: { ...identify, id: `again ${id} ${NAME}` } }), EMAIL])
      await engine.post(`/v1/quarantine/${id}/resubmit`, body)
  }
}

/** Bytes that are no HTTP, and a Host of the sender's own. */
async function talkNonsense(engine: EngineProcess): Promise<void> {
  const { port } = new URL(engine.url)
  for (const text of [
    `${NAME} ${EMAIL}\r\n\r\n`,
    `GET /${EMAIL} HTTP/1.1\r\nHost: ${EMAIL}\r\nConnection: close\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${NAME}.example\r\nX: ${EMAIL}\r\nContent-Length: ${NAME}\r\n\r\n`,
  ]) {
    await new Promise<void>((resolve) => {
      const socket = connectSocket(Number(port), '127.0.0.1', () => socket.end(text))
      socket.resume()
      socket.on('error', () => resolve())
      socket.on('close', () => resolve())
    })
  }
}

async function sendNats(url: string): Promise<number> {
  const client = await connect({ servers: url })
  let answered = 0
  const marked = natsHeaders()
  for (const [name, value] of [
    ['Nats-Msg-Id', NAME],
    ['X-Customer', EMAIL],
    ['Nats-Expected-Last-Subject-Sequence', USER],
  ] as const)
    marked.set(name, value)
  for (const body of [...BODIES, ...UNPARSABLE])
    for (const [subject, headers] of [
      ['events.default.crm', undefined],
      [`events.default.${NAME}.${USER}`, marked],
    ] as const) {
      const options = headers === undefined ? { timeout: 5_000 } : { timeout: 5_000, headers }
      answered += (await client.request(subject, body, options)).data.length > 0 ? 1 : 0
    }
  await client.close()
  return answered
}

test(
  'over HTTP: what is sent, asked, mistyped and mended; after a kill, too',
  async () => {
    const engine = await startEngine({ PATH: '' })
    const quarantined = await sendHttp(engine)
    expect(quarantined.length).toBeGreaterThan(5)
    await readHttp(engine, quarantined.slice(0, 6))
    await talkNonsense(engine)
    const profile = await engine.get<{ data: { email: string } }>(`/v1/profiles/user:${USER}`)
    expect(JSON.stringify(profile)).toContain(NAME)
    expect(leaksOf(await (await fetch(`${engine.url}/metrics`)).text())).toEqual([])
    await engine.kill('SIGKILL')
    await engine.start()
    await readHttp(engine, quarantined.slice(0, 1))
    expect(await engine.kill('SIGTERM')).toBe(0)
    expect(engine.output).toContain('"route":"/v1/profiles/:id"')
    expect(engine.output).toContain('"route":"none"')
    expect(leaksOf(engine.output)).toEqual([])
  },
  WITHIN_MS,
)

describeNats('over NATS', () => {
  test(
    'bodies, subjects and headers; the server’s password neither',
    async () => {
      const server = await testNatsServer(join(directory, 'server'), true)
      try {
        const withPassword = server.url.replace('nats://', `nats://${NAME}:${SECRET}@`)
        const engine = await startEngine({ NATS_URL: withPassword })
        await expect.poll(() => fetch(`${engine.url}/readyz`).then(({ status }) => status)).toBe(200)
        expect(await sendNats(server.url)).toBe(2 * (BODIES.length + UNPARSABLE.length))
        expect(await engine.kill('SIGTERM')).toBe(0)
        expect(engine.output).toContain(`nats      ${server.url}`)
        expect(leaksOf(engine.output)).toEqual([])
      } finally {
        await server.stop()
      }
    },
    WITHIN_MS,
  )

  test(
    'through a stream',
    async () => {
      const port = await freePort()
      const engine = await startEngine({ NATS_INTAKE: 'jetstream', HEADWATER_NATS_PORT: String(port) })
      await sendNats(`nats://127.0.0.1:${port}`)
      await expect
        .poll(() => engine.get<{ position: number }>('/v1/projections').then(({ position }) => position))
        .toBeGreaterThan(10)
      expect(await engine.kill('SIGTERM')).toBe(0)
      expect(leaksOf(engine.output)).toEqual([])
    },
    WITHIN_MS,
  )
})

describe('what goes wrong inside', () => {
  test('a defect that nobody caught ends the process and tells its place, not its message', async () => {
    const logging = join(import.meta.dirname, '..', '..', 'api', 'logging.ts')
    const script = `
      import { strict as assert } from 'node:assert'
      import { pino } from 'pino'
      import { dieQuietly, openLogger } from ${JSON.stringify(logging)}
      dieQuietly(openLogger('trace', pino.destination({ dest: 2, sync: true }), () => {}))
      setTimeout(() => {}, 10_000)
      const fail = process.env.ASYNC ? async () => assert.equal('${EMAIL}', '${NAME}') : () => assert.fail('${EMAIL}')
      void fail()`
    for (const env of [{}, { ASYNC: '1' }]) {
      const { code, output } = await run(script, env)
      expect(code).toBe(1)
      expect(output).toContain('a defect ended the process')
      expect(output).toContain('AssertionError')
      expect(leaksOf(output)).toEqual([])
    }
  })

  test('an error is told by its class and place, whatever its message looks like', () => {
    const error = new TypeError(`${EMAIL}\n    at ${NAME} (${EMAIL})`)
    expect(leaksOf(nameAndPlace(error))).toEqual([])
    expect(nameAndPlace(error)).toMatch(/^TypeError\n\s+at .*quiet-logs/)
    expect(leaksOf(failureText(new SyntaxError(EMAIL)))).toEqual([])
    expect(failureText(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }))).toContain(
      'no space',
    )
    const argument = Object.assign(new TypeError(`Received '${EMAIL}'`), { code: 'ERR_INVALID_ARG_VALUE' })
    expect(leaksOf(failureText(argument))).toEqual([])
    expect(leaksOf(failureText(EMAIL))).toEqual([])
  })

  test('addresses of servers are shown without what opens them', () => {
    expect(withoutCredentials(`nats://${NAME}:${SECRET}@a:4222,${SECRET}@b:4222,tls://c`)).toBe(
      'nats://a:4222,b:4222,tls://c',
    )
    expect(withoutCredentials(`nats://x:${SECRET}@${SECRET}@d:1`)).toBe('nats://d:1')
  })
})

test('the search finds a mark however it is written', () => {
  expect(leaksOf('nothing here: 42, crm, /v1/profiles/:id')).toEqual([])
  expect(leaksOf(`x ${EMAIL} y`)).toContain('mail.example')
  expect(leaksOf(encodeURIComponent(`é ${PHONE}`))).toContain('7946 0987')
  expect(leaksOf(Buffer.from(NAME).toString('hex'))).toContain(NAME)
  for (const before of ['', 'a', 'ab'])
    expect(leaksOf(Buffer.from(`${before}${WRITE_KEY}:`).toString('base64'))).toContain(WRITE_KEY)
})

function run(
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: { PATH: process.env['PATH'], ...env },
    cwd: join(import.meta.dirname, '..', '..'),
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })))
}
