/**
 * Theorem: the process as an operator meets it: it starts with and without nats-server and says which, serves what was sent,
 * stops cleanly on both signals, refuses a second process and a directory without its keys, and goes on where it was.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { connect } from 'nats'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EngineProcess, freePort, READ_TOKEN } from '../support/engine-process.ts'
import { describeNats } from '../support/nats-server.ts'

const ROOT = join(import.meta.dirname, '..', '..')

let directory: string
const running: EngineProcess[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-process-'))
})

afterEach(async () => {
  for (const engine of running.splice(0)) await engine.kill('SIGTERM')
  rmSync(directory, { recursive: true, force: true })
})

/** The PATH without whatever holds a nats-server. */
const WITHOUT_NATS = {
  PATH: (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((entry) => !/sbin|local/.test(entry))
    .join(delimiter),
}

async function engine(env: Readonly<Record<string, string>> = WITHOUT_NATS): Promise<EngineProcess> {
  const made = new EngineProcess(await freePort(), join(directory, 'data'), env)
  running.push(made)
  return made
}

const identify = (id: string, email: string) =>
  JSON.stringify({ id, source: 'web', type: 'cdp.identify', data: { userId: id, traits: { email } } })

interface Sent {
  readonly position: number
  readonly results: readonly {
    readonly status: string
    readonly position?: number
    readonly reason?: string
    readonly quarantineId?: string
  }[]
}

async function send(to: EngineProcess, body: string): Promise<Sent> {
  const answer = await to.post('/v1/events', body)
  expect(answer.status).toBe(200)
  return (await answer.json()) as Sent
}

interface ProfileAnswer {
  readonly position: number
  readonly data: {
    readonly email: string
    readonly identities: readonly { readonly namespace: string; readonly value: string }[]
  }
}

test('without nats-server: one clear line, everything else works; both signals stop it with 0; it goes on where it was', async () => {
  const headwater = await engine()
  await headwater.start()
  expect(headwater.output).toMatch(/nats {6}off: no nats-server on the PATH: install one/)
  const { position } = await send(headwater, identify('1', 'Jane@Example.com'))
  const profile = await headwater.get<ProfileAnswer>(`/v1/profiles/email:jane@example.com?after=${position}`)
  expect(profile.data.email).toBe('jane@example.com')
  expect(profile.position).toBeGreaterThanOrEqual(position)
  // The profile is shown from memory, before the commit that the metrics tell of.
  const metrics = async () => (await (await fetch(`${headwater.url}/metrics`)).text()).split('\n')
  await expect.poll(metrics).toContain('headwater_projected_position 1')
  for (const line of [
    'headwater_intake_events_total{status="appended"} 1',
    'headwater_intake_latency_seconds_count 1',
    'headwater_projector_events_total 1',
    'headwater_projector_commits_total 1',
  ]) {
    expect(await metrics()).toContain(line)
  }
  expect(await headwater.kill('SIGINT')).toBe(0)

  await headwater.start()
  expect((await send(headwater, identify('1', 'Jane@Example.com'))).results).toMatchObject([
    { status: 'duplicate', position },
  ])
  expect((await send(headwater, identify('1', 'john@example.com'))).results).toMatchObject([
    { status: 'quarantined', reason: 'id_reused' },
  ])
  expect(
    (await headwater.get<ProfileAnswer>('/v1/profiles/email:jane@example.com')).data.identities,
  ).toHaveLength(2)
  expect(await headwater.kill('SIGTERM')).toBe(0)
})

test('a batch with one bad event: the others are in; the bad one is kept, corrected, resubmitted', async () => {
  const headwater = await engine()
  await headwater.start()
  const bad = '{"id":"2","source":"web","type":"cdp.identify","data":{"userId":{}}}'
  const { results } = await send(
    headwater,
    `[${identify('1', 'a@example.com')},${bad},${identify('3', 'c@example.com')}]`,
  )
  expect(results.map(({ status }) => status)).toEqual(['appended', 'quarantined', 'appended'])
  const id = results[1]?.quarantineId
  const kept = await headwater.get<{ data: { body: unknown; status: string } }>(
    `/v1/quarantine/${id}?after=${results[1]?.position}`,
  )
  expect(kept.data).toMatchObject({ status: 'open', body: { value: JSON.parse(bad) } })
  const again = await headwater.post(
    `/v1/quarantine/${id}/resubmit`,
    JSON.stringify({ event: JSON.parse(identify('2', 'b@example.com')) }),
  )
  expect(again.status).toBe(200)
  const { position } = (await again.json()) as Sent
  expect((await headwater.get<ProfileAnswer>(`/v1/profiles/user:2?after=${position}`)).data.email).toBe(
    'b@example.com',
  )
  await expect
    .poll(async () => (await headwater.get<{ data: { status: string } }>(`/v1/quarantine/${id}`)).data.status)
    .toBe('resubmitted')
})

test('npm start ends cleanly when npm is told to end, though npm keeps the signal to itself', async () => {
  const port = await freePort()
  const env = {
    ...process.env,
    ...WITHOUT_NATS,
    HEADWATER_DATA: join(directory, 'data'),
    HEADWATER_PORT: String(port),
    npm_lifecycle_event: 'start',
  }
  const script = `"${process.execPath}" "${join(ROOT, 'api', 'headwater.mjs')}" start; true`
  const shell = spawn('sh', ['-c', script], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [shell.stdout, shell.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await expect.poll(() => output, { timeout: 20_000 }).toContain('Headwater is up.')
  shell.kill('SIGKILL')
  await expect
    .poll(
      () =>
        fetch(`http://127.0.0.1:${port}/healthz`).then(
          () => 'up',
          () => 'down',
        ),
      { timeout: 10_000 },
    )
    .toBe('down')
  await expect.poll(() => output, { timeout: 10_000 }).toContain('"msg":"stopped"')
})

test('a second process on the same directory is refused, and says why; the first goes on', async () => {
  const first = await engine()
  await first.start()
  const second = await engine()
  await expect(second.start()).rejects.toThrow(/ended with 1:[\s\S]*is open in another process/)
  expect((await send(first, identify('1', 'a@example.com'))).results).toMatchObject([{ status: 'appended' }])
})

test('a log without its key store is refused, never given a new one', async () => {
  const headwater = await engine()
  await headwater.start()
  await send(headwater, identify('1', 'a@example.com'))
  await headwater.kill('SIGTERM')
  renameSync(join(directory, 'data', 'keys'), join(directory, 'keys-elsewhere'))
  await expect(headwater.start()).rejects.toThrow(/ended with 1:[\s\S]*KeyStore/)
  rmSync(join(directory, 'data', 'keys'), { recursive: true, force: true })
  renameSync(join(directory, 'keys-elsewhere'), join(directory, 'data', 'keys'))
  await headwater.start()
  expect((await headwater.get<ProfileAnswer>('/v1/profiles/user:1')).data.email).toBe('a@example.com')
})

test('read models that are lost are folded again from the log', async () => {
  const headwater = await engine()
  await headwater.start()
  await send(headwater, identify('1', 'a@example.com'))
  await headwater.kill('SIGTERM')
  for (const end of ['', '-wal', '-shm'])
    rmSync(join(directory, 'data', `read-models.sqlite${end}`), { force: true })
  await headwater.start()
  expect((await headwater.get<ProfileAnswer>('/v1/profiles/user:1?after=1')).data.email).toBe('a@example.com')
})

test('bad settings are named, all at once, and nothing is started', async () => {
  const headwater = await engine({ ...WITHOUT_NATS, HEADWATER_MAX_DEPTH: 'deep', NATS_INTAKE: 'both' })
  await expect(headwater.start()).rejects.toThrow(
    /HEADWATER_MAX_DEPTH[\s\S]*NATS_INTAKE|NATS_INTAKE[\s\S]*HEADWATER_MAX_DEPTH/,
  )
})

test('no address and no key appears in what it prints', async () => {
  const headwater = await engine({ ...WITHOUT_NATS, LOG_LEVEL: 'trace' })
  await headwater.start()
  const { position } = await send(headwater, identify('1', 'jane@example.com'))
  await headwater.get(`/v1/profiles/email:jane@example.com?after=${position}`)
  await headwater.get('/v1/profiles?q=jane')
  await headwater.kill('SIGTERM')
  const printed = headwater.output.replace(/^Try, in another terminal:[\s\S]*?^Ctrl-C/m, '')
  expect(printed).toContain('/v1/profiles/:id')
  expect(printed).not.toMatch(/jane|test-(write|read)/)
  expect(printed).not.toContain(READ_TOKEN)
})

describeNats('with nats-server on the PATH', () => {
  test('it starts its own, answers JetStream publishers, and takes it over after a kill', async () => {
    const port = await freePort()
    const headwater = await engine({ HEADWATER_NATS_PORT: String(port) })
    await headwater.start()
    const client = await connect({ servers: `nats://127.0.0.1:${port}` })
    const first = await client.jetstream().publish('events.default.web', identify('1', 'a@example.com'))
    expect(first).toMatchObject({ seq: 1, duplicate: false })
    await headwater.kill('SIGKILL')
    await headwater.start()
    const again = await client.jetstream().publish('events.default.web', identify('1', 'a@example.com'))
    expect(again).toMatchObject({ seq: 1, duplicate: true })
    expect(client.stats().outMsgs).toBe(2)
    await client.close()
    expect(await headwater.kill('SIGTERM')).toBe(0)
    await expect(connect({ servers: `nats://127.0.0.1:${port}`, reconnect: false })).rejects.toThrow()
  })

  test('a stream that captures the subject ends the start', async () => {
    const port = await freePort()
    const headwater = await engine({ HEADWATER_NATS_PORT: String(port), NATS_INTAKE: 'jetstream' })
    await headwater.start()
    const client = await connect({ servers: `nats://127.0.0.1:${port}` })
    await client.jetstream().publish('events.default.web', identify('1', 'a@example.com'))
    await expect
      .poll(async () => (await headwater.get<{ position: number }>('/v1/projections')).position, {
        timeout: 5_000,
      })
      .toBe(1)
    const direct = await engine({
      NATS_URL: `nats://127.0.0.1:${port}`,
      HEADWATER_DATA: join(directory, 'other'),
    })
    await expect(direct.start()).rejects.toThrow(/ended with 1:[\s\S]*captures events\.default\.>/)
    await client.close()
  })
})
