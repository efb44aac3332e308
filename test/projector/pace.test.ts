/**
 * Theorem: events gather for a commit until their time is over, or until somebody waits for one of them; and while others
 * are under pressure folding rests, but not for ever, not while somebody waits for what it has to fold, and not once it is
 * to stop.
 */
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../engine/clock.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'
import { type Live, startLive, stepping, tickingClock } from '../support/live-projector.ts'
import { projectorWorld } from '../support/projector-world.ts'

let world: IntakeWorld
let live: Live | undefined
let sent = 0
beforeEach(() => {
  world = intakeWorld()
  sent = 0
})
afterEach(async () => {
  await live?.stop()
  await world.close()
})

async function send(count: number): Promise<void> {
  const ids = Array.from({ length: count }, () => String(++sent))
  await world.send(...ids.map((id) => ({ id, source: 'web', type: 'made.up', data: {} })))
}

/** Lets the event loop turn until something holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await setImmediate()
}

const positionNow = (of: Live) => of.readNow({ projections: [], key: '' })?.position

describe('somebody who waits for a commit', () => {
  /** After a commit that took a second 300 events have gathered for 250 ms, of the 300 ms that they may. */
  async function gathering(before: (of: Live) => void): Promise<Live> {
    let isFirst = true
    const writer = stepping(projectorWorld(world).store.writer, () => {
      if (isFirst) world.clock.advance(1_000)
      isFirst = false
    })
    const started = startLive({ world, writer, clock: counted })
    live = started
    await send(1)
    await until(() => started.commits.at(-1) === 1)
    before(started)
    await send(300)
    await started.read({ projections: [], key: '', after: 301 })
    world.clock.advance(250)
    return started
  }

  let looks = 0
  const counted: Clock = {
    nowMs: () => world.clock.nowMs(),
    monotonicMs: () => {
      looks += 1
      return world.clock.monotonicMs()
    },
  }
  /** It has looked at the time again and again, and found nothing to do. */
  async function looked(): Promise<void> {
    const before = looks
    await until(() => looks > before + 4)
  }

  test('gets it before the time to gather is over', async () => {
    const gathered = await gathering(() => undefined)
    await looked()
    expect(gathered.commits.at(-1)).toBe(1)
    gathered.hurry(200)
    await until(() => gathered.commits.at(-1) === 301)
  })

  test('for what the log doesn’t hold, or is committed already, hurries nobody', async () => {
    const gathered = await gathering((of) => {
      of.hurry(Number.MAX_SAFE_INTEGER)
      of.hurry(1)
    })
    await looked()
    expect(gathered.commits.at(-1)).toBe(1)
    world.clock.advance(50)
    await until(() => gathered.commits.at(-1) === 301)
  })
})

describe('under pressure', () => {
  const EVENTS = 60
  let isUnderPressure = true
  let looks = 0
  /** Its first slice is folded; it has begun to give way. */
  async function resting(): Promise<Live> {
    isUnderPressure = true
    looks = 0
    await send(EVENTS)
    const started = startLive({
      world,
      writer: projectorWorld(world).store.writer,
      clock: tickingClock(world.clock, 1),
      isUnderPressure: () => {
        looks += 1
        return isUnderPressure
      },
    })
    live = started
    await until(() => looks > 0)
    return started
  }

  test('nothing is folded until patience ends; then it goes on', async () => {
    const rested = await resting()
    const position = positionNow(rested)
    expect(position).toBeGreaterThan(0)
    expect(position).toBeLessThan(EVENTS)
    await until(() => looks > 3)
    expect(positionNow(rested)).toBe(position)
    world.clock.advance(29_000)
    const before = looks
    await until(() => looks > before + 1)
    expect(positionNow(rested)).toBe(position)
    world.clock.advance(1_001)
    await until(() => rested.commits.at(-1) === EVENTS)
  })

  test('it goes on as soon as that is over', async () => {
    const rested = await resting()
    isUnderPressure = false
    await until(() => rested.commits.at(-1) === EVENTS)
  })

  test('what somebody waits for is folded, but no more', async () => {
    const rested = await resting()
    const wanted = (positionNow(rested) ?? 0) + 20
    const found = await rested.read({ projections: [], key: '', after: wanted })
    expect(found?.position).toBeGreaterThanOrEqual(wanted)
    const before = looks
    await until(() => looks > before + 2)
    expect(positionNow(rested)).toBeLessThan(EVENTS)
  })

  test('it stops in a pause, what is folded committed', async () => {
    const rested = await resting()
    const position = positionNow(rested)
    await rested.stop()
    expect(rested.commits.at(-1)).toBeGreaterThanOrEqual(position ?? Number.NaN)
  })
})
