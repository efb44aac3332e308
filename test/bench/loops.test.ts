/**
 * Theorem: the open loop keeps its schedule whatever the server does, and counts latency from the moment a message was
 * wanted sent: a stall shows in every message that it delayed (no coordinated omission). Neither loop exceeds its bound
 * of messages in flight, sends one twice, or ends before all are answered.
 */
import { describe, expect, test } from 'vitest'
import { startClosedLoop } from '../../bench/load/closed-loop.ts'
import { createLatencyRecorder } from '../../bench/load/latency.ts'
import { startOpenLoop } from '../../bench/load/open-loop.ts'
import { manualClock } from '../../engine/clock.ts'

/** Moves a clock by hand from one timer to the next. */
function simulation() {
  const clock = manualClock(0)
  const timers: { readonly atMs: number; readonly then: () => void }[] = []
  return {
    clock,
    wait: (ms: number, then: () => void): void => {
      timers.push({ atMs: clock.monotonicMs() + ms, then })
    },
    runUntil(endMs: number): void {
      for (;;) {
        timers.sort((a, b) => a.atMs - b.atMs)
        const next = timers[0]
        if (next === undefined || next.atMs > endMs) break
        timers.shift()
        clock.advance(Math.max(0, next.atMs - clock.monotonicMs()))
        next.then()
      }
      clock.advance(endMs - clock.monotonicMs())
    },
  }
}

/** One at a time, in `serviceMs`; stands still from `stallFromMs` for `stallMs`. */
function server(
  { clock, wait }: ReturnType<typeof simulation>,
  { serviceMs, stallFromMs, stallMs }: { serviceMs: number; stallFromMs: number; stallMs: number },
) {
  let freeAtMs = 0
  return (done: () => void): void => {
    let startMs = Math.max(clock.monotonicMs(), freeAtMs)
    if (startMs >= stallFromMs && startMs < stallFromMs + stallMs) startMs = stallFromMs + stallMs
    freeAtMs = startMs + serviceMs
    wait(freeAtMs - clock.monotonicMs(), done)
  }
}

const STALL = { serviceMs: 1, stallFromMs: 2_000, stallMs: 1_000 }

describe('the open loop', () => {
  test('a stall of a second at 100/s shows in the hundred messages that it delayed', async () => {
    const world = simulation()
    const serve = server(world, STALL)
    const latencies: number[] = []
    const sentAt: number[] = []
    const loop = startOpenLoop({
      ...world,
      ratePerS: 100,
      count: 1_000,
      // As a client with one connection: what it can't send, it can't measure, unless it counts from the schedule.
      maxInFlight: 1,
      send: (index, intendedMs, done) => {
        expect(intendedMs).toBe(index * 10)
        sentAt.push(world.clock.monotonicMs())
        serve(() => {
          latencies.push(world.clock.monotonicMs() - intendedMs)
          done()
        })
        return true
      },
    })
    world.runUntil(20_000)
    await loop.finished
    expect(latencies).toHaveLength(1_000)
    const delayed = latencies.filter((ms) => ms > 1)
    // 100 of the stall, and those that queued while the backlog was worked off at 1 ms each.
    expect(delayed.length).toBeGreaterThanOrEqual(100)
    expect(delayed.length).toBeLessThan(125)
    expect(latencies[200]).toBe(1_001)
    expect(latencies[250]).toBeGreaterThan(500)
    const recorder = createLatencyRecorder()
    for (const ms of latencies) recorder.record(ms)
    const { count, p50, p99, max } = recorder.summary()
    expect([count, p50]).toEqual([1_000, 1])
    expect(p99).toBeGreaterThan(850)
    expect(max).toBeCloseTo(1_001, -1)
    // The omission that is guarded against: from the sending, one single message would have been slow.
    const fromSending = latencies.filter((ms, index) => ms - ((sentAt[index] ?? 0) - index * 10) > 1)
    expect(fromSending).toHaveLength(1)
  })

  test('sends on through a stall where it may have more in flight, on time', async () => {
    const world = simulation()
    const serve = server(world, STALL)
    let inFlight = 0
    let most = 0
    const late: number[] = []
    const loop = startOpenLoop({
      ...world,
      ratePerS: 1_000,
      count: 5_000,
      maxInFlight: 500,
      send: (_, intendedMs, done) => {
        inFlight += 1
        most = Math.max(most, inFlight)
        late.push(world.clock.monotonicMs() - intendedMs)
        serve(() => {
          inFlight -= 1
          done()
        })
        return true
      },
    })
    world.runUntil(2_400)
    expect(Math.max(...late)).toBeLessThan(1e-6)
    world.runUntil(60_000)
    await loop.finished
    expect(most).toBe(500)
    expect(late).toHaveLength(5_000)
  })

  test('when it is stopped it tells what was due and never sent', async () => {
    const world = simulation()
    const answers: (() => void)[] = []
    const loop = startOpenLoop({
      ...world,
      ratePerS: 100,
      count: 1_000,
      maxInFlight: 3,
      send: (_, __, done) => {
        answers.push(done)
        return true
      },
    })
    world.runUntil(95)
    expect(loop.stop()).toEqual([30, 40, 50, 60, 70, 80, 90])
    expect(loop.stop()).toEqual([])
    for (const answer of answers) answer()
    await loop.finished
    expect(answers).toHaveLength(3)
  })

  test('ends where there is nothing left to send', async () => {
    const world = simulation()
    let sent = 0
    const send = (_: number, __: number, done: () => void): boolean => {
      if (sent === 7) return false
      sent += 1
      done()
      return true
    }
    const loop = startOpenLoop({ ...world, ratePerS: 10, count: 100, maxInFlight: 1, send })
    world.runUntil(100_000)
    await loop.finished
    expect(sent).toBe(7)
  })
})

describe('the closed loop', () => {
  test('keeps its number in flight, and waits for all when stopped', async () => {
    const waiting: (() => void)[] = []
    const loop = startClosedLoop(4, (done) => {
      waiting.push(done)
      return true
    })
    expect(waiting).toHaveLength(4)
    waiting.shift()?.()
    expect(waiting).toHaveLength(4)
    let ended = false
    void loop.finished.then(() => {
      ended = true
    })
    loop.stop()
    for (const done of waiting.splice(1)) done()
    await Promise.resolve()
    expect(ended).toBe(false)
    waiting.shift()?.()
    await loop.finished
    expect(waiting).toHaveLength(0)
  })

  test('ends by itself where there is nothing left, also when answers come at once', async () => {
    let left = 10_000
    const loop = startClosedLoop(2, (done) => {
      if (left === 0) return false
      left -= 1
      done()
      return true
    })
    await loop.finished
    expect(left).toBe(0)
  })
})
