/**
 * Theorem: each pull runs at once and then every so often, never twice at the same time; one that fails is asked less and
 * less often, and the others don't notice; stopping ends what is under way; and how each is can be read.
 */
import { appendFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pauseMs } from '../../api/pull/pulls.ts'
import { AS_READER, createWorld } from '../api/world.ts'
import { folderPull, type PullWorld, pullWorld, scheduled, until, watched } from './support.ts'

let world: PullWorld
beforeEach(() => {
  world = pullWorld()
})
afterEach(() => world.close())

test('a folder is looked at again and again, and a restart goes on', async () => {
  const path = world.drop.write('a.csv', 'a,b\nr1,x\n')
  const first = scheduled(world, [folderPull(world)])
  first.pulls.start()
  await until(async () => (await world.taken()).length === 1)
  appendFileSync(path, 'r2,x\n')
  await until(async () => (await world.taken()).length === 2)
  await first.pulls.stop()
  appendFileSync(path, 'r3,x\n')
  const second = scheduled(world, [folderPull(world)])
  second.pulls.start()
  await until(async () => (await world.taken()).length === 3)
  await second.pulls.stop()
  expect(await world.taken()).toEqual(['r1', 'r2', 'r3'])
  const imported = second.logged.filter((line) => line.includes('"imported"'))
  expect(imported).toHaveLength(1)
  expect(imported[0]).toContain('"rows":1,')
  expect(await second.metrics.render()).toMatch(/headwater_pull_rows_total\{pull="sample"\} 1\n/)
})

test('runs of one pull never overlap, and stopping waits for what is under way', async () => {
  let [running, most] = [0, 0]
  const { intake } = watched(world.engine.intake, async () => {
    running += 1
    most = Math.max(most, running)
    await new Promise((resolve) => setTimeout(resolve, 30))
    running -= 1
  })
  world.drop.write('a.csv', `a,b\n${Array.from({ length: 20 }, (_, i) => `r${i},x\n`).join('')}`)
  const { pulls } = scheduled(world, [folderPull(world, { everyMs: 1 })], { intake })
  pulls.start()
  await until(() => running > 0)
  await pulls.stop()
  expect(running).toBe(0)
  expect(most).toBe(1)
})

test('one that fails leaves the others alone, and is told', async () => {
  world.drop.write('a.csv', 'a,b\nr1,x\n')
  const broken = folderPull(world, { name: 'broken', folder: world.drop.path('none') })
  const { pulls, metrics } = scheduled(world, [broken, folderPull(world)])
  pulls.start()
  await until(async () => (await world.taken()).length === 1)
  await until(async () => ((await pulls.status())[0]?.failures ?? 0) >= 2)
  // The mark follows what was taken.
  await until(async () => {
    const mark = (await pulls.status())[1]?.mark
    return mark?.kind === 'folder' && mark.rows === 1
  })
  const api = await createWorld({ pulls })
  const { data } = (await api.app.inject({ url: '/v1/pulls', headers: AS_READER })).json()
  expect(data).toMatchObject([
    { name: 'broken', kind: 'folder', everySeconds: 0.01, lastSuccess: null, lastRun: { outcome: 'failed' } },
    { name: 'sample', failures: 0, mark: { files: 1, rows: 1, unreadable: [] } },
  ])
  expect((await api.app.inject({ url: '/v1/pulls?x=1', headers: AS_READER })).statusCode).toBe(400)
  expect((await api.app.inject({ url: '/v1/pulls' })).statusCode).toBe(401)
  await api.close()
  expect(await metrics.render()).toContain('headwater_pulls_failing 1\n')
  await pulls.stop()
})

describe('the pause', () => {
  test('is the interval; after failures it doubles, up to an hour, with a random half left out', () => {
    expect(pauseMs(60_000, 0, () => 0.9)).toBe(60_000)
    expect([1, 2, 3, 6, 50].map((failures) => pauseMs(10_000, failures, () => 0))).toEqual([
      10_000, 20_000, 40_000, 320_000, 320_000,
    ])
    expect(pauseMs(10_000, 1, () => 0.5)).toBe(15_000)
    expect(pauseMs(1_800_000, 5, () => 1)).toBe(3_600_000)
    expect(pauseMs(86_400_000, 5, () => 1)).toBe(86_400_000)
  })
})
