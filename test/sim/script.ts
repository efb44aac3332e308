import type { BuildsMode } from '../../engine/projector/builds.ts'
import type { VersionOrder } from '../../engine/projector/versions.ts'
import type { Fault } from '../faults/fake-disk.ts'
import { anyEvent, type Sent } from './events.ts'
import type { Doom } from './process.ts'
import { Random, seedOf } from './random.ts'

/** What is to happen in a run. Plain data: leaving steps out gives another script. */
export interface Script {
  readonly seed: number
  /** What the log is: a list of blocks, or the embedded log, whose sealed segments are compressed or not. */
  readonly log: 'blocks' | 'zstd' | 'off'
  /** Whether new configuration's builds serve by themselves. */
  readonly builds: BuildsMode
  readonly steps: readonly Step[]
}

export type Step = {
  /** Names the step, and seeds whatever chance decides about it. */
  readonly number: number
  readonly atMs: number
} & Happening

type Happening =
  /** A sender submits them together until each is settled: over a network that delays, repeats and loses. */
  | { readonly kind: 'send'; readonly events: readonly Sent[] }
  /** The process is killed. */
  | { readonly kind: 'crash'; readonly downMs: number }
  /** It, or the one that starts next, is killed in a call of its store, or of the log's files: see `Doom`. */
  | ({ readonly kind: 'die'; readonly downMs: number } & Doom)
  /** It is stopped, in good order or not, and another release starts, which may not get far. */
  | {
      readonly kind: 'upgrade'
      readonly release: number
      readonly orderly: boolean
      /** It dies in the store call of this number; undefined: it doesn't for that. */
      readonly calls: number | undefined
      readonly downMs: number
    }
  /** The wall clock jumps; later an operator confirms what it shows. */
  | { readonly kind: 'jump'; readonly ms: number; readonly confirmMs: number }
  /** The log's disk has no room. */
  | { readonly kind: 'full'; readonly forMs: number }
  /** An operation on the log's disk fails, or loses what it was to make durable; the log then stops, or had no room. */
  | { readonly kind: 'strike'; readonly operations: number; readonly fault: Fault }
  /** The projector gives way to other work. */
  | { readonly kind: 'pressure'; readonly forMs: number }
  /** Somebody asks to be forgotten. */
  | { readonly kind: 'erase'; readonly namespace: string; readonly value: string }
  /** An operator's; the projection by its number in the release. */
  | { readonly kind: 'order'; readonly order: VersionOrder['kind']; readonly projection: number }
  /** A reader asks for the rows of a key, as of what was acknowledged last. */
  | { readonly kind: 'look' }

const LENGTH_MS = 20_000
const MINUTE_MS = 60_000

export function scriptOf(seed: number): Script {
  const random = new Random(seedOf(seed, 0))
  const happenings: Happening[] = [
    ...sends(random),
    ...times(random.below(3), () => erasure(random)),
    ...times(random.between(0, 4), () => downfall(random)),
    ...times(random.between(3, 8), () => ({ kind: 'look' as const })),
    ...times(random.below(5), () => order(random)),
    ...times(random.below(2), () => jump(random)),
    ...times(random.below(2), () => ({ kind: 'full' as const, forMs: random.between(10, 2_000) })),
    ...times(random.below(3) === 0 ? 1 : 0, () => strike(random)),
    ...times(random.below(2), () => ({ kind: 'pressure' as const, forMs: random.between(50, 6_000) })),
  ]
  const peaks = times(4, () => random.below(LENGTH_MS))
  const steps: Step[] = []
  for (const [number, happening] of happenings.entries())
    steps.push({ ...happening, number, atMs: instantOf(random, happening, peaks, steps) })
  const log = random.pick(['blocks', 'blocks', 'zstd', 'off'] as const)
  const builds = random.percent(35) ? 'hold' : 'auto'
  return { seed, log, builds, steps: steps.sort((a, b) => a.atMs - b.atMs) }
}

/** Much comes at once; whoever reads, reads about that, and what ends a process comes when there is something to cut off. */
function instantOf(
  random: Random,
  { kind }: Happening,
  peaks: readonly number[],
  before: readonly Step[],
): number {
  if (kind === 'send' && random.percent(60)) return random.pick(peaks) + random.below(150)
  // Erasures are few; and who dies next to a fall dies as it starts.
  const few = before.filter((step) => step.kind === 'erase' || (kind === 'die' && FALLS.has(step.kind)))
  const others = few.length > 0 && random.percent(25) ? few : before
  return FOLLOWING.has(kind) && others.length > 0 && random.percent(70)
    ? random.pick(others).atMs + random.below(60)
    : random.below(LENGTH_MS)
}

const FALLS: ReadonlySet<string> = new Set(['crash', 'die', 'upgrade'])
const FOLLOWING: ReadonlySet<string> = new Set([...FALLS, 'look', 'order'])

function sends(random: Random): Happening[] {
  const known: Sent[] = []
  return times(random.between(10, 34), () => {
    const events = times(random.between(1, 4), () => {
      const event = anyEvent(random, known.length)
      const other = known.length > 0 && random.percent(3) ? random.pick(known) : undefined
      // An id that was used before: for the same, or for something else.
      if (other !== undefined)
        return random.percent(50) ? other : { ...event, id: other.id, source: other.source }
      known.push(event)
      return event
    })
    return { kind: 'send', events }
  })
}

function downfall(random: Random): Happening {
  const downMs = random.between(1, 1_500)
  switch (random.below(5)) {
    case 0:
      return {
        ...{ kind: 'upgrade', release: random.below(3), orderly: random.percent(60), downMs },
        calls: random.percent(50) ? random.between(1, 300) : undefined,
      }
    case 1:
    case 2:
      return random.percent(40)
        ? { kind: 'die', of: 'files', calls: random.between(1, 8), after: random.percent(70), downMs }
        : { kind: 'die', of: 'any', calls: random.between(1, 60), after: random.percent(50), downMs }
    default:
      return { kind: 'crash', downMs }
  }
}

function erasure(random: Random): Happening {
  return random.percent(60)
    ? { kind: 'erase', namespace: 'user', value: `u${random.between(1, 5)}` }
    : { kind: 'erase', namespace: 'email', value: `p${random.between(1, 6)}@example.com` }
}

function strike(random: Random): Happening {
  const faults: readonly Fault[] = [
    { kind: 'fail', code: 'EIO', partBytes: random.below(300) },
    { kind: 'fail', code: 'ENOSPC', partBytes: random.below(300) },
    { kind: 'lose_pages' },
    { kind: 'short', bytes: random.between(1, 200) },
  ]
  return { kind: 'strike', operations: random.below(8), fault: random.pick(faults) }
}

function order(random: Random): Happening {
  const order = random.pick(['rebuild', 'switch', 'switch', 'rollback'] as const)
  // The profile's is the first, and most is published about it.
  return { kind: 'order', order, projection: random.percent(40) ? 0 : random.below(40) }
}

function jump(random: Random): Happening {
  const ms = random.pick([-1, 1]) * random.pick([500, 5 * MINUTE_MS, 30 * MINUTE_MS, 1_440 * MINUTE_MS])
  return { kind: 'jump', ms, confirmMs: random.between(50, 3_000) }
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}
