/**
 * Theorem: where builds are held, what serves is what its own configuration comes to, whatever arrives and however often
 * the engine is restarted; the build that waits is what would serve without holding; switching and rolling back swap
 * the two whole, and are refused by type where there is nothing to swap.
 */

import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMemoryStore } from '../../engine/store/memory.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import type { IntakeWorld } from '../support/intake-world.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { SENT } from '../support/sent-events.ts'
import { servedRows, startRunning } from './running.ts'

const LONG_MS = 600_000

let world: IntakeWorld
let writer: StoreWriter
beforeEach(() => {
  world = intakeWorld()
  writer = createMemoryStore().writer
})
afterEach(() => world.close())

const phone = (id: string, source: string, number: string) => ({
  ...{ id, source, type: 'cdp.identify' },
  data: { userId: 'a', traits: { phone: number } },
})

const register = (id: string, source: string, priority: number) => ({
  ...{ id, source: 'crm', type: 'source.registered' },
  data: { source, name: source, priority },
})

const TWO = [
  register('r1', 'web', 1),
  register('r2', 'erp', 2),
  phone('1', 'web', '+442079460018'),
  phone('2', 'erp', '+442079460019'),
]

function servedPhone(): unknown {
  const snapshot = writer.snapshot()
  const build =
    snapshot.builds.find(({ projection, serving }) => projection === 'profile' && serving)?.build ?? ''
  const place = snapshot.columns(build).findIndex(([name]) => name === 'phone')
  return [...snapshot.rows(build)][0]?.cells[place]
}

const builds = () =>
  writer.builds().flatMap(({ projection, serving }) => (projection === 'profile' ? [serving] : []))

async function started(of: IntakeWorld = world) {
  const running = startRunning({ world: of, writer, builds: 'hold', commitEvents: 3 })
  await running.caughtUp()
  return running
}

test('a new priority waits until somebody switches, both builds follow, and the one before comes back', async () => {
  await world.send(...TWO)
  let running = await started()
  // What the first events published waits too: of an empty log another configuration served.
  await running.switchTo('switch', 'profile')
  expect(servedPhone()).toBe('+442079460018')
  await world.send(register('r3', 'web', 3))
  await running.caughtUp()
  expect(servedPhone()).toBe('+442079460018')
  expect(running.states.filter((state) => state.startsWith('profile'))).toContain('profile: waiting')
  await running.stop()

  // Its configuration is found again: the newest number comes from the source that it ranks second.
  running = await started()
  await world.send(phone('3', 'erp', '+442079460020'))
  await running.caughtUp()
  expect(servedPhone()).toBe('+442079460018')
  const switched = await running.switchTo('switch', 'profile')
  expect(E.isRight(switched) && switched.right).toMatchObject({ projection: 'profile', rows: 1 })
  expect(servedPhone()).toBe('+442079460020')
  expect(builds()).toHaveLength(2)

  await world.send(phone('4', 'web', '+442079460021'))
  await running.caughtUp()
  await running.stop()
  running = await started()
  expect(servedPhone()).toBe('+442079460020')
  expect(E.isRight(await running.switchTo('rollback', 'profile'))).toBe(true)
  expect(servedPhone()).toBe('+442079460021')
  expect(await running.switchTo('rollback', 'profile')).toMatchObject(E.left({ _tag: 'NoBuildBefore' }))
  await running.stop()
  running = await started()
  expect(servedPhone()).toBe('+442079460021')
  expect(E.isRight(await running.switchTo('switch', 'profile'))).toBe(true)
  expect(servedPhone()).toBe('+442079460020')
  expect(await running.switchTo('switch', 'profile')).toMatchObject(E.left({ _tag: 'NothingWaits' }))
  await running.stop()
})

test('what waited and is wanted no more goes; what served before stays until the next switch', async () => {
  const running = await started()
  await world.send(...TWO)
  await running.caughtUp()
  expect(await running.switchTo('switch', 'profile')).toMatchObject({ _tag: 'Right' })
  for (const [n, priority] of [3, 4].entries()) {
    await world.send(register(`later${n}`, 'web', priority))
    await running.caughtUp()
  }
  // Serving, the newest that waits, and the one before.
  expect(builds()).toEqual([false, true, false])
  expect(await running.rebuild(['profile'])).toMatchObject(E.left({ _tag: 'BuildWaits' }))
  await running.switchTo('switch', 'profile')
  expect(builds()).toEqual([false, true])
  await running.stop()
})

test('without holding, what waited serves at once and nothing is kept', async () => {
  await world.send(...TWO)
  const running = await started()
  await world.send(register('r3', 'web', 3))
  await running.caughtUp()
  await running.stop()
  const auto = startRunning({ world, writer })
  await auto.caughtUp()
  await auto.stop()
  expect(servedPhone()).toBe('+442079460019')
  expect(builds()).toEqual([true])
  expect(auto.states.filter((state) => state === 'profile: building')).toEqual([])
})

test(
  'after all is switched: what an undisturbed fold comes to, whatever was sent and wherever it was restarted',
  async () => {
    const batches = fc.array(fc.array(SENT, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(batches, fc.array(fc.boolean()), async (sent, switches) => {
        const own = intakeWorld()
        writer = createMemoryStore().writer
        let n = 0
        for (const [at, events] of sent.entries()) {
          const running = await started(own)
          await own.send(...events.map((event) => ({ ...event, id: `e${n++}` })))
          await running.caughtUp()
          if (switches[at] === true)
            for (const kind of ['switch', 'rollback'] as const) await running.switchTo(kind, 'profile')
          await running.stop()
        }
        const running = await started(own)
        for (const projection of Object.keys(servedRows(writer))) await running.switchTo('switch', projection)
        await running.stop()
        const plain = createMemoryStore().writer
        const undisturbed = startRunning({ world: own, writer: plain })
        await undisturbed.caughtUp()
        await undisturbed.stop()
        expect(servedRows(writer)).toEqual(servedRows(plain))
        await own.close()
      }),
      { numRuns: process.env['HEADWATER_TEST_LONG'] === undefined ? 4 : 200 },
    )
  },
  LONG_MS,
)
