/**
 * Theorem: an erasure waits as long as it was asked to, over restarts, and can be taken back until then. What it takes is
 * the whole profile as it is when the wait is over: who is linked meanwhile goes too, also while it is carried out, and who
 * is cut off stays. A key store from a backup is made to forget everybody again before anything is served.
 */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkErasures } from '../../api/doctor/erasures.ts'
import type { Engine } from '../../api/engine.ts'
import type { Erasure } from '../../api/erasure/erasures.ts'
import { systemClock } from '../../engine/clock.ts'
import {
  advancing,
  caughtUp,
  done,
  eraseNow,
  found,
  openAt,
  rowsOf,
  send,
  temporaryDirectory,
} from './support.ts'

const HOUR_MS = 3_600_000
const base = { source: 'web', type: 'cdp.identify' }

let directory: ReturnType<typeof temporaryDirectory>
let engine: Engine
let aheadMs = 0
const clock = advancing(systemClock, () => aheadMs)

beforeEach(async () => {
  directory = temporaryDirectory()
  aheadMs = 0
  engine = (await openAt(directory.path, { clock })).engine
})
afterEach(async () => {
  await engine.stop()
  directory.remove()
})

async function restart(): Promise<readonly string[]> {
  await engine.stop()
  const opened = await openAt(directory.path, { clock })
  engine = opened.engine
  return opened.notices
}

function idOf(namespace: string, value: string): string {
  return engine.keyStore.find(namespace, value) ?? expect.fail(`nobody is ${namespace}:${value}`)
}

async function ask(identity: string, waitMs: number): Promise<Erasure> {
  const asked = await engine.erasures.request({ identity, waitMs })
  return E.isRight(asked) ? asked.right : expect.fail(asked.left._tag)
}

function identify(id: string, userId: string, traits: Readonly<Record<string, string>>) {
  return { ...base, id, data: { userId, traits } }
}

test('it waits over restarts, is asked for once, brought forward, and carried out when it is due', {
  timeout: 180_000,
}, async () => {
  await send(engine, identify('1', 'jane', { email: 'jane@example.com' }))
  const asked = await ask(idOf('user', 'jane'), 24 * HOUR_MS)
  expect(asked).toMatchObject({ state: 'scheduled', identities: 0, certificate: undefined })
  expect((await ask(idOf('email', 'jane@example.com'), 24 * HOUR_MS)).number).toBe(asked.number)
  const sooner = await ask(idOf('email', 'jane@example.com'), HOUR_MS)
  expect(sooner.number).toBe(asked.number)
  expect(sooner.due).toBeLessThan(asked.due)
  expect((await ask(idOf('user', 'jane'), 5 * HOUR_MS)).due).toBe(sooner.due)
  expect(engine.erasures.counts()).toMatchObject({ scheduled: 1, overdue: 0 })
  expect(checkErasures(directory.path, clock)).toMatchObject({ status: 'ok', message: '1 erasure waiting' })
  aheadMs = 2 * HOUR_MS
  expect(engine.erasures.counts()).toMatchObject({ scheduled: 1, overdue: 1 })
  expect(checkErasures(directory.path, clock).status).toBe('warn')
  await restart()
  expect((await done(engine, asked.number)).certificate?.identities).toHaveLength(2)
  expect(engine.erasures.counts()).toMatchObject({ scheduled: 0, overdue: 0, done: 1 })
  expect(checkErasures(directory.path, clock)).toMatchObject({ status: 'ok', message: 'none is waiting' })
})

test('one that waits can be taken back, one that is done can not', { timeout: 180_000 }, async () => {
  await send(engine, identify('1', 'jane', { email: 'jane@example.com' }))
  const { number } = await ask(idOf('user', 'jane'), 24 * HOUR_MS)
  expect(engine.erasures.cancel('2026-01-01-000000000000')).toBeUndefined()
  expect(engine.erasures.cancel(number)).toMatchObject({ right: { state: 'cancelled' } })
  expect(engine.erasures.cancel(number)).toMatchObject({ right: { state: 'cancelled' } })
  await restart()
  aheadMs = 48 * HOUR_MS
  expect(engine.erasures.list()).toMatchObject([{ number, state: 'cancelled' }])
  expect(engine.keyStore.find('user', 'jane')).toBeDefined()
  const second = await eraseNow(engine, idOf('user', 'jane'))
  expect(second.number).not.toBe(number)
  expect(engine.erasures.cancel(second.number)).toMatchObject({ left: { _tag: 'Begun' } })
  const unknown = await engine.erasures.request({ identity: 'ab'.repeat(16), waitMs: 0 })
  expect(unknown).toMatchObject({ left: { _tag: 'Unknown' } })
})

test('who is linked while it waits goes too, who is cut off stays; several go in one pass', {
  timeout: 180_000,
}, async () => {
  await send(
    engine,
    identify('1', 'jane', { email: 'jane@example.com' }),
    { ...base, id: '2', data: { anonymousId: 'otto', traits: { email: 'otto@example.com' } } },
    { ...base, id: '3', data: { anonymousId: 'tablet', traits: { email: 'jane@example.com' } } },
    { ...base, id: '4', data: { anonymousId: 'tablet', traits: { email: 'otto@example.com' } } },
    identify('5', 'kim', { email: 'kim@example.com' }),
    identify('7', 'later', { email: 'later@example.com' }),
  )
  await caughtUp(engine)
  const { value } = await engine.store.members([idOf('user', 'jane')])
  expect(value.get(idOf('user', 'jane'))?.members).toContain(idOf('anonymous', 'otto'))
  const asked = [await ask(idOf('user', 'jane'), HOUR_MS), await ask(idOf('user', 'kim'), HOUR_MS)]
  const later = await ask(idOf('user', 'later'), 5 * HOUR_MS)
  const cut = {
    steward: 'sam',
    identities: [
      { namespace: 'email', value: 'otto@example.com' },
      { namespace: 'anonymous', value: 'tablet' },
    ],
  }
  await send(
    engine,
    { source: 'steward', id: 'c', type: 'identity.cut', data: cut },
    { ...base, id: '6', data: { userId: 'jane', traits: { phone: '+442079460987' } } },
  )
  await caughtUp(engine)
  const otto = idOf('anonymous', 'otto')
  aheadMs = 2 * HOUR_MS
  await restart()
  const [jane, kim] = await Promise.all(asked.map(({ number }) => done(engine, number)))
  expect(engine.erasures.list().find(({ number }) => number === later.number)?.state).toBe('scheduled')
  const namespaces = jane?.certificate?.identities.map(({ namespace }) => namespace).sort()
  expect(namespaces).toEqual(['anonymous', 'email', 'phone', 'user'])
  expect(kim?.certificate?.identities).toHaveLength(2)
  expect(jane?.certificate?.purged.readModelStates).toBe(kim?.certificate?.purged.readModelStates)
  expect(engine.keyStore.reveal(otto)).toEqual({ namespace: 'anonymous', value: 'otto' })
  expect(JSON.stringify((await rowsOf(engine))['profile'])).toContain('otto@example.com')
})

test('events of the person stream in all the while: nothing of theirs stays readable', {
  timeout: 180_000,
}, async () => {
  await send(engine, identify('1', 'jane', { email: 'jane@example.com' }))
  const jane = idOf('email', 'jane@example.com')
  let streaming = true
  let sent = 0
  const fates = new Set<string>()
  const stream = (async () => {
    while (streaming) {
      const batch = Array.from({ length: 20 }, () => {
        sent += 1
        // Every one of them links a browser that nobody has heard of before.
        const data = {
          anonymousId: `browser-${sent}`,
          traits: { email: 'jane@example.com', name: `Xanthippe ${sent}` },
        }
        return { ...base, id: `s${sent}`, data }
      })
      for (const result of await send(engine, ...batch))
        fates.add(result.status === 'quarantined' ? result.reason : result.status)
      // Views give way to an intake that takes the whole machine, for up to half a minute: that isn't the point here.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  while (sent < 100) await new Promise((resolve) => setTimeout(resolve, 5))
  const erasure = await eraseNow(engine, jane)
  const head = engine.log.head().position
  streaming = false
  await stream
  await caughtUp(engine)
  expect([...fates].sort()).toEqual(['appended', 'suppressed'])
  expect(head).toBeGreaterThan(100)
  expect(engine.keyStore.find('email', 'jane@example.com')).toBeUndefined()
  // Whoever was linked is known no more, and no event opens.
  const ids = new Set(erasure.certificate?.identities.map(({ id }) => id))
  for (let at = 1; at <= sent; at++)
    expect(engine.keyStore.find('anonymous', `browser-${at}`)).toBeUndefined()
  for await (const batch of engine.log.read())
    for (const event of batch)
      for (const part of event.sealed) expect(engine.keyStore.open(part, event)).toBeUndefined()
  expect(engine.keyStore.holdings([...ids])).toEqual({ mappings: 0, keyIds: [] })
  expect(found(directory.path, ['Xanthippe', 'jane@example.com'])).toEqual([])
})

test.skipIf(process.env['HEADWATER_TEST_LONG'] === undefined)(
  'a key store from before the erasure forgets again before anything is served',
  {
    timeout: 180_000,
  },
  async () => {
    await send(engine, identify('1', 'jane', { email: 'jane@example.com', name: 'Xanthippe' }))
    const jane = idOf('user', 'jane')
    const keys = join(directory.path, 'keys')
    const kept = `${directory.path}-keys`
    await restart()
    await engine.stop()
    cpSync(keys, kept, { recursive: true })
    try {
      engine = (await openAt(directory.path, { clock })).engine
      await eraseNow(engine, jane)
      await engine.stop()
      rmSync(keys, { recursive: true })
      cpSync(kept, keys, { recursive: true })
      // Read models as a rebuild with the old keys would have made them.
      rmSync(join(directory.path, 'read-models.sqlite'))
    } finally {
      rmSync(kept, { recursive: true })
    }
    const opened = await openAt(directory.path, { clock })
    engine = opened.engine
    expect(opened.notices.join('\n')).toContain('are forgotten again')
    expect(engine.keyStore.reveal(jane)).toBeUndefined()
    expect(engine.keyStore.suppressed({ namespace: 'user', value: 'jane' })).toBe(true)
    expect(found(directory.path, ['Xanthippe', 'jane@example.com'])).toEqual([])
    expect((await restart()).join('\n')).not.toContain('are forgotten again')
  },
)
