/**
 * Theorem: a thread is under pressure while it works nearly all the time, and not while it is idle now and then, nor while its
 * event loop is held up without working: what others fold isn't in its way then.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { isUnderPressure, type ThreadLoad, watchPressure } from '../../api/pressure.ts'

/** In each 100 ms. */
const LOADS: readonly (readonly [string, boolean, ThreadLoad])[] = [
  ['works all the time', true, { active: 100, idle: 0, cpu: 98 }],
  [
    'works nearly all the time, some of it on the other half of a core',
    true,
    { active: 92, idle: 8, cpu: 70 },
  ],
  ['is idle now and then', false, { active: 85, idle: 15, cpu: 84 }],
  ['is idle', false, { active: 0, idle: 100, cpu: 0 }],
  ['has something to do, and little of a core', false, { active: 100, idle: 0, cpu: 50 }],
]

test.each(LOADS)('a thread that %s: %s', async (_, expected, { active, idle, cpu }) => {
  let looks = 0
  // All sums, from some beginning on.
  const pressure = watchPressure(() => {
    looks += 1
    return { active: 7_000 + looks * active, idle: 300 + looks * idle, cpu: 5_000 + looks * cpu }
  })
  while (looks < 3) await sleep(10)
  expect(isUnderPressure(pressure.shared)).toBe(expected)
  pressure.close()
})

test('this thread, held up without working: none', async () => {
  const pressure = watchPressure()
  const word = new Int32Array(new SharedArrayBuffer(4))
  for (let turn = 0; turn < 4; turn++) {
    Atomics.wait(word, 0, 0, 150)
    await sleep(0)
    expect(isUnderPressure(pressure.shared)).toBe(false)
  }
  pressure.close()
})
