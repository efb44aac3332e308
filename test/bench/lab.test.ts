/**
 * Theorem: against the real engine, started as a user starts it, a run reports what happened: all that was offered is
 * acknowledged, probes show, queries are answered, the CPU of all three processes is known; and closing leaves no process and
 * no file behind, also in the middle of a run.
 */
import { existsSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { Lab } from '../../bench/main/lab.ts'
import { planOf } from '../../bench/main/plan.ts'
import { systemClock } from '../../engine/clock.ts'
import { describeNats } from '../support/nats-server.ts'

// Starts real processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 })

let lab: Lab | undefined

afterEach(async () => {
  await lab?.close()
  lab = undefined
})

// However busy the machine: people that aren't known yet can't be asked for.
const PATIENT = { primeWithinMs: 30_000, catchUpMs: 30_000 }
const PLAN = { ...planOf(true), ...PATIENT, tapeEvents: 20_000, people: 100, primingEvents: 1_000 }

function gone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

describeNats('with nats-server on the PATH', () => {
  test('a run against the engine', async () => {
    const said: string[] = []
    lab = new Lab(PLAN, systemClock, (line) => said.push(line))
    await lab.record()
    await lab.prepare(5_000)
    const report = await lab.run('small', {
      warmUpMs: 500,
      windowMs: 1_000,
      windows: 1,
      graceMs: 15_000,
      events: { mode: 'open', perMessage: 'one', eventsPerS: 200, maxInFlight: 1_000 },
      lagEveryMs: 50,
      probes: { ratePerS: 20, people: 5 },
      queries: { ratePerS: 50, connections: 4, people: lab.people },
    })
    expect([report.acknowledged, report.refused, report.quarantined, report.unanswered]).toEqual([
      300, 0, 0, 0,
    ])
    expect(report.latency.count).toBe(200)
    expect(report.probes?.failed).toBe(0)
    expect(report.probes?.latency.count).toBe(20)
    expect(report.probes?.latency.p50).toBeGreaterThan(0)
    expect(report.queries?.failed).toBe(0)
    expect(report.queries?.latency.count).toBe(50)
    expect(report.lag.length).toBeGreaterThan(5)
    expect(report.endedEarly).toBeUndefined()
    if (process.platform === 'linux') {
      expect(lab.cpu.map(({ measurement }) => measurement)).toEqual(['small'])
      expect(lab.cpu[0]?.engine).toBeGreaterThan(0)
      expect(lab.cpu[0]?.threads.map(({ name }) => name)).toContain('projector')
    }
    const { pid, natsPid } = lab.engine
    const { directory } = lab
    await lab.close()
    expect([gone(pid), gone(natsPid), existsSync(directory)]).toEqual([true, true, false])
  })

  test('a run that is cut off by closing', async () => {
    lab = new Lab(PLAN, systemClock, () => undefined)
    await lab.record()
    await lab.prepare(5_000)
    const { pid, natsPid } = lab.engine
    const running = lab.run('cut off', {
      warmUpMs: 0,
      windowMs: 60_000,
      windows: 1,
      events: { mode: 'open', perMessage: 'batch', eventsPerS: 500, maxInFlight: 10 },
    })
    const failed = expect(running).rejects.toThrow('the load generator ended')
    await lab.abort()
    await failed
    await lab.close()
    expect([gone(pid), gone(natsPid), existsSync(lab.directory)]).toEqual([true, true, false])
    await expect(lab.prepare(10)).rejects.toThrow('the bench is ending')
  })
})
