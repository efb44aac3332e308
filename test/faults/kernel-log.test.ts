import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkLeft, parseReport, type Report } from './kernel-world.ts'
import { write } from './kernel-writer.ts'
import { countCalls, type Injection, type Place, runInjected, straceWorks, type Traced } from './strace.ts'

// Theorem: a process with log, key store and quarantine that the kernel kills in any one of its calls on their files, or
// whose call fails, leaves a directory that opens, and holds all that it acknowledged: events once and in order, their
// sealed parts readable, quarantined bodies readable. What failed is not acknowledged.

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const CHILD = join(import.meta.dirname, 'kernel-child.ts')
const COMMITS = 8
const works = straceWorks()
const name = works ? 'the kernel' : 'the kernel (skipped: strace is missing, or may not trace here)'

let scratch: string
let places: readonly Place[] = []
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'headwater-kernel-'))
  if (!works) return
  // Compiling the child's modules is most of its time.
  process.env['NODE_COMPILE_CACHE'] = join(scratch, 'compiled')
  const directory = join(scratch, 'counted')
  const { traced, places: found } = await countCalls(childArgs(directory), directory)
  expect(traced.errors).toBe('')
  expect(parseReport(traced.output).at(-1)).toEqual({ kind: 'done' })
  await checkLeft(directory, parseReport(traced.output))
  places = found.map((place) => ({ ...place, path: place.path.slice(directory.length) }))
})
afterAll(() => {
  delete process.env['NODE_COMPILE_CACHE']
  rmSync(scratch, { recursive: true, force: true })
})

const childArgs = (directory: string, run = 0, commits = COMMITS): readonly string[] => [
  CHILD,
  directory,
  String(run),
  String(commits),
]

/**
 * Kills in every call, failures in the first, second and last of a kind on a file and in every fifth between; where time
 * is short, in the log's own calls but its writes, and in some of the others. SQLite's `-shm` is no more than memory that
 * its processes share: the first and last write there stand for all.
 */
function selected(effect: string, share: number): readonly Injection[] {
  // What a sync left undone without telling, nobody can know; of a write that did nothing it can be told.
  const lies = effect === 'retval=0'
  const every = effect.startsWith('signal') ? 1 : 5
  const all = places
    .filter(({ call }) => !lies || call === 'pwrite64')
    .flatMap((place) => calls(place, every).map((when) => ({ ...place, when, effect })))
  if (LONG) return all
  const own = all.filter(({ call, path }) => path.startsWith('/log') && (lies || call !== 'pwrite64'))
  const others = all.filter((one) => !own.includes(one) && !one.path.endsWith('-shm'))
  return [...thinned(own, share), ...thinned(others, share)]
}

function calls({ path, times }: Place, every: number): readonly number[] {
  const numbers = Array.from({ length: times }, (_, i) => i + 1)
  return numbers.filter(
    (when) => when <= 2 || when === times || (when % every === 0 && !path.endsWith('-shm')),
  )
}

function thinned<T>(items: readonly T[], share: number): readonly T[] {
  const step = Math.max(1, items.length / share)
  return Array.from({ length: Math.min(items.length, share) }, (_, i) => items[Math.floor(i * step)]).filter(
    (item) => item !== undefined,
  )
}

/** Two at a time: there are two cores, and each mostly waits for strace. */
async function each(
  injections: readonly Injection[],
  check: (run: Injected) => Promise<void>,
): Promise<void> {
  const queue = [...injections.entries()]
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [i, injection] = next
      const directory = join(scratch, `${injection.effect}-${i}`)
      const path = join(directory, injection.path)
      const traced = await runInjected(childArgs(directory), { ...injection, path })
      const reports = parseReport(traced.output)
      try {
        await check({ directory, traced, reports })
        await checkLeft(directory, reports)
        // The next life goes on with it.
        await goOn(directory, reports, i % 5 === 0)
      } catch (error) {
        throw new Error(`${JSON.stringify(injection)}: ${error}\n${traced.output}${traced.errors}`, {
          cause: error,
        })
      }
      rmSync(directory, { recursive: true, force: true })
    }
  }
  await Promise.all([work(), work()])
}

interface Injected {
  readonly directory: string
  readonly traced: Traced
  readonly reports: readonly Report[]
}

async function goOn(directory: string, before: readonly Report[], wanted: boolean): Promise<void> {
  if (!wanted && !LONG) return
  const reports: Report[] = []
  await write({ directory, run: 1, commits: 2, say: (report) => void reports.push(report) })
  expect(reports.at(-1)).toEqual({ kind: 'done' })
  await checkLeft(directory, [...before, ...reports])
}

describe.skipIf(!works)(name, () => {
  it('kills in calls of every kind on log, keys and quarantine', () => {
    const kinds = new Set(places.map(({ call, path }) => `${call} ${path.split('/')[1]}`))
    for (const kind of ['pwrite64 log', 'fdatasync log', 'rename log', 'ftruncate log', 'fsync log'])
      expect(kinds).toContain(kind)
    for (const kind of ['pwrite64 keys', 'fsync keys', 'unlink keys', 'pwrite64 quarantine'])
      expect(kinds).toContain(kind)
  })

  it(
    'SIGKILL',
    async () => {
      let killed = 0
      await each(selected('signal=SIGKILL', 5), async ({ traced }) => {
        if (traced.signal === 'SIGKILL') killed++
      })
      expect(killed).toBeGreaterThan(LONG ? 100 : 6)
    },
    LONG ? 3_600_000 : 120_000,
  )

  it.each(['error=EIO', 'error=ENOSPC', 'retval=0'])(
    '%s',
    async (effect) => {
      let refused = 0
      await each(selected(effect, 2), async ({ traced, reports }) => {
        expect(traced.signal).toBeNull()
        if (reports.some(({ kind }) => kind === 'refused')) refused++
        checkStop(effect, reports)
      })
      expect(refused).toBeGreaterThan(0)
    },
    LONG ? 3_600_000 : 120_000,
  )
})

/** Once a log's writer has stopped, nothing more is acknowledged by it. */
function checkStop(effect: string, reports: readonly Report[]): void {
  const at = reports.findIndex((report) => report.kind === 'refused' && report.why === 'WriterStopped')
  if (at < 0) return
  expect(
    reports.slice(at).filter(({ kind }) => kind === 'appended'),
    effect,
  ).toEqual([])
}
