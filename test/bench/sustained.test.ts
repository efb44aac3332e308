/**
 * Theorem: a rate counts as sustained only while acknowledgements keep up and the lag neither stands high nor rises; the
 * search offers no rate twice and ends between the highest that held and the lowest that didn't.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RunReport } from '../../bench/load/protocol.ts'
import { judge, nextRate, slopeMsPerMs } from '../../bench/main/sustained.ts'

const WINDOW_MS = 20_000

function report(lagAt: (atMs: number) => number, changes: Partial<RunReport> = {}): RunReport {
  const lag = Array.from({ length: 200 }, (_, index) => ({ atMs: index * 100, lagMs: lagAt(index * 100) }))
  return {
    windows: [{ events: 40_000 * 20, ms: WINDOW_MS }],
    latency: { count: 1, p50: 1, p99: 1, p999: 1, max: 1 },
    unanswered: 0,
    acknowledged: 800_000,
    refused: 0,
    quarantined: 0,
    lag,
    endedEarly: undefined,
    generatorBusy: 0.2,
    ...changes,
  }
}

/** Commits every 200 ms make the lag a saw-tooth. */
const sawTooth = (atMs: number): number => 50 + ((atMs * 7) % 200)

describe('judging', () => {
  test('a saw-tooth that stays where it is, is held', () => {
    expect(judge(40_000, report(sawTooth), WINDOW_MS).held).toBe(true)
  })

  test('a lag that rises by two hundredths of the time is not', () => {
    const judged = judge(
      40_000,
      report((atMs) => sawTooth(atMs) + atMs * 0.02),
      WINDOW_MS,
    )
    expect(judged.growthMs).toBeGreaterThan(350)
    expect(judged.held).toBe(false)
  })

  test.each([
    ['a high lag, though flat', report(() => 1_500)],
    [
      'acknowledgements that fall behind',
      report(sawTooth, { windows: [{ events: 39_000 * 20, ms: WINDOW_MS }] }),
    ],
    ['refusals', report(sawTooth, { refused: 1 })],
    ['a run that was ended', report(sawTooth, { endedEarly: 'tape' })],
    ['a window that never came to its end', report(sawTooth, { windows: [] })],
    ['a lag that nobody looked at', report(sawTooth, { lag: [] })],
  ])('%s is not held', (_, given) => {
    expect(judge(40_000, given, WINDOW_MS).held).toBe(false)
  })

  test('the slope is that of the line', () => {
    const line = Array.from({ length: 50 }, (_, index) => ({
      atMs: index * 10,
      lagMs: 3 + index * 10 * 0.25,
    }))
    expect(slopeMsPerMs(line)).toBeCloseTo(0.25, 9)
    expect(slopeMsPerMs([])).toBe(0)
  })
})

test('the search closes in on the rate that holds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_000, max: 120_000 }), (limit) => {
      const tried: { offeredPerS: number; held: boolean }[] = []
      for (let step = 0; step < 30; step++) {
        const offeredPerS = nextRate(tried)
        if (offeredPerS === undefined) break
        expect(tried.some((each) => each.offeredPerS === offeredPerS)).toBe(false)
        // Never more than twice what held.
        expect(offeredPerS).toBeLessThanOrEqual(Math.max(5_000, limit * 2))
        tried.push({ offeredPerS, held: offeredPerS <= limit })
      }
      expect(tried.length).toBeLessThan(12)
      const best = Math.max(0, ...tried.filter(({ held }) => held).map((each) => each.offeredPerS))
      expect(best).toBeLessThanOrEqual(limit)
      expect(best).toBeGreaterThanOrEqual(limit * 0.9 - 500)
    }),
    { numRuns: 300 },
  )
})
