import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkLeft, parseReport, type Report } from './kernel-world.ts'
import { CALLS, countCalls, type Place, runInjectedAnywhere, straceWorks } from './strace.ts'
import { generator } from './survival.ts'

// Theorem: a process with log, key store and quarantine that the kernel kills in whichever of its calls that change files,
// life after life on the same directory, while segments are sealed, indexed, merged and compressed: every event that any
// of the lives acknowledged is there once, at its position, in order, with its keys; none is invented; and each life that
// lasts makes progress.

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const CHILD = join(import.meta.dirname, 'kernel-child.ts')
/** Of a life; about 300 calls that change files. */
const COMMITS = 16
const CHAINS = LONG ? 20 : 2
/** Of each. */
const KILLS = LONG ? 25 : 3
const SEED = 20_240_607
const works = straceWorks()

interface Kind {
  readonly call: (typeof CALLS)[number]
  /** About as often as the thread makes it that makes it most. */
  readonly times: number
}

let scratch: string
let kinds: readonly Kind[] = []
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'headwater-random-'))
  if (!works) return
  process.env['NODE_COMPILE_CACHE'] = join(scratch, 'compiled')
  const directory = join(scratch, 'counted')
  const { places } = await countCalls([CHILD, directory, '0', String(COMMITS)], directory)
  kinds = CALLS.map((call) => ({ call, times: mostTimes(places.filter((place) => place.call === call)) }))
  kinds = kinds.filter(({ times }) => times > 0)
})
afterAll(() => {
  delete process.env['NODE_COMPILE_CACHE']
  rmSync(scratch, { recursive: true, force: true })
})

/** Of those that one thread makes: log, upkeep of the log, keys and quarantine have one each. */
function mostTimes(places: readonly Place[]): number {
  const threads = Map.groupBy(places, ({ path }) => {
    const [folder, ...rest] = path.slice(join(scratch, 'counted/').length).split('/')
    return rest.length > 1 || path.includes('.zst') ? 'upkeep' : folder
  })
  return Math.max(0, ...[...threads.values()].map((some) => some.reduce((sum, { times }) => sum + times, 0)))
}

/** Half of the kills in any call, as often as it is made; half in any kind, since most calls are writes. */
function chosen(below: (limit: number) => number): { readonly call: Kind['call']; readonly when: number } {
  const calls = kinds.flatMap((kind) => Array.from({ length: kind.times }, () => kind))
  const kind = below(2) === 0 ? kinds[below(kinds.length)] : calls[below(calls.length)]
  if (kind === undefined) throw new Error('no calls were counted')
  return { call: kind.call, when: 1 + below(kind.times) }
}

/** Lives on one directory. What a life says is checked before the next begins. */
async function chain(number: number, calls: Set<string>): Promise<void> {
  const below = generator(SEED + number)
  const directory = join(scratch, `chain-${number}`)
  const reports: Report[] = []
  let killed = 0
  // A life that makes fewer such calls than the first one did ends by itself.
  for (let run = 0; killed < KILLS; run++) {
    expect(run, 'most lives are killed').toBeLessThan(3 * KILLS)
    const injection = chosen(below)
    const args = [CHILD, directory, String(run), String(COMMITS)]
    const traced = await runInjectedAnywhere(args, { ...injection, effect: 'signal=SIGKILL' })
    const said = parseReport(traced.output)
    const place = `seed ${SEED + number}, life ${run}, ${injection.call} ${injection.when}`
    if (traced.signal === 'SIGKILL') {
      killed++
      calls.add(injection.call)
    } else expect(said.at(-1), `${place}: ${traced.errors}`).toEqual({ kind: 'done' })
    expect(said.filter(({ kind }) => kind === 'refused')).toEqual([])
    reports.push(...said)
    await checkLeft(directory, reports).catch((error: unknown) => {
      throw new Error(`${place}: ${error}`, { cause: error })
    })
  }
  expect(reports.some(({ kind }) => kind === 'appended')).toBe(true)
  rmSync(directory, { recursive: true })
}

it.skipIf(!works)(
  `SIGKILL in ${CHAINS * KILLS} calls at random, on directories that grow (skipped where strace is missing or may not trace)`,
  async () => {
    const calls = new Set<string>()
    const queue = Array.from({ length: CHAINS }, (_, i) => i)
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await chain(next, calls)
    }
    await Promise.all([work(), work()])
    if (LONG)
      for (const call of ['pwrite64', 'fdatasync', 'fsync', 'rename', 'ftruncate', 'unlink'])
        expect(calls).toContain(call)
  },
  LONG ? 1_200_000 : 60_000,
)
