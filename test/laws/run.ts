import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type fc from 'fast-check'
import { systemClock } from '../../engine/clock.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import { projections } from '../../projections/catalog.ts'
import { definitions } from '../projections/defined.ts'
import { arbitrarySample, definedSample } from '../projections/generate.ts'
import { configuration } from '../projections/given.ts'
import type { Sample } from './projection-laws.ts'
import { keepForEver } from './regressions.ts'
import { trySamples } from './try-samples.ts'

/**
 * `node test/laws/run.ts --runs 10000`: so many samples of each projection, also with fields and objects defined.
 * `--seconds 80`: no longer than that. `--progress FILE`: goes on where the file says that an earlier call ended.
 * `--projection profile`: of that one alone. What breaks a law is kept in a file, and the exit code is 1.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '1000000000' },
    progress: { type: 'string' },
    projection: { type: 'string' },
  },
})

/** Samples of one seed: the seed is their number. */
const CHUNK = 100
const runs = Number(values.runs)
const seconds = Number(values.seconds)

interface Subject {
  /** In the progress file. */
  readonly name: string
  readonly projection: AnyProjection
  readonly samples: fc.Arbitrary<Sample>
}

const DEFINED = configuration(...definitions)
const subjects = projections
  .flatMap(subjectsOf)
  .filter(({ name }) => values.projection === undefined || name.startsWith(values.projection))
const done = new Map<string, number>(doneBefore())
const startedMs = systemClock.monotonicMs()
const inTime = (): boolean => systemClock.monotonicMs() - startedMs < seconds * 1_000
/** Not tried any further: what follows would most often be the same. */
const broken = new Set<string>()
let tried = 0

for (let begun = 0; begun < runs && inTime(); begun += CHUNK)
  for (const subject of subjects) tryChunk(subject)
const least = Math.min(...subjects.map(({ name }) => done.get(name) ?? 0))
const perSecond = tried / ((systemClock.monotonicMs() - startedMs) / 1_000)
console.log(
  `${subjects.length} subjects, each at least ${least} samples: ${broken.size} failed, ${perSecond.toFixed(0)} samples a second`,
)
process.exitCode = broken.size === 0 ? 0 : 1

function subjectsOf(projection: AnyProjection): readonly Subject[] {
  const { name } = projection
  const defined = projectionUnder(projection, DEFINED)
  const extended = (): Subject => {
    return { name: `${name} defined`, projection: defined, samples: definedSample(defined) }
  }
  // What handles nothing without definitions is tried with them alone.
  if (projection.handles.length === 0) return [extended()]
  const plain = { name, projection, samples: arbitrarySample(projection) }
  return defined === projection ? [plain] : [plain, extended()]
}

function doneBefore(): readonly (readonly [string, number])[] {
  if (values.progress === undefined || !existsSync(values.progress)) return []
  return Object.entries<number>(JSON.parse(readFileSync(values.progress, 'utf8')))
}

/** The next so many samples, unless there were enough or time is over. */
function tryChunk({ name, projection, samples }: Subject): void {
  const before = done.get(name) ?? 0
  if (before >= runs || broken.has(name) || !inTime()) return
  const chunk = trySamples(projection, samples, { numRuns: CHUNK, seed: before })
  tried += chunk.samples
  done.set(name, before + CHUNK)
  if (values.progress !== undefined) writeFileSync(values.progress, JSON.stringify(Object.fromEntries(done)))
  if (chunk.broken === undefined) return
  broken.add(name)
  const { law, sample, error } = chunk.broken
  const file = keepForEver(projection.name, law, sample)
  console.log(`${name}: ${told(error)}; ${file} shows how`)
}

/** What differs may be long, and stands in the file. */
function told({ message }: Error): string {
  return message.split('\n')[0] ?? ''
}
