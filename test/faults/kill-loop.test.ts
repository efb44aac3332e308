import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { refused } from '../log/support.ts'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import { checkAcknowledged, identify, sendAll, WITHOUT_NATS } from './engine-world.ts'
import { checkLeft, parseReport, type Report } from './kernel-world.ts'

// Theorem: a process that is killed while it writes, again and again, makes progress in every life, and loses and invents
// nothing: every acknowledged event is there once, at its position, in order, with its keys. While it lives no other
// process opens its log; when it is dead, the next does at once.

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const CHILD = join(import.meta.dirname, 'kernel-child.ts')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-kills-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Lets a process write, and kills it so long after it first said something of a kind. Answers what it said. */
async function killed(run: number, kind: Report['kind'], afterMs: number): Promise<readonly Report[]> {
  const child: ChildProcess = spawn(process.execPath, [CHILD, directory, String(run)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const acknowledged = new Promise<void>((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes(`"${kind}"`)) resolve()
    })
  })
  const ended = once(child, 'close')
  await Promise.race([acknowledged, ended])
  const path = join(directory, 'log')
  expect(await refused(path)).toEqual({ _tag: 'AlreadyOpen', directory: path })
  await setTimeout(afterMs)
  child.kill('SIGKILL')
  await ended
  expect(child.signalCode).toBe('SIGKILL')
  return parseReport(output)
}

it(
  'log, keys and quarantine in one process',
  async () => {
    const waits = LONG ? Array.from({ length: 60 }, (_, i) => (i * 7) % 97) : [0, 8, 45]
    const reports: Report[] = []
    for (const [run, afterMs] of waits.entries()) {
      const said = await killed(run, run % 2 === 0 ? 'appended' : 'kept', afterMs)
      expect(said.some(({ kind }) => kind === 'appended')).toBe(true)
      reports.push(...said)
      // Checking reads the whole log: after many lives, not after every one.
      if (run < 10 || run % 10 === 0 || run === waits.length - 1) await checkLeft(directory, reports)
    }
    expect(reports.filter(({ kind }) => kind === 'kept').length).toBeGreaterThan(0)
  },
  LONG ? 3_600_000 : 60_000,
)

/** Sends until the engine is gone. What is acknowledged goes into `acknowledged`: id → position. */
async function sendUntilDeath(
  engine: EngineProcess,
  life: number,
  acknowledged: Map<string, number>,
): Promise<void> {
  for (let i = 0; ; i++) {
    const ids = Array.from({ length: 3 }, (_, j) => `k${life}x${i}x${j}`)
    const results = await sendAll(engine, `[${ids.map(identify).join()}]`)
    if (results === undefined) return
    for (const [j, { status, position }] of results.entries())
      if (status === 'appended' && position !== undefined) acknowledged.set(ids[j] ?? '', position)
  }
}

const KILL_EVERY_MS = 3_000

/** A machine that is busy with other things starts it less often. The first start of all compiles its modules. */
async function pace(engine: EngineProcess): Promise<number> {
  await engine.start()
  await engine.kill('SIGTERM')
  const begunMs = performance.now()
  await engine.start()
  const startMs = performance.now() - begunMs
  await engine.kill('SIGTERM')
  return Math.max(KILL_EVERY_MS, 1.5 * startMs)
}

it(LONG ? 'the engine, 20 kills in 60 s' : 'the engine, twice', async () => {
  const engine = new EngineProcess(await freePort(), join(directory, 'data'), WITHOUT_NATS)
  const acknowledged = new Map<string, number>()
  const grown: number[] = []
  const everyMs = LONG ? await pace(engine) : 0
  const begunMs = performance.now()
  for (let life = 0; life < (LONG ? 20 : 2); life++) {
    const before = acknowledged.size
    const due = setTimeout(everyMs)
    await engine.start()
    const sending = sendUntilDeath(engine, life, acknowledged)
    // When it is due, whatever it has done; where time is short, as soon as it has done something.
    if (LONG) await due
    else await expect.poll(() => acknowledged.size, { timeout: 30_000 }).toBeGreaterThan(before)
    await engine.kill('SIGKILL')
    await sending
    grown.push(acknowledged.size - before)
  }
  const tookMs = performance.now() - begunMs
  if (everyMs === KILL_EVERY_MS) expect(tookMs).toBeLessThan(70_000)
  // Every life is killed on time, and yet most take something, the last ones no less than the first.
  const progress = (lives: readonly number[]): number => lives.filter((count) => count > 0).length
  expect(progress(grown), grown.join()).toBeGreaterThan(LONG ? 15 : 1)
  expect(progress(grown.slice(-5)), grown.join()).toBeGreaterThan(LONG ? 3 : 1)
  await engine.start()
  await checkAcknowledged(engine, acknowledged)
  expect(await engine.kill('SIGTERM')).toBe(0)
}, 300_000)
