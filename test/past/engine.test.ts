/**
 * Theorem: an engine builds its past on a thread of its own from its files, equal to what it serves; an erasure leaves
 * nothing of it, in a file or in an answer; neither a stop nor a crash does.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Engine } from '../../api/engine.ts'
import type { BuildOrder, PastOutcome, PastTables } from '../../api/past/past.ts'
import { threadPastBuilder } from '../../api/past/thread-builder.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { projections } from '../../projections/catalog.ts'
import { caughtUp, eraseNow, filesUnder, openAt, send, temporaryDirectory } from '../erasure/support.ts'
import { allRows } from './past-world.ts'

const EMAIL = 'zephyrine@mail.example'
const NAME = 'Zephyrine Quandary'
const identify = (id: string, email: string, name: string) => ({
  ...{ id, source: 'web', type: 'cdp.identify', data: { userId: id, traits: { email, name } } },
})

async function at<T>(
  engine: Engine,
  moment: Moment,
  projection: string,
  work: (tables: PastTables) => Promise<T>,
): Promise<T> {
  const outcome: PastOutcome<T> = await engine.past.use(
    { moment, projections: [projection], waitMs: 60_000 },
    work,
  )
  if (outcome._tag !== 'Answered') throw new Error(JSON.stringify(outcome))
  return outcome.value
}

test('built from files, forgotten by an erasure, gone with the engine', async () => {
  const directory = temporaryDirectory()
  const past = join(directory.path, 'past')
  // What a crash has left.
  mkdirSync(past)
  writeFileSync(join(past, '7.sqlite'), NAME)
  let { engine } = await openAt(directory.path)
  expect(existsSync(past)).toBe(false)
  await send(engine, identify('z', EMAIL, NAME), identify('b', 'bob@mail.example', 'Bob Builder'))
  await caughtUp(engine)
  const moment: Moment = { by: 'received', ...engine.log.head() }
  const [profiles, events] = await Promise.all([
    at(engine, moment, 'profile', ({ reader }) => allRows(reader, 'profile')),
    at(engine, moment, 'daily_events', ({ reader }) => allRows(reader, 'daily_events')),
  ])
  expect(profiles).toEqual(await allRows(engine.store, 'profile'))
  expect(events).toEqual(await allRows(engine.store, 'daily_events'))
  expect(profiles.map(({ row }) => row.name)).toEqual(expect.arrayContaining([NAME]))
  const [{ sizeBytes = 0 } = {}] = engine.past.status()
  // What is known already isn't read again.
  const own = engine.keyStore.find('email', EMAIL) ?? ''
  const skipped: number[] = []
  const skip = (position: number) => skipped.push(position) > 0
  for await (const batch of engine.log.readIdentity(own, { skip })) expect(batch).toEqual([])
  expect(skipped).toEqual([1])
  expect(sizeBytes).toBeGreaterThan(0)
  expect(readdirSync(past)).not.toEqual([])

  const erased = engine.keyStore.find('email', EMAIL)
  await eraseNow(engine, erased ?? '')
  expect(readdirSync(past)).toEqual([])
  const again = await at(engine, moment, 'profile', ({ reader }) => allRows(reader, 'profile'))
  expect(again).toHaveLength(2)
  expect(again.map(({ row }) => row.name).sort()).toEqual(['Bob Builder', null].sort())
  for (const [path, bytes] of filesUnder(directory.path))
    for (const value of [EMAIL, NAME]) expect(bytes.includes(value), `${path} holds ${value}`).toBe(false)

  // Under way when it stops.
  void engine.past.use({ moment, projections: ['session'], waitMs: 0 }, async () => undefined)
  await engine.stop()
  expect(readdirSync(past)).toEqual([])
  engine = (await openAt(directory.path)).engine
  expect(engine.past.status()).toEqual([])
  await engine.stop()
  directory.remove()
}, 60_000)

test('a build that fails says why and leaves nothing', async () => {
  const directory = temporaryDirectory()
  const { engine } = await openAt(directory.path)
  await send(engine, identify('z', EMAIL, NAME))
  const parts = {
    logDirectory: join(directory.path, 'log'),
    headSignal: engine.log.headSignal,
    masterKey: undefined,
  }
  const own = join(directory.path, 'mine')
  const order: BuildOrder = {
    moment: { by: 'received', ...engine.log.head() },
    projections: ['profile'],
    limitBytes: 1,
    onProgress: () => undefined,
  }
  const builderAt = (keys: string) =>
    threadPastBuilder({ ...parts, keysDirectory: join(directory.path, keys), directory: own, projections })
  const tooLarge = await builderAt('keys').build(order).outcome
  expect(tooLarge).toEqual({ _tag: 'Failed', failure: { _tag: 'TooLarge', limitBytes: 1 } })
  const broken = await builderAt('elsewhere').build({ ...order, limitBytes: 1e9 }).outcome
  expect(broken).toMatchObject({ _tag: 'Failed', failure: { _tag: 'Broken' } })
  const stopped = builderAt('keys').build({ ...order, limitBytes: 1e9 })
  await stopped.stop()
  expect(await stopped.outcome).toEqual({ _tag: 'Failed', failure: { _tag: 'Dropped' } })
  expect(readdirSync(own)).toEqual([])
  await engine.stop()
  directory.remove()
}, 60_000)
