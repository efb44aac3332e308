import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { expect } from 'vitest'
import type { EmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import type { AppendEvent } from '../../engine/log/log.ts'
import { FakeDisk, type Fault } from './fake-disk.ts'
import { type EventShape, History, numberedEvent } from './history.ts'
import type { Survival } from './survival.ts'

/**
 * The lives of a log on one disk. Plain data: a script that failed is kept under test/regressions/ and run for ever.
 */
export interface Script {
  readonly segmentBytes: number
  readonly chunkBytes: number
  /** Of sealed segments; default `off`. */
  readonly compression?: 'zstd' | 'off' | undefined
  readonly lives: readonly Life[]
}

type Settings = Omit<Script, 'lives'>

/** From one start to the next. */
export interface Life {
  readonly steps: readonly Step[]
  /** By number of the operation, opening included. */
  readonly faults: readonly { readonly at: number; readonly fault: Fault }[]
  /** `close` is a kill where the process had died before. */
  readonly end: { readonly kind: 'close' | 'kill' } | { readonly kind: 'power'; readonly survival: Survival }
}

export type Step =
  /** The batches are under way at the same time. */
  | { readonly kind: 'append'; readonly batches: readonly Batch[] }
  /** Room on the disk from now on; null: enough. */
  | { readonly kind: 'room'; readonly bytes: number | null }

interface Batch {
  readonly atomic: boolean
  readonly events: readonly (EventShape & { readonly expects: 'nothing' | 'right' | 'wrong' })[]
}

export const DIRECTORY = '/data/log'

/** A disk with the log's directory, durable: whoever makes the data directory syncs it. */
export function emptyDisk(): FakeDisk {
  const disk = new FakeDisk()
  const files = disk.files()
  files.makeDirectory(DIRECTORY)
  files.syncDirectory('/data')
  files.syncDirectory('/')
  return disk
}

/** Runs a script and checks the log after every life, and at the end without faults. Throws where it doesn't hold. */
export async function run(script: Script): Promise<History> {
  const disk = emptyDisk()
  const history = new History()
  let number = 0
  let clean = false
  for (const life of script.lives)
    ({ number, clean } = await live(script, disk, life, history, number, clean))
  disk.roomBytes = Number.POSITIVE_INFINITY
  await checkReopened(script, disk, history, number)
  return history
}

/** Opens on what is left, without faults; checks; appends once more; and again after a power cut. */
export async function checkReopened(
  script: Settings,
  disk: FakeDisk,
  history: History,
  number: number,
): Promise<void> {
  const log = await opened(script, disk.files())
  await history.check(log)
  const event = numberedEvent(number, { stream: 0, identity: 1, sizeBytes: 10 })
  await history.append(log, [{ event }], false)
  await history.check(log)
  disk.cutPower({ kind: 'nothing' })
  await log.close().catch(() => undefined)
  const again = await opened(script, disk.files())
  await history.check(again)
  expect(again.tornTail, 'what was torn is gone for good').toBeUndefined()
  await again.close()
}

export async function opened(script: Settings, files: Files): Promise<EmbeddedLog> {
  const { segmentBytes, chunkBytes, compression } = script
  const result = await openEmbeddedLog(DIRECTORY, { segmentBytes, chunkBytes, compression, files })
  if (E.isLeft(result)) throw new Error(`the log doesn't open: ${JSON.stringify(result.left)}`)
  return result.right
}

export const LIFE_DEFAULTS: Life = { steps: [], faults: [], end: { kind: 'kill' } }

/** Runs one life on a disk, as far as it gets. `clean`: the one before left nothing torn. `number`: of the next event. */
export async function live(
  script: Script,
  disk: FakeDisk,
  life: Life,
  history: History,
  number: number,
  clean = false,
): Promise<{ readonly number: number; readonly clean: boolean }> {
  const faults = new Map(life.faults.map(({ at, fault }) => [at, fault]))
  const files = disk.files(faults)
  let next = number
  let log: EmbeddedLog | undefined
  try {
    log = await opened(script, files)
  } catch (error) {
    // Refused: for nothing but a fault that was put into its way.
    if (disk.happened.length === 0 && Number.isFinite(disk.roomBytes) === false) throw error
  }
  if (clean) expect(log?.tornTail, 'nothing is torn where nobody died').toBeUndefined()
  if (log !== undefined) {
    if (!disk.dead) await history.check(log)
    for (const step of life.steps) next = await take(step, disk, log, history, next)
  }
  // What finds no room is taken back before anything else is done.
  const roomy = disk.happened.every((fault) => fault.kind === 'short' || isNoRoom(fault))
  const closed = log !== undefined && life.end.kind === 'close' && roomy && !history.stopped()
  await end(disk, life, log)
  return { number: next, clean: closed }
}

function isNoRoom(fault: Fault): boolean {
  return fault.kind === 'fail' && fault.code === 'ENOSPC'
}

async function take(
  step: Step,
  disk: FakeDisk,
  log: EmbeddedLog,
  history: History,
  number: number,
): Promise<number> {
  if (step.kind === 'room') {
    disk.roomBytes = step.bytes ?? Number.POSITIVE_INFINITY
    return number
  }
  if (disk.dead) return number
  let next = number
  const under = step.batches.map(({ atomic, events }) => {
    const heads = new Map<string, number>()
    const appends = events.map(({ expects, ...shape }): AppendEvent => {
      const event = numberedEvent(next++, shape)
      const before = heads.get(event.stream) ?? log.streamHead(event.stream)?.revision ?? -1
      heads.set(event.stream, before + (expects === 'wrong' ? 0 : 1))
      if (expects === 'nothing') return { event }
      return { event, expected: { revision: expects === 'right' ? before : before + 7 } }
    })
    return history.append(log, appends, atomic)
  })
  const outcomes = (await Promise.all(under)).flat()
  // Nothing but room was ever missing in this life, and there is enough now.
  const works = !disk.dead && disk.happened.length === 0 && disk.roomBytes === Number.POSITIVE_INFINITY
  if (works) for (const outcome of outcomes) expect(['appended', 'WrongExpected']).toContain(outcome)
  // Whatever is done in the background has a turn.
  await new Promise((resolve) => setImmediate(resolve))
  return next
}

async function end(disk: FakeDisk, life: Life, log: EmbeddedLog | undefined): Promise<void> {
  if (life.end.kind === 'close') await log?.close().catch(() => undefined)
  disk.kill()
  await log?.close().catch(() => undefined)
  if (life.end.kind === 'power') disk.cutPower(life.end.survival)
}

const shape = fc.record({
  stream: fc.nat(3),
  identity: fc.nat(3),
  sizeBytes: fc.oneof(fc.nat(40), fc.nat(40), fc.nat(1500)),
  expects: fc.constantFrom('nothing' as const, 'nothing' as const, 'right' as const, 'wrong' as const),
})
const batch = fc.record({ atomic: fc.boolean(), events: fc.array(shape, { minLength: 1, maxLength: 5 }) })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      batches: fc.array(batch, { minLength: 1, maxLength: 3 }),
    }),
  },
  fc.record({ kind: fc.constant('room' as const), bytes: fc.constantFrom(0, 100, 700, 3000, null, null) }),
)
const survival: fc.Arbitrary<Survival> = fc.oneof(
  fc.record({ kind: fc.constantFrom('nothing' as const, 'everything' as const) }),
  fc.record({ kind: fc.constant('torn' as const), bytes: fc.nat(1100) }),
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('random' as const), seed: fc.nat(2 ** 31) }) },
)
const code = fc.constantFrom('EIO' as const, 'ENOSPC' as const)
const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('die' as const) }) },
  fc.record({ kind: fc.constant('short' as const), bytes: fc.integer({ min: 1, max: 600 }) }),
  fc.record({ kind: fc.constant('fail' as const), code, partBytes: fc.constantFrom(0, 1, 200, undefined) }),
  fc.record({ kind: fc.constant('lose_pages' as const) }),
)
const life: fc.Arbitrary<Life> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 8 }),
  faults: fc.array(fc.record({ at: fc.nat(40), fault }), { maxLength: 3 }),
  end: fc.oneof(fc.record({ kind: fc.constantFrom('close' as const, 'kill' as const) }), {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('power' as const), survival }),
  }),
})

export const scriptArbitrary: fc.Arbitrary<Script> = fc.record({
  segmentBytes: fc.constantFrom(1500, 4096),
  chunkBytes: fc.constantFrom(256, 1024),
  compression: fc.constantFrom('zstd' as const, 'off' as const),
  lives: fc.array(life, { minLength: 1, maxLength: 6 }),
})
