import { configurationHistory } from '../../api/history/configuration.ts'
import { systemClock } from '../../engine/clock.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { LogReader } from '../../engine/log/log.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { foldPast } from '../../engine/projector/past-fold.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import { foldAnew } from '../../engine/projector/versions-fold.ts'
import { digestOf } from '../../engine/store/digest.ts'
import { createMemoryStore, type MemoryStore } from '../../engine/store/memory.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import { compareRows, rowsOf } from './check-reads.ts'
import { configurationOf, foldPlainly, groupsOf, plainRows, type Reading } from './oracle.ts'
import type { Random } from './random.ts'
import type { Release } from './releases.ts'
import type { Timeline } from './timeline.ts'
import { must } from './violation.ts'

/** What the read models came to when everything up to there had been folded. */
interface Seen {
  readonly position: number
  readonly received: number
  /** How many erasures had begun: what they take is gone from the past too. */
  readonly erasures: number
  /** Build → digest. */
  readonly digests: ReadonlyMap<string, string>
}

export interface PastParts {
  readonly log: LogReader
  readonly open: (event: RecordedEvent) => DecodedEvent
  readonly release: Release
  readonly timeline: Timeline
  readonly random: Random
  readonly erasures: number
  /** The log, plainly. */
  readonly readings: readonly Reading[]
  /** Where a bug is planted it changes what is asked for. */
  readonly asked: (moment: Moment) => Moment
}

/** Events of one commit, and of one window of time: few, so that there are several. */
const FEW_EVENTS = 20

/** Keeps what was served at rest, and compares it with what is folded later as of then. */
export class Pasts {
  readonly #seen: Seen[] = []

  record(store: StoreWriter, erasures: number): void {
    const snapshot = store.snapshot()
    const { position, received } = snapshot.checkpoint
    // Hashing takes its time.
    if (position === 0 || position % 2 === 1) return
    const serving = snapshot.builds.filter((build) => build.serving)
    const digests = new Map(serving.map(({ build }) => [build, digestOf(snapshot, build).digest]))
    this.#seen.push({ position, received, erasures, digests })
  }

  /** Answers how many read models were compared. */
  async check(parts: PastParts): Promise<number> {
    const comparable = this.#seen.filter(({ erasures }) => erasures === parts.erasures)
    if (comparable.length === 0) return 0
    const { position, received, digests } = parts.random.pick(comparable)
    const store = await pastOf(parts, { by: 'received', position, received })
    const snapshot = store.writer.snapshot()
    let compared = 0
    for (const { build } of snapshot.builds) {
      const seen = digests.get(build)
      if (seen === undefined) continue
      compared += 1
      const { digest } = digestOf(snapshot, build)
      must(digest === seen, () => `${build}, as of ${position}, isn't what was served then`)
    }
    return compared
  }
}

/** As of a time: folded plainly, what had happened by then in the order in which it had. */
export async function checkOccurred(parts: PastParts): Promise<void> {
  const { readings, random, release } = parts
  const last = readings.at(-1)?.recorded
  if (last === undefined) return
  const { time } = random.pick(readings).recorded
  const moment: Moment = { by: 'occurred', position: last.position, received: last.received, time }
  const store = await pastOf(parts, moment)
  const counted = readings.filter(({ recorded }) => recorded.time <= time)
  const inOrder = counted.toSorted((a, b) => a.recorded.time - b.recorded.time)
  const config = configurationOf(counted)
  const groups = groupsOf(counted)
  const clock = { now: (event: RecordedEvent) => event.time, end: time }
  const snapshot = store.writer.snapshot()
  for (const build of snapshot.builds) {
    const released = release.find(({ name }) => name === build.projection)
    must(released !== undefined, () => `a build of ${build.projection}`)
    const projection = released.under?.(config) ?? released
    const { states } = foldPlainly(projection, inOrder, config, clock)
    const found = rowsOf(snapshot, build.build, projection)
    compareRows(
      `${build.build}, as of what had happened by ${time}`,
      found,
      plainRows(projection, states, config, groups),
    )
  }
}

/** What serves, folded once more by the projector itself into a store of its own, as `headwater verify` does. */
export async function checkVerified({ log, open, release }: PastParts, store: StoreWriter): Promise<void> {
  const fresh = createMemoryStore()
  const snapshot = store.snapshot()
  // Nobody moves simulated time on meanwhile.
  const folding = { log, open, projections: release, rules: DEFAULT_RULES, clock: systemClock }
  const running = { signal: new AbortController().signal, onProgress: () => undefined }
  const isWhole = await foldAnew({ ...folding, ...running, store: fresh.writer }, snapshot.checkpoint)
  must(isWhole, () => 'a fold that nobody gave up was given up')
  const expected = fresh.writer.snapshot()
  for (const { projection, version, configuration, build } of expected.builds) {
    const served = snapshot.builds.find((each) => each.serving && each.projection === projection)
    // Held builds may be of another configuration.
    if (served?.version !== version || served.configuration !== configuration) continue
    const isSame = digestOf(snapshot, served.build).digest === digestOf(expected, build).digest
    must(isSame, () => `${served.build} isn't what the log comes to once more`)
  }
}

async function pastOf(
  { log, open, release, timeline, asked }: PastParts,
  moment: Moment,
): Promise<MemoryStore> {
  const projections: readonly AnyProjection[] = release
  const config = await configurationHistory(log, projections, open)(moment)
  const store = createMemoryStore()
  const isWhole = await foldPast({
    ...{ log, open, projections, config, store: store.writer, clock: timeline, moment: asked(moment) },
    ...{ rules: DEFAULT_RULES, signal: new AbortController().signal },
    ...{ commitEvents: FEW_EVENTS, windowEvents: FEW_EVENTS },
  })
  must(isWhole, () => 'a past that nobody gave up was given up')
  return store
}
