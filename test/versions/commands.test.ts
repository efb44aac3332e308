/**
 * Theorem: on a running engine the command line shows what a rule would change before it is published, holds what was
 * published until somebody switches, switches and rolls back with the log as witness, makes read models anew, and
 * proves beside the engine that what serves follows from the log, before and after an erasure, and after damage not.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Engine } from '../../api/engine.ts'
import { publishedConfiguration } from '../../api/published-configuration.ts'
import { ComparingAborted } from '../../api/versions/compare.ts'
import { startComparison } from '../../api/versions/thread.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { projections } from '../../projections/catalog.ts'
import { createWorld, READ_TOKEN, type World, WRITE_KEY } from '../api/world.ts'
import { run } from '../backup/support.ts'
import { caughtUp, eraseNow, openAt, send, temporaryDirectory } from '../erasure/support.ts'

let directory: ReturnType<typeof temporaryDirectory>
let data = ''
let engine: Engine
let world: World
let env: Readonly<Record<string, string>> = {}

const phone = (id: string, source: string, number: string) => ({
  ...{
    id,
    source,
    type: 'cdp.identify',
    data: { userId: 'mara', traits: { phone: number, name: 'Mara Quill' } },
  },
})
const register = (id: string, source: string, priority: number) => ({
  ...{ id, source: 'crm', type: 'source.registered', data: { source, name: source, priority } },
})

async function start(): Promise<void> {
  engine = (await openAt(data, { builds: 'hold' })).engine
  const { erasures, log, keyStore, store, liveRows, versions } = engine
  const open = (recorded: RecordedEvent) => openEvent(recorded, keyStore, registry)
  world = await createWorld({
    ...{ erasures, log, store, liveRows, versions, directory: keyStore, openEvent: open },
    projections: new Map(projections.map((projection) => [projection.name, projection])),
    publishedConfiguration: publishedConfiguration(log, projections, open),
  })
  await world.app.listen({ host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${(world.app.server.address() as AddressInfo).port}`
  env = {
    HEADWATER_URL: url,
    HEADWATER_READ_TOKEN: READ_TOKEN,
    HEADWATER_WRITE_KEY: WRITE_KEY,
    HEADWATER_DATA: data,
  }
}

async function stop(): Promise<void> {
  await world.close()
  await engine.stop()
}

beforeAll(async () => {
  directory = temporaryDirectory()
  data = join(directory.path, 'data')
  await start()
  await send(engine, register('r1', 'web', 1), register('r2', 'erp', 2))
  for (let n = 0; n < 40; n++)
    await send(engine, {
      ...{ id: `p${n}`, source: 'web', type: 'cdp.page', data: { userId: `u${n % 7}`, name: 'Home' } },
    })
  await send(engine, phone('from-web', 'web', '+442079460018'), phone('from-erp', 'erp', '+442079460019'), {
    id: 'o',
    source: 'web',
    type: 'cdp.identify',
    data: { userId: 'otto', traits: { name: 'Otto' } },
  })
  await caughtUp(engine)
  for (const { name } of projections) await engine.versions.switchTo('switch', name, undefined)
}, 60_000)
afterAll(async () => {
  await stop()
  directory.remove()
})

const json = async (...args: readonly string[]) => {
  const ran = await run([...args, '--json'], env)
  return { code: ran.code, value: ran.out === '' ? undefined : JSON.parse(ran.out), err: ran.err }
}

async function served(): Promise<unknown> {
  const { value } = await engine.store.list({ projection: 'profile', limit: 100 })
  return value.rows.find(({ row }) => row['name'] === 'Mara Quill')?.row['phone']
}

const readModelChecks = async () => {
  const { code, value } = await json('verify')
  const checks: readonly { check: string; status: string; message: string }[] = value.checks
  const found = checks.filter(({ check }) => check === 'read models')
  return {
    code,
    statuses: found.map(({ status }) => status),
    messages: found.map(({ message }) => message).join('\n'),
  }
}

test('verify beside the running engine: every read model, row by row', async () => {
  const found = await readModelChecks()
  expect(found).toMatchObject({ code: 0, statuses: ['ok'] })
  const { length } = projections
  expect(found.messages).toMatch(
    new RegExp(`${length} of ${length} are, row by row, what the log comes to at position \\d+`),
  )
  expect(existsSync(join(data, 'versions'))).toBe(false)
})

test('a rule is tried, published, held, compared, switched to, rolled back', async () => {
  const rules = join(directory.path, 'rules.json')
  writeFileSync(rules, JSON.stringify({ kind: 'priorities', rules: { web: 3 } }))
  const head = engine.log.head().position
  const tried = await json('try', rules)
  expect(tried).toMatchObject({ code: 0, value: { kind: 'differences', position: head } })
  const profile = (answer: typeof tried) =>
    answer.value.diffs.find(({ projection }: { projection: string }) => projection === 'profile')
  expect(profile(tried)).toMatchObject({ added: 0, removed: 0, changed: 1 })
  expect(profile(tried).sample[0].fields).toContainEqual(
    expect.objectContaining({
      ...{ column: 'phone', from: '+442079460018', to: '+442079460019' },
      because: {
        from: [expect.objectContaining({ event: 'from-web', source: 'web' })],
        to: [expect.objectContaining({ event: 'from-erp', source: 'erp' })],
      },
    }),
  )
  const printed = await run(['try', rules], env)
  expect(printed.out).toMatch(/phone: \+442079460018 → \+442079460019/)
  expect(printed.out).toMatch(/becomes: erp event from-erp \(position \d+/)
  expect(engine.log.head().position).toBe(head)
  expect(await served()).toBe('+442079460018')

  await send(engine, register('r3', 'web', 3))
  await caughtUp(engine)
  expect(await served()).toBe('+442079460018')
  const compared = await json('diff', 'profile')
  expect(profile(compared)).toMatchObject({ changed: 1, sample: profile(tried).sample })
  expect(profile(compared).from).not.toBe(profile(compared).to)

  expect(await run(['switch', 'profile', '--by', 'kim'], env)).toMatchObject({ code: 0 })
  expect(await served()).toBe('+442079460019')
  expect((await run(['switch', 'profile'], env)).err).toMatch(/Nothing waits/)
  expect(profile(await json('diff', 'profile'))).toMatchObject({ added: 0, removed: 0, changed: 0 })
  expect(await run(['rollback', 'profile'], env)).toMatchObject({ code: 0 })
  expect(await served()).toBe('+442079460018')
  expect((await run(['rollback', 'profile'], env)).err).toMatch(/HEADWATER_BUILDS=hold/)
  expect(await run(['switch', 'profile'], env)).toMatchObject({ code: 0 })
  const switches: unknown[] = []
  for await (const batch of engine.log.read({ types: new Set(['projection.switched']) }))
    for (const { data: said } of batch) if (said['projection'] === 'profile') switches.push(said)
  const { from, to } = profile(compared)
  expect(switches.slice(-3)).toMatchObject([
    { from, to, by: 'kim' },
    { from: to, to: from },
    { from, to },
  ])
  for (const { name } of projections) await engine.versions.switchTo('switch', name, undefined)
})

test('another release shows beside the engine what it would change', async () => {
  const found = await json('diff', 'profile', '--data', data)
  expect(found).toMatchObject({
    code: 0,
    value: { diffs: [{ projection: 'profile', added: 0, removed: 0, changed: 0 }] },
  })
  expect((await run(['diff', 'profile', '--data', data], env)).out).toMatch(/nothing changes in \d+ rows/)
})

test('the documentation names every route', async () => {
  const { paths } = (await world.app.inject({ url: '/docs/json' })).json()
  for (const path of ['/v1/rules/try', '/v1/version-jobs/{id}', '/v1/projections/{name}/diff'])
    expect(Object.values<object>(paths[path])[0]).toMatchObject({
      tags: ['Versions'],
      security: [{ readToken: [] }],
    })
  for (const path of [
    '/v1/projections/rebuild',
    '/v1/projections/{name}/switch',
    '/v1/projections/{name}/rollback',
  ])
    expect(paths[path].post.security).toEqual([{ readToken: [], writeKeyBeside: [] }])
  expect((await world.app.inject({ url: '/v1/version-jobs' })).statusCode).toBe(401)
})

test('what is given up leaves nothing behind', async () => {
  const paths = { data, headSignal: engine.log.headSignal, masterKey: undefined }
  const comparison = { kind: 'anew', projections: ['profile'], published: [], sample: 1 } as const
  const running = startComparison(paths, comparison, () => undefined)
  await running.abort()
  await expect(running.result).rejects.toThrow(ComparingAborted)
  expect(existsSync(join(data, 'versions'))).toBe(false)
})

test('bad rules, unknown names and wrong keys are refused', async () => {
  const rules = join(directory.path, 'bad.json')
  writeFileSync(
    rules,
    JSON.stringify({ kind: 'survivorship', rules: { 'profile.nothing': { rule: 'latest' } } }),
  )
  expect(await run(['try', rules], env)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/could not be published/),
  })
  expect(await run(['try', join(directory.path, 'none.json')], env)).toMatchObject({ code: 2 })
  expect(await run(['diff', 'nothing'], env)).toMatchObject({ code: 1, err: expect.stringMatching(/404/) })
  expect(await run(['rebuild', 'nothing'], env)).toMatchObject({ code: 1 })
  expect(
    await run(['rebuild', 'profile'], { ...env, HEADWATER_WRITE_KEY: 'another-key-0123456789' }),
  ).toMatchObject({
    code: 1,
    err: expect.stringMatching(/403/),
  })
})

test('rebuild says whether the rows were right, and mends them', async () => {
  expect(await run(['rebuild', '--all'], env)).toMatchObject({ code: 0 })
  expect(await served()).toBe('+442079460019')
  await stop()
  const path = join(data, 'read-models.sqlite')
  const store = new DatabaseSync(path)
  const build = store
    .prepare("SELECT build FROM builds WHERE projection = 'profile' AND serving = 1")
    .get()?.['build']
  store.exec(`UPDATE "${build}" SET phone = '+442079460077' WHERE name = 'Mara Quill'`)
  store.close()
  const stopped = await readModelChecks()
  expect(stopped.code).toBe(1)
  expect(stopped.messages).toMatch(
    /profile isn't what the log comes to: it differs in 1 bucket of 4096 \(\d+\)/,
  )
  await start()
  expect(await readModelChecks()).toMatchObject({ code: 1 })
  const digest = async () => {
    const answer = await world.app.inject({
      url: '/v1/projections/profile/digest?wait=10000',
      headers: { authorization: `Bearer ${READ_TOKEN}` },
    })
    return answer.json().data.result.digest
  }
  const before = await digest()
  const rebuilt = await json('rebuild', 'profile')
  expect(rebuilt).toMatchObject({
    code: 1,
    value: { builds: [{ projection: 'profile', equal: false, before }] },
  })
  expect(await digest()).toBe(rebuilt.value.builds[0].after)
  expect(await readModelChecks()).toMatchObject({ code: 0 })
  expect(await json('rebuild', 'profile')).toMatchObject({ code: 0, value: { builds: [{ equal: true }] } })
})

test('after an erasure what serves still is what the log comes to, and nothing of the person is left beside it', async () => {
  const id = engine.keyStore.find('user', 'mara') ?? ''
  mkdirSync(join(data, 'versions', 'killed'), { recursive: true })
  writeFileSync(join(data, 'versions', 'killed', 'read-models.sqlite'), 'Mara Quill')
  await eraseNow(engine, id)
  expect(existsSync(join(data, 'versions'))).toBe(false)
  const found = await readModelChecks()
  expect(found.messages).toMatch(/1 erasure included/)
  expect(found).toMatchObject({ code: 0, statuses: ['ok'] })
  expect(await json('rebuild', '--all')).toMatchObject({ code: 0 })
  expect(readdirSync(data)).not.toContain('versions')
})
