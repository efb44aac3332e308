import * as fc from 'fast-check'
import { afterEach, expect, it } from 'vitest'
import { type ManualClock, manualClock } from '../../engine/clock.ts'
import { guardClock } from '../../engine/intake/clock-guard.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'
import { type IntakeWorld, intakeWorld, NOON } from '../support/intake-world.ts'

// Theorem: `received` never decreases along the log, whatever the wall clock does. A wall clock that moves more than ten
// minutes against the monotonic one, or starts more than ten minutes behind the log, stops acknowledgements until an
// operator confirms it; one that moves together with the monotonic one never does.

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const worlds: IntakeWorld[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

/** An engine's intake on a log that outlives it. */
function started(clock: ManualClock, log = createMemoryLog()) {
  const guard = guardClock(clock, log.head().received)
  const world = intakeWorld({ log, clock, guard })
  worlds.push(world)
  let sent = 0
  const send = async (): Promise<string> => {
    const id = `e-${clock.monotonicMs()}-${log.head().position}-${sent++}`
    const result = await world.sendOne({ id, source: 'web', type: 'page', data: {} })
    return result.status === 'refused' ? result.refusal.code : result.status
  }
  return { guard, log, send, received: async () => (await world.events()).map((event) => event.received) }
}

it('an hour back: nothing is taken until confirmed, and then nothing is received before what was', async () => {
  const clock = manualClock(NOON)
  const engine = started(clock)
  expect(await engine.send()).toBe('appended')
  clock.jump(-HOUR)
  expect(await engine.send()).toBe('clock_jumped')
  engine.guard.confirm()
  expect(await engine.send()).toBe('appended')
  expect(await engine.received()).toEqual([NOON, NOON])
})

it('a day ahead: nothing is taken, so that nothing is received tomorrow; set right, it goes on after a confirmation', async () => {
  const clock = manualClock(NOON)
  const engine = started(clock)
  expect(await engine.send()).toBe('appended')
  clock.jump(DAY)
  expect(await engine.send()).toBe('clock_jumped')
  clock.jump(-DAY)
  // It was seen to jump: nobody knows which of the two was right.
  expect(await engine.send()).toBe('clock_jumped')
  engine.guard.confirm()
  clock.advance(1000)
  expect(await engine.send()).toBe('appended')
  expect(await engine.received()).toEqual([NOON, NOON + 1000])
})

it('a day passes, an hour passes: both clocks say so, and it is taken', async () => {
  const clock = manualClock(NOON)
  const engine = started(clock)
  for (const ms of [DAY, HOUR]) {
    clock.advance(ms)
    expect(await engine.send()).toBe('appended')
  }
  expect(await engine.received()).toEqual([NOON + DAY, NOON + DAY + HOUR])
})

it('started an hour behind the log: nothing is taken until confirmed; a day ahead of it is a day off', async () => {
  const clock = manualClock(NOON)
  const first = started(clock)
  expect(await first.send()).toBe('appended')
  const behind = started(manualClock(NOON - HOUR), first.log)
  expect(await behind.send()).toBe('clock_jumped')
  behind.guard.confirm()
  expect(await behind.send()).toBe('appended')
  const ahead = started(manualClock(NOON + DAY), first.log)
  expect(await ahead.send()).toBe('appended')
  expect(await ahead.received()).toEqual([NOON, NOON, NOON + DAY])
})

const SENDS = ['send', 'send', 'send', 'send', 'send', 'send'] as const
const act = fc.oneof(
  fc.record({ kind: fc.constantFrom('advance' as const), ms: fc.constantFrom(0, 5, MINUTE, HOUR, DAY) }),
  fc.record({
    kind: fc.constantFrom('jump' as const),
    ms: fc.constantFrom(-DAY, -HOUR, -9 * MINUTE, -MINUTE, -1, 1, MINUTE, 9 * MINUTE, HOUR, DAY),
  }),
  fc.record({ kind: fc.constantFrom(...SENDS, 'confirm' as const, 'restart' as const) }),
)

it('whatever the clock does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 20, maxLength: 80 }), async (acts) => {
      const clock = manualClock(NOON)
      let engine = started(clock)
      /** How far the wall clock is from where the monotonic one would have it, since it was last believed. */
      let driftMs = 0
      let trusted = true
      for (const one of acts) {
        if (one.kind === 'advance') clock.advance(one.ms)
        if (one.kind === 'jump') {
          clock.jump(one.ms)
          driftMs += one.ms
        }
        if (one.kind === 'confirm' || one.kind === 'restart') {
          if (one.kind === 'confirm') engine.guard.confirm()
          else engine = started(clock, engine.log)
          driftMs = 0
          trusted = one.kind === 'confirm' || engine.log.head().received - clock.nowMs() <= 10 * MINUTE
        }
        if (one.kind !== 'send') continue
        if (Math.abs(driftMs) > 10 * MINUTE) trusted = false
        expect(await engine.send()).toBe(trusted ? 'appended' : 'clock_jumped')
      }
      const received = await engine.received()
      expect(received).toEqual(received.toSorted((a, b) => a - b))
      for (const world of worlds.splice(0)) await world.close()
    }),
    { numRuns: 8 },
  )
})
