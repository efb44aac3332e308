/**
 * Theorem: while memory is measured, a piece is sent only when the read models hold all but the last one sent; the growth
 * counts as what the figure asks for only if all the events that it asks for came in, and names the numbers otherwise; it is
 * taken from the first sample with enough events to the last; whatever ends early, ends the measurement.
 */
import { describe, expect, test } from 'vitest'
import type { RunReport } from '../../bench/load/protocol.ts'
import { residentMemory } from '../../bench/main/proc.ts'
import { MEMORY_FIGURES, noMemoryFindings } from '../../bench/memory/figures.ts'
import { type MemoryLab, measureGrowth } from '../../bench/memory/growth.ts'
import { memoryPlanOf } from '../../bench/memory/plan.ts'
import { memoryReportOf } from '../../bench/memory.ts'
import { resultOf } from '../../bench/report.ts'

const SECOND = 1_000

/** A lab whose engine takes a piece in a second and folds as much of it as `folds` says. */
function labOf(options: {
  readonly quick: boolean
  readonly folds?: (sent: number) => number
  readonly leftMs?: number
  readonly tape?: number
}) {
  const plan = memoryPlanOf(options.quick)
  const { folds = (sent) => sent, leftMs = 10_000 * SECOND, tape = Number.POSITIVE_INFINITY } = options
  let nowMs = 0
  let sent = 0
  const behind: number[] = []
  const lab: MemoryLab = {
    plan,
    engine: {
      pid: 1,
      natsPid: 2,
      natsUrl: '',
      httpPort: 1,
      readToken: '',
      writeKey: '',
      stop: async () => {},
    },
    aborted: false,
    clock: { monotonicMs: () => nowMs },
    leftMs: () => leftMs - nowMs,
    say: () => undefined,
    prepare: async () => {},
    head: async () => sent,
    heldUpTo: async (position) => folds(sent) >= position,
    run: async (_, { maxEvents = 0 }) => {
      behind.push(sent - folds(sent))
      const acknowledged = Math.min(maxEvents, tape - sent)
      sent += acknowledged
      nowMs += SECOND
      return reportOf(acknowledged, sent >= tape ? 'tape' : 'events')
    },
  }
  return { lab, plan, behind, sent: () => sent }
}

function reportOf(acknowledged: number, endedEarly: RunReport['endedEarly']): RunReport {
  const latency = { count: 1, p50: 1, p99: 1, p999: 1, max: 1 }
  const none = { unanswered: 0, refused: 0, quarantined: 0, generatorBusy: 0 }
  return { windows: [], latency, ...none, acknowledged, lag: [], endedEarly }
}

/** Of a process that takes a megabyte more with each asking. */
function growing(fromMegabytes: number) {
  let megabytes = fromMegabytes
  return () => ({ megabytes: megabytes++, anonymousMegabytes: 1 })
}

describe('measuring', () => {
  test('all five million: the growth is what the figure asks for', async () => {
    const { lab, behind } = labOf({ quick: false })
    const findings = noMemoryFindings()
    await measureGrowth(lab, findings, growing(100))
    expect(findings.samples.map(({ events }) => events)).toEqual(
      Array.from({ length: 20 }, (_, index) => (index + 1) * 250_000),
    )
    expect(findings.measured.get('growth')).toEqual({ value: 16, insteadUnit: undefined })
    expect(resultOf(MEMORY_FIGURES.growth, findings.measured.get('growth')).met).toBe(true)
    expect(findings.measured.get('rate')?.value).toBe(10_000)
    expect(Math.max(...behind)).toBe(0)
  })

  test('read models a piece behind are waited for no longer than that', async () => {
    const { lab, plan, behind } = labOf({ quick: true, folds: (sent) => Math.max(0, sent - 5_000) })
    await measureGrowth(lab, noMemoryFindings(), growing(100))
    expect(behind.length).toBe(plan.toEvents / plan.pieceEvents)
    expect(Math.max(...behind)).toBe(plan.pieceEvents)
  })

  test('read models that stop following end it, two pieces after what they hold', async () => {
    const { lab, plan, sent } = labOf({ quick: true, folds: (sent) => Math.min(sent, 80_000) })
    const findings = noMemoryFindings()
    await measureGrowth(lab, findings, growing(100))
    expect(sent()).toBe(80_000 + 2 * plan.pieceEvents)
    expect(findings.measured.get('growth')?.insteadUnit).toBe('MB from 50000 to 90000 events')
  })

  test.each([
    ['the time', { leftMs: 215 * SECOND }, 2_000_000],
    ['the tape', { tape: 1_234_000 }, 1_234_000],
  ])('%s is over before: the figure names the numbers and is not met', async (_, limits, last) => {
    const { lab } = labOf({ quick: false, ...limits })
    const findings = noMemoryFindings()
    await measureGrowth(lab, findings, growing(100))
    const growth = resultOf(MEMORY_FIGURES.growth, findings.measured.get('growth'))
    expect(growth).toMatchObject({ unit: `MB from 1000000 to ${last} events`, met: false })
    expect(findings.samples.at(-1)?.events).toBe(last)
  })

  test('too few events for any growth, or no memory told: not measured', async () => {
    const findings = noMemoryFindings()
    await measureGrowth(labOf({ quick: false, tape: 40_000 }).lab, findings, growing(100))
    expect(findings.measured.has('growth')).toBe(false)
    expect(findings.measured.get('last')).toEqual({ value: 100 })
    const untold = noMemoryFindings()
    await measureGrowth(labOf({ quick: true }).lab, untold, () => undefined)
    expect([untold.samples, [...untold.measured.keys()]]).toEqual([[], []])
  })
})

test('quick and full runs report the same names', () => {
  const about = { commit: '0123456789ab', machine: {} }
  const { results } = memoryReportOf(noMemoryFindings(), about)
  expect(results.map(({ name }) => name)).toEqual(['rss_growth_mb', 'rss_last_mb', 'events_per_s'])
  expect(Object.keys(memoryPlanOf(true)).sort()).toEqual(Object.keys(memoryPlanOf(false)).sort())
  expect(memoryPlanOf(false).deadlineMs).toBeLessThan(580_000)
})

test.runIf(process.platform === 'linux')('what a process takes is what Linux says', () => {
  const memory = residentMemory(process.pid)
  const { rss } = process.memoryUsage()
  expect((memory?.megabytes ?? 0) * 1e6).toBeGreaterThan(rss * 0.7)
  expect((memory?.megabytes ?? 0) * 1e6).toBeLessThan(rss * 1.3)
  expect(memory?.anonymousMegabytes).toBeGreaterThan(1)
  expect(memory?.anonymousMegabytes).toBeLessThan(memory?.megabytes ?? 0)
})
