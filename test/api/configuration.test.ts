import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configurationTable, loadConfiguration } from '../../api/configuration.ts'
import { loadCredentials } from '../../api/credentials.ts'
import { shownLogAddress } from '../../api/log-address.ts'

// Theorem: a configuration is taken whole or refused with everything that is wrong with it, secrets unrepeated; and
// credentials are made once, kept for their owner's eyes, and yield to the environment.

function loaded(env: Record<string, string>) {
  const configuration = loadConfiguration(env)
  if (E.isLeft(configuration)) throw new Error(JSON.stringify(configuration.left))
  return configuration.right
}

function refused(env: Record<string, string>) {
  const configuration = loadConfiguration(env)
  if (E.isRight(configuration)) throw new Error('it was accepted')
  return configuration.left
}

describe('the configuration', () => {
  it('has the documented defaults', () => {
    expect(loaded({})).toEqual({
      erasureWaitHours: 24,
      auditKey: undefined,
      auditOrigin: undefined,
      treeHeadWebhook: undefined,
      duplicates: 'suggest',
      duplicatesHours: 24,
      indexMemoryMb: 256,
      builds: 'auto',
      keyBackupDays: 30,
      pullFile: undefined,
      dataDirectory: './data',
      host: '127.0.0.1',
      port: 7070,
      writeKey: undefined,
      readToken: undefined,
      allowedHosts: [],
      masterKey: undefined,
      workspace: 'default',
      logCompression: 'zstd',
      natsUrl: undefined,
      natsIntake: 'direct',
      natsPort: 4222,
      esdbPort: 0,
      esdbTlsCert: undefined,
      esdbTlsKey: undefined,
      esdbAnonymous: 'off',
      bodyLimitBytes: 8_388_608,
      eventLimitBytes: 1_048_576,
      eventLog: 'embedded',
      maxDepth: 64,
      queueEvents: 20_000,
      queueBytes: 67_108_864,
      afterWaitMs: 10_000,
      pageLimit: 500,
      url: 'http://127.0.0.1:7070',
      logLevel: 'info',
      warnings: [],
    })
  })

  it('takes what is set, and an empty variable for an absent one', () => {
    const env = {
      HEADWATER_PORT: '0',
      HEADWATER_ALLOWED_HOSTS: 'a.example, [::1],b',
      NATS_INTAKE: 'jetstream',
      HEADWATER_HOST: '',
    }
    expect(loaded(env)).toMatchObject({
      port: 0,
      allowedHosts: ['a.example', '[::1]', 'b'],
      natsIntake: 'jetstream',
      host: '127.0.0.1',
    })
  })

  it.each([
    ['HEADWATER_PORT', '70000'],
    ['HEADWATER_PORT', '7070.5'],
    ['HEADWATER_PORT', '0x1b'],
    ['HEADWATER_PORT', ' 7070'],
    ['HEADWATER_PORT', '-1'],
    ['HEADWATER_PORT', 'NaN'],
    ['HEADWATER_BODY_LIMIT_BYTES', '8MiB'],
    ['HEADWATER_BODY_LIMIT_BYTES', '1e6'],
    ['HEADWATER_WORKSPACE', 'Big Corp'],
    ['HEADWATER_WORKSPACE', '../other'],
    ['HEADWATER_ALLOWED_HOSTS', 'a.example:80'],
    ['HEADWATER_ALLOWED_HOSTS', '*'],
    ['NATS_INTAKE', 'both'],
    ['LOG_LEVEL', 'verbose'],
    ['HEADWATER_MAX_DEPTH', '3'],
  ])('%s=%j is refused by name', (variable, value) => {
    const errors = refused({ [variable]: value })
    expect(errors.map((error) => error.variable)).toEqual([variable])
    expect(errors[0]?.message).toContain(`${variable} must be`)
  })

  it.each([
    'http://eventstore:2113',
    'esdb:/eventstore',
    'esdb://admin:hunter2@eventstore:2113?tlss=false',
    'esdb://admin:hunter2@eventstore:2113?tls=false&tlsVerifyCert=false',
    'esdb://admin:hunter2@a,b c',
  ])('HEADWATER_LOG=%j is refused, and never repeated', (value) => {
    const errors = refused({ HEADWATER_LOG: value })
    expect(errors.map(({ variable }) => variable)).toEqual(['HEADWATER_LOG'])
    expect(errors[0]?.message).toMatch(/^HEADWATER_LOG (must be|has an option)/)
    expect(errors[0]?.message).not.toMatch(/hunter2|eventstore:/)
  })

  it.each([
    ['esdb://eventstore:2113?tls=false', 'esdb://eventstore:2113'],
    ['esdb+discover://admin:p@ss,w@a:1,b:2?tlsCAFile=%2Fca&nodePreference=leader', 'esdb+discover://a:1,b:2'],
    ['kurrentdb://u:p@h?userCertFile=/a&userKeyFile=/b', 'kurrentdb://h'],
  ])('HEADWATER_LOG=%j is shown without what it keeps', (value, shown) => {
    expect(loaded({ HEADWATER_LOG: value }).eventLog).toBe(value)
    expect(shownLogAddress(value)).toBe(shown)
  })

  it('tells all errors at once, and no secret', () => {
    const errors = refused({
      HEADWATER_PORT: 'x',
      HEADWATER_WRITE_KEY: 'too short',
      HEADWATER_MASTER_KEY: 'hunter2',
    })
    expect(errors.map((error) => error.variable)).toEqual([
      'HEADWATER_PORT',
      'HEADWATER_WRITE_KEY',
      'HEADWATER_MASTER_KEY',
    ])
    expect(JSON.stringify(errors)).not.toMatch(/too short|hunter2/)
  })

  it('refuses what contradicts itself', () => {
    const key = 'k'.repeat(20)
    expect(refused({ HEADWATER_WRITE_KEY: key, HEADWATER_READ_TOKEN: key })).toHaveLength(1)
    expect(refused({ HEADWATER_BODY_LIMIT_BYTES: '2048' })[0]?.variable).toBe('HEADWATER_EVENT_LIMIT_BYTES')
  })

  it('warns of a variable that nothing reads', () => {
    expect(loaded({ HEADWATER_PROT: '1', PATH: '/bin' }).warnings).toEqual([
      expect.stringContaining('HEADWATER_PROT'),
    ])
  })

  it('is rendered as one table, a row each', () => {
    const rows = configurationTable().trimEnd().split('\n')
    expect(rows).toHaveLength(2 + Object.keys(loaded({})).length - 1)
    expect(rows.every((row) => row.split(' | ').length === 5)).toBe(true)
    expect(rows).toContainEqual(expect.stringContaining('| `HEADWATER_PORT` | integer | 7070 |'))
  })
})

describe('credentials', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'headwater-credentials-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const load = (given: { writeKey?: string; readToken?: string } = {}) => {
    const credentials = loadCredentials(join(directory, 'data'), given)
    if (E.isLeft(credentials)) throw new Error(credentials.left.message)
    return credentials.right
  }
  const file = () => join(directory, 'data', 'credentials.json')

  it('are made once, for their owner only', () => {
    const first = load()
    expect(first.created).toBe(true)
    expect(first.writeKey).toMatch(/^hw_w_[\w-]{32}$/)
    expect(first.readToken).toMatch(/^hw_r_[\w-]{32}$/)
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    chmodSync(file(), 0o644)
    expect(load()).toEqual({ ...first, created: false })
    expect(statSync(file()).mode & 0o777).toBe(0o600)
  })

  it('are another pair elsewhere', () => {
    const other = loadCredentials(join(directory, 'other'), {})
    expect(E.isRight(other) && other.right.writeKey).not.toBe(load().writeKey)
  })

  it('yield to the environment', () => {
    const kept = load()
    expect(load({ readToken: 'from-the-environment' })).toEqual({
      ...kept,
      readToken: 'from-the-environment',
      created: false,
    })
    rmSync(file())
    expect(load({ readToken: 'from-the-environment', writeKey: 'that-too' }).created).toBe(false)
    expect(() => statSync(file())).toThrow()
  })

  it.each(['', '{', '{"writeKey":"x"}', '[]', '{"writeKey":1,"readToken":"x"}'])(
    'a damaged file %j is told, never overwritten',
    (content) => {
      load()
      writeFileSync(file(), content)
      const credentials = loadCredentials(join(directory, 'data'), {})
      expect(E.isLeft(credentials) && credentials.left.message).toContain('credentials.json')
      expect(readFileSync(file(), 'utf8')).toBe(content)
    },
  )
})
