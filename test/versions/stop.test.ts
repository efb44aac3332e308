/** Theorem: a projector that is stopped ends, whatever it was ordered to do and has not done. */
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { startRunning } from './running.ts'

/** Many more than stopping takes. */
const MOST_TURNS = 2_000

test('stopped while it rebuilds and another order waits', async () => {
  const world = intakeWorld()
  const identify = { source: 'web', type: 'cdp.identify', data: { userId: 'u1', traits: { name: 'Ann' } } }
  await world.send(...Array.from({ length: 50 }, (_, n) => ({ ...identify, id: `e${n}` })))
  const { writer } = createMemoryStore()
  const running = startRunning({ world, writer, commitEvents: 3 })
  await running.caughtUp()
  for (const order of [running.rebuild(), running.rebuild(), running.switchTo('rollback', 'profile')])
    order.catch(() => undefined)
  while (writer.builds().every(({ serving }) => serving)) await setImmediate()
  let hasEnded = false
  running.stop().then(() => {
    hasEnded = true
  })
  for (let turn = 0; turn < MOST_TURNS && !hasEnded; turn++) await setImmediate()
  expect(hasEnded).toBe(true)
  await world.close()
})
