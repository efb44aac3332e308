import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { systemClock } from '../engine/clock.ts'
import { openKeyStore } from '../engine/privacy/key-store.ts'
import { measureWithin } from './interruption.ts'
import { presentLibrary } from './library-page.ts'
import { createEventMaker } from './log/events.ts'
import { shown } from './log/findings.ts'
import { median } from './main/findings.ts'
import { commitOf, describeMachine } from './main/machine.ts'
import { dropFromCache, type Opened, openIn } from './open/child.ts'
import { type Fabricated, fabricateLog } from './open/fabricate.ts'
import type { BenchOptions } from './question.ts'
import { type Figure, type Measured, resultOf } from './report.ts'

interface OpenPlan {
  readonly bytes: number
  readonly rounds: number
  readonly deadlineMs: number
}

const GB = 1e9
const FULL: OpenPlan = { bytes: 10 * GB, rounds: 5, deadlineMs: 570_000 }
const QUICK: OpenPlan = { bytes: 0.5 * GB, rounds: 3, deadlineMs: 50_000 }

/** The one list: quick and full runs report these names. */
export const OPEN_FIGURES: readonly [Figure] = [{ name: 'open_10gb_ms', unit: 'ms', atMost: 2_000 }]

/** A person comes back in every copy of the segment. */
const POPULATION_EVENTS = 1_000_000

interface OpenFindings {
  measured: Measured | undefined
  readonly notes: string[]
  readonly failures: string[]
}

const METHOD: readonly string[] = [
  'The log is fabricated: one segment written by the log itself, then copies of it with other positions, times, ids and streams, and right checksums; not compressed. It is opened once to index it, which is what a log that grew by itself has behind it.',
  'Each opening is in a process of its own, counted without the start of Node. The last segment is full, so that as much as possible of it has to be read and verified.',
  'The engine is started with default settings until an event of its own is durable; its read models are empty, and begin to fold the log meanwhile.',
]

/** Measures how long a large log takes to open. Exit code: 0 measured, 1 not, 130 interrupted. */
export async function benchOpen(options: BenchOptions): Promise<number> {
  const plan = options.quick ? QUICK : FULL
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'headwater-bench-open-')))
  const findings: OpenFindings = { measured: undefined, notes: [], failures: [] }
  const stopping = new AbortController()
  try {
    const measuring = () => measure(plan, directory, findings, options.say, stopping.signal)
    const why = await measureWithin(plan.deadlineMs, measuring, () => stopping.abort(), findings.failures)
    return why === 'signal' ? 130 : present(findings, directory, options)
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function measure(
  plan: OpenPlan,
  directory: string,
  findings: OpenFindings,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    const log = join(directory, 'log')
    mkdirSync(log)
    say(`a log of ${shown(plan.bytes / 1e6)} MB is fabricated …`)
    const maker = createEventMaker(POPULATION_EVENTS)
    const made = await fabricateLog(log, maker, plan.bytes, async () => {
      await setImmediate()
      signal.throwIfAborted()
    })
    say('it is opened for the first time, and indexed …')
    const startMs = systemClock.monotonicMs()
    const prepared = await openIn('log-child.ts', [log, 'prepare'], signal)
    const indexS = (systemClock.monotonicMs() - startMs) / 1_000
    findings.notes.push(
      `${shown(made.bytes / 1e6)} MB in ${made.segments} segments, ${shown(prepared.position)} events; indexing them took ${shown(indexS)} s, the index files have ${shown(filesOf(join(log, 'index')).bytes / 1e6)} MB.`,
    )
    await measureOpening(plan, directory, made, findings, signal)
  } catch (error) {
    if (!signal.aborted) findings.failures.push(error instanceof Error ? error.message : String(error))
  }
}

async function measureOpening(
  plan: OpenPlan,
  directory: string,
  made: Fabricated,
  findings: OpenFindings,
  signal: AbortSignal,
): Promise<void> {
  const log = join(directory, 'log')
  const openings: Opened[] = []
  for (let round = 0; round < plan.rounds; round++) openings.push(await openIn('log-child.ts', [log], signal))
  const times = openings.map(({ ms }) => ms)
  const typical = median(times)
  if (typical === undefined) return
  const insteadUnit = `ms, of ${shown(made.bytes / 1e6)} MB`
  findings.measured = { value: typical, ...(plan.bytes < FULL.bytes ? { insteadUnit } : {}) }
  const { rssMb, indexMb } = openings.at(-1) ?? { rssMb: 0, indexMb: 0 }
  findings.notes.push(
    `Opening the log, files in the page cache: ${times.map(shown).join(', ')} ms; afterwards its index has ${shown(indexMb)} MB of memory, the process ${shown(rssMb)} MB.`,
  )
  const paths = [...filesOf(log).paths, ...filesOf(join(log, 'index')).paths]
  const dropped = await dropFromCache(paths, signal)
  if (dropped) {
    const { ms } = await openIn('log-child.ts', [log], signal)
    findings.notes.push(`The same with its files taken out of the page cache before: ${shown(ms)} ms.`)
  }
  await openKeyStore(join(directory, 'keys'), { clock: systemClock, create: true }).close()
  const engine = await openIn('engine-child.ts', [directory], signal)
  findings.notes.push(`The whole engine, until an event of its own is durable: ${shown(engine.ms)} ms.`)
}

function filesOf(directory: string): { readonly paths: readonly string[]; readonly bytes: number } {
  const paths = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => join(directory, name))
  return { paths, bytes: paths.reduce((sum, path) => sum + statSync(path).size, 0) }
}

function present(findings: OpenFindings, directory: string, options: BenchOptions): number {
  const results = OPEN_FIGURES.map((figure) => resultOf(figure, findings.measured))
  const about = { commit: commitOf(options.root), machine: describeMachine(directory) }
  const { notes, failures } = findings
  const report = { bench: 'open', ...about, results }
  return presentLibrary({ report, about: 'opening a large log', notes, failures, method: METHOD }, options)
}
