import { expect, it } from 'vitest'
import { INDEX_DIRECTORY, PAGE_BYTES } from '../../engine/log/embedded/index/index-format.ts'
import type { FakeDisk, Fault, Operation } from './fake-disk.ts'
import { History } from './history.ts'
import { checkReopened, emptyDisk, LIFE_DEFAULTS, live, run, type Script, type Step } from './script.ts'

// Theorem: a script with several segments holds what it acknowledged, and no more than was appended, if its process
// dies, or its power goes, in any one of all its operations on files, whatever of the last unsynced write is left; and if
// any one of them fails.

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined

const event = (stream: number, sizeBytes: number) =>
  ({ stream, identity: stream, sizeBytes, expects: 'right' }) as const
const append = (atomic: boolean, ...events: readonly ReturnType<typeof event>[]): Step => ({
  kind: 'append',
  batches: [{ atomic, events }],
})

const SCRIPT = {
  segmentBytes: 1600,
  chunkBytes: 512,
  compression: 'zstd' as const,
  steps: [
    append(false, event(1, 20)),
    append(true, event(1, 100), event(2, 10)),
    append(false, event(2, 700)),
    append(false, event(3, 5), event(1, 5)),
    append(true, event(0, 900), event(3, 1)),
    append(false, event(1, 30)),
    append(false, event(2, 1200)),
  ],
}

const OPERATIONS = ['create', 'rename', 'remove', 'sync_directory', 'write', 'sync', 'truncate'] as const

interface Ended {
  readonly disk: FakeDisk
  readonly history: History
  /** Of the next event. */
  readonly number: number
}

/** Lives until the process dies in an operation; `after`: in those of opening it again. */
async function diedIn(
  at: number,
  before?: Ended,
): Promise<Ended & { readonly operations: readonly Operation[] }> {
  const disk = before?.disk.fork() ?? emptyDisk()
  const history = before?.history.fork() ?? new History()
  const life = { ...LIFE_DEFAULTS, steps: SCRIPT.steps, faults: [{ at, fault: { kind: 'die' as const } }] }
  const script: Script = { ...SCRIPT, lives: [life] }
  const { number } = await live(script, disk, life, history, before?.number ?? 0)
  return { disk, history, number, operations: [...disk.operations] }
}

/** Checks what is left of a disk by every kind of end. Answers how many there were. */
async function checkEnds({
  disk,
  history,
  number,
  operations,
}: Awaited<ReturnType<typeof diedIn>>): Promise<number> {
  const check = async (left: FakeDisk) => checkReopened(SCRIPT, left, history.fork(), number)
  await check(disk.fork())
  const survivals = [
    { kind: 'nothing' as const },
    { kind: 'everything' as const },
    ...SEEDS.map((seed) => ({ kind: 'random' as const, seed })),
    // In what follows a write before it is synced, that write is torn in the same places.
    ...(operations.at(-1) === 'write' ? tears(disk.lastUnsyncedWrite()) : []).map((bytes) => ({
      kind: 'torn' as const,
      bytes,
    })),
  ]
  for (const survival of survivals) {
    const left = disk.fork()
    left.cutPower(survival)
    await check(left)
  }
  return survivals.length + 1
}

/**
 * Where a write is torn: at every byte, but of an index file, which is made of pages and means nothing before it is
 * renamed: around their borders, and at some byte of each part. Where time is short: in a header, before the last byte.
 */
function tears(write: ReturnType<FakeDisk['lastUnsyncedWrite']>): readonly number[] {
  if (write === undefined) return []
  const { path, sizeBytes } = write
  if (!LONG) return [1, 50, sizeBytes - 1].filter((at) => at > 0 && at < sizeBytes)
  const all = Array.from({ length: sizeBytes }, (_, at) => at)
  if (!path.includes(`/${INDEX_DIRECTORY}/`)) return all
  return all.filter((at) => at % 509 === 0 || (at + 1) % PAGE_BYTES <= 2 || at === sizeBytes - 1)
}

const SEEDS = LONG ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : [1]

it(
  'every operation of a script',
  async () => {
    const whole = await diedIn(Number.POSITIVE_INFINITY)
    expect(whole.history.acknowledged).toBe(10)
    for (const kind of OPERATIONS) expect(whole.operations).toContain(kind)
    let ends = 0
    for (let at = 0; at < whole.operations.length; at++) ends += await checkEnds(await diedIn(at))
    expect(ends).toBeGreaterThan(whole.operations.length * 4)
  },
  LONG ? 1_800_000 : 60_000,
)

it(
  'every operation of the opening after that',
  async () => {
    const whole = await diedIn(Number.POSITIVE_INFINITY)
    for (let at = 0; at < whole.operations.length; at += LONG ? 1 : 17) {
      const torn = await diedIn(at)
      torn.disk.cutPower({ kind: 'random', seed: at })
      for (let opening = 0; opening < OPENING_OPERATIONS; opening++) {
        const again = await diedIn(opening, torn)
        again.disk.cutPower({ kind: 'random', seed: opening })
        await checkReopened(SCRIPT, again.disk, again.history, again.number)
      }
    }
  },
  LONG ? 1_800_000 : 60_000,
)

type Faults = readonly { readonly at: number; readonly fault: Fault }[]

const FAILURES: readonly (readonly [string, readonly Operation[], (at: number) => Faults])[] = [
  ['a short write', ['write'], (at) => [{ at, fault: { kind: 'short', bytes: 9 } }]],
  [
    'a short write, then no room',
    ['write'],
    (at) => [
      { at, fault: { kind: 'short', bytes: 100 } },
      { at: at + 1, fault: { kind: 'fail', code: 'ENOSPC' } },
    ],
  ],
  ['no room', OPERATIONS, (at) => [{ at, fault: { kind: 'fail', code: 'ENOSPC' } }]],
  ['EIO', OPERATIONS, (at) => [{ at, fault: { kind: 'fail', code: 'EIO' } }]],
  ['an fsync that loses its pages', ['sync'], (at) => [{ at, fault: { kind: 'lose_pages' } }]],
]

it.each(FAILURES)(
  '%s, in every operation: nothing acknowledged is lost, and what may go on does',
  async (_, kinds, faultsAt) => {
    const { operations } = await diedIn(Number.POSITIVE_INFINITY)
    const end = { kind: 'close' as const }
    for (const [at, operation] of operations.entries()) {
      // Where time is short, every fifth of those that are many.
      if (!kinds.includes(operation) || (!LONG && kinds === OPERATIONS && at % 5 > 0)) continue
      const first = { steps: SCRIPT.steps, faults: faultsAt(at), end }
      const second = { steps: SCRIPT.steps.slice(0, 1), faults: [], end }
      await run({ ...SCRIPT, lives: [first, second, { ...second, steps: [] }] }).catch((error: unknown) => {
        throw new Error(`operation ${at}, ${operation}: ${error}`, { cause: error })
      })
    }
  },
  LONG ? 600_000 : 60_000,
)

it('what finds no room in the last append of a life is taken back: the next one finds nothing torn', async () => {
  const steps = [append(false, event(1, 20)), append(false, event(1, 300))]
  const script = { segmentBytes: 4096, chunkBytes: 1024 }
  const { operations } = await diedIn(Number.POSITIVE_INFINITY)
  const writes = operations.flatMap((operation, at) => (operation === 'write' ? [at] : []))
  let refused = 0
  for (const at of writes.slice(0, 6)) {
    const fault: Fault = { kind: 'fail', code: 'ENOSPC', partBytes: 200 }
    const end = { kind: 'close' as const }
    const lives = [
      { steps, faults: [{ at, fault }], end },
      { steps: [], faults: [], end },
    ]
    if ((await run({ ...script, lives })).acknowledged < 3) refused++
  }
  expect(refused).toBeGreaterThan(1)
})

/** More than opening takes: the first appends are among them. */
const OPENING_OPERATIONS = 12
