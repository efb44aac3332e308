import type { ErasingReads } from '../../api/erasing-reads.ts'
import { ErasureHeldUp } from '../../api/erasure/held-up.ts'
import { NO_PLAN, type StoredErasure } from '../../api/erasure/operations-file.ts'
import { reapplyErasures } from '../../api/erasure/reapply.ts'
import { carryOut, type ErasingParts } from '../../api/erasure/steps.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { ClockGuard } from '../../engine/intake/clock-guard.ts'
import { guardClock } from '../../engine/intake/clock-guard.ts'
import type { EngineIntake } from '../../engine/intake/intake.ts'
import { createIntake } from '../../engine/intake/intake.ts'
import { recall } from '../../engine/intake/recall.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import type { Log, LogReader } from '../../engine/log/log.ts'
import type { KeyWriter } from '../../engine/privacy/key-tables.ts'
import { LazyEvent } from '../../engine/privacy/lazy-event.ts'
import type { ErasingKeyStore, Opener } from '../../engine/privacy/privacy.ts'
import { reassemble } from '../../engine/privacy/sealing.ts'
import { WritingStore } from '../../engine/privacy/writing-store.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import type { BuildsMode } from '../../engine/projector/builds.ts'
import type { DecodedEvent } from '../../engine/projector/projection.ts'
import type { Progress, Projector } from '../../engine/projector/projector.ts'
import { createProjector } from '../../engine/projector/projector.ts'
import type { StoreReader, StoreWriter } from '../../engine/store/store.ts'
import type { Disk } from './disk.ts'
import { gatedStore } from './gated-store.ts'
import { seededKeyStore } from './keys.ts'
import { Dead, type Process } from './process.ts'
import { simulatedQuarantine } from './quarantine.ts'
import type { Random } from './random.ts'
import type { Release } from './releases.ts'
import type { Timeline } from './timeline.ts'
import type { Weather } from './weather.ts'

const BULK_EVENTS = 12

/** What stands between the engine and what it is built on: where a bug is planted, it stands there. */
export interface Seams {
  readonly log?: ((log: Log) => Log) | undefined
  /** What the embedded log writes to. */
  readonly files?: ((files: Files) => Files) | undefined
  /** What the projector reads. */
  readonly followed?: ((log: LogReader) => LogReader) | undefined
  readonly store?: ((writer: StoreWriter) => StoreWriter) | undefined
  readonly keyWriter?: ((writer: KeyWriter) => KeyWriter) | undefined
  readonly reads?: ((reads: ErasingReads) => ErasingReads) | undefined
  /** What is asked for of the past. */
  readonly moment?: ((moment: Moment) => Moment) | undefined
  readonly projector?: ((projector: Projector) => Projector) | undefined
  /** What holds at the end, of a run in which everything else did. */
  readonly ended?: ((rest: Rest) => Promise<void>) | undefined
  /** Told of every crash, after which this is what is left. */
  readonly crashed?: ((disk: Disk) => void) | undefined
}

/** The engine at rest, when nothing more is to come. */
export interface Rest {
  readonly log: Log
  readonly store: StoreWriter
  readonly release: Release
  readonly open: (event: RecordedEvent) => DecodedEvent
}

export interface LifeParts {
  readonly disk: Disk
  readonly process: Process
  readonly timeline: Timeline
  readonly random: Random
  readonly release: Release
  readonly builds: BuildsMode
  readonly weather: Weather
  readonly seams: Seams
  readonly onCommit: (progress: Progress) => void
  readonly onBuild: (build: string, state: string) => void
  /** The intake says that the engine must be restarted. */
  readonly onStopped: () => void
  /** The projector ended by something that isn't a crash. */
  readonly onFailure: (error: unknown) => void
}

/** One process's engine, from start to end. */
export interface Life {
  readonly log: Log
  readonly intake: EngineIntake
  readonly guard: ClockGuard
  readonly keyStore: ErasingKeyStore
  readonly projector: Projector
  /** Answers from what is committed. */
  readonly store: Pick<StoreReader, 'get' | 'waitFor'>
  progress(): Progress | undefined
  /** Carries out what was asked for; rejects with `ErasureHeldUp`. */
  erase(identity: string, number: string): Promise<void>
  /** Completes what a crash has cut off, as a start does before anything is served. */
  resume(): Promise<void>
  /** In good order: what is under way is settled and committed. */
  stop(): Promise<void>
}

const MAX_QUEUE = 12
const AGAIN_MS = 300

/** An event that can't be opened is made by its id: for the projector and for whoever folds it plainly. */
export function opened(event: RecordedEvent, opener: Opener): DecodedEvent {
  if (event.type === 'cdp.page' && event.id.endsWith('13')) throw new Error('an event that does not open')
  return new LazyEvent(event, opener, registry)
}

export async function startLife(parts: LifeParts): Promise<Life> {
  const { disk, process, timeline, seams, weather } = parts
  const opened = await disk.log.open({ ...parts, isFull: weather.isFull })
  const log = seams.log?.(opened) ?? opened
  const keyStore = openKeys(parts)
  const written = () => process.awaited(timeline.sleep(parts.random.between(1, 10)))
  const quarantine = simulatedQuarantine(disk.bodies, written)
  const guard = guardClock(timeline, log.head().received)
  const intake = createIntake({
    ...{ log, keyStore, quarantine, registry, clock: timeline, guard },
    ...{ maxDepth: 64, eventLimitBytes: 1024 * 1024, queueEvents: MAX_QUEUE, queueBytes: 2 ** 20 },
    reassemble: (event) => reassemble(event, keyStore),
    onResult(result) {
      if (result.status === 'refused' && result.refusal.code === 'stopped') parts.onStopped()
    },
  })
  await recall(log, intake)
  const reading = follow(parts, log, intake)
  const erasing: ErasingParts = {
    ...{ log, keyStore, quarantine, intake, clock: timeline, records: disk.erasures },
    store: reading.store,
    reads: seams.reads?.(reading.reads) ?? reading.reads,
  }
  return {
    ...{ log, intake, guard, keyStore, projector: reading.projector, progress: reading.progress },
    store: reading.store,
    erase: (identity, number) => erase(erasing, identity, number),
    resume: () => resume(erasing, parts),
    async stop() {
      await intake.close()
      await reading.stop()
    },
  }
}

function openKeys({ disk, process, timeline, random, seams }: LifeParts): ErasingKeyStore {
  const writer: KeyWriter = {
    async write(operations) {
      await process.awaited(timeline.sleep(random.below(12)))
      disk.keys.apply(operations)
      return { purged: true }
    },
    async close() {},
  }
  const store = new WritingStore({
    tables: disk.keys,
    writer: seams.keyWriter?.(writer) ?? writer,
    secrets: disk.keys.secrets,
    clock: timeline,
    closeTables: () => undefined,
  })
  return seededKeyStore(store, disk.keys.names)
}

/** The projector, and what answers from its store. */
function follow(parts: LifeParts, log: Log, intake: EngineIntake) {
  const { disk, process, timeline, release, builds, seams, weather } = parts
  const stopping = new AbortController()
  const opener = disk.keys.opener()
  const specs = release.map(({ name, table }) => ({ projection: name, table, isExtensible: true }))
  const reader = disk.store.reader(specs)
  const tick = ticking(parts, intake)
  const gated = gatedStore(disk.store.writer, process)
  let progress: Progress | undefined
  const bare = createProjector({
    // Some new stores are folded in bulk, some from the first event on.
    ...{ projections: release, rules: DEFAULT_RULES, clock: timeline, bulkEvents: BULK_EVENTS, builds },
    log: seams.followed?.(log) ?? log,
    store: seams.store?.(gated) ?? gated,
    isUnderPressure: weather.isUnderPressure,
    open: (event) => opened(event, opener),
    onCommit(reported) {
      if (!process.alive) return
      progress = reported
      reader.notifyPosition(reported.position)
      tick(reported.nextDue)
      parts.onCommit(reported)
    },
    onBuild: (build, state) => parts.onBuild(build, state),
  })
  const projector = seams.projector?.(bare) ?? bare
  const running = projector.run(stopping.signal).catch((error: unknown) => {
    if (process.alive || !(error instanceof Dead)) parts.onFailure(error)
  })
  process.whenEnded(() => {
    stopping.abort()
    void reader.close()
  })
  const reads: ErasingReads = {
    async forget(owners) {
      await process.awaited(timeline.sleep(1))
      for (const owner of owners) opener.forget(owner)
    },
    erase: (positions) =>
      new Promise((resolve) => projector.erase({ positions, done: (erased) => resolve(erased) })),
  }
  return {
    projector,
    reads,
    store: hurrying(reader, projector),
    progress: () => progress,
    async stop() {
      stopping.abort()
      await running
    },
  }
}

/** Whoever waits for a position hurries the projector. */
function hurrying(
  reader: StoreReader,
  projector: Projector,
): Pick<StoreReader, 'builds' | 'members' | 'get' | 'waitFor'> {
  return {
    get: (projections, key) => reader.get(projections, key),
    builds: () => reader.builds(),
    members: (identities) => reader.members(identities),
    waitFor(position, timeoutMs) {
      projector.hurry(position)
      return reader.waitFor(position, timeoutMs)
    },
  }
}

/** On an idle log nothing moves time past a deadline, so the engine appends a tick. */
function ticking({ process, timeline }: LifeParts, intake: EngineIntake) {
  let wanted: number | undefined
  const wait = (ms: number): void => timeline.after(ms, () => void tick())
  const tick = async (): Promise<void> => {
    const due = wanted
    if (due === undefined || !process.alive) return
    if (timeline.nowMs() < due) return wait(due - timeline.nowMs())
    wanted = undefined
    const { status } = await intake.record({ type: 'clock.advanced', id: `clock-${due}`, data: {} })
    if (status !== 'refused' || wanted !== undefined) return
    wanted = due
    wait(AGAIN_MS)
  }
  return (due: number | undefined): void => {
    if (due === wanted) return
    wanted = due
    if (due !== undefined) wait(Math.max(0, due - timeline.nowMs()))
  }
}

async function erase(parts: ErasingParts, identity: string, number: string): Promise<void> {
  const { records, clock } = parts
  const now = clock.nowMs()
  const asked = { number, identity, state: 'scheduled', requested: now, due: now, plan: NO_PLAN } as const
  const made = records.get(number) ?? {
    ...asked,
    finished: undefined,
    reason: undefined,
    certificate: undefined,
  }
  records.put(made)
  await complete(parts, [made])
}

async function complete(parts: ErasingParts, begun: readonly StoredErasure[]): Promise<void> {
  const { erasures } = await carryOut(parts, begun)
  for (const erasure of erasures)
    parts.records.put({ ...erasure, state: 'done', finished: parts.clock.nowMs() })
}

/** Held up, by a full disk say, it is tried again: nothing is served before. */
async function resume(parts: ErasingParts, { process, timeline }: LifeParts): Promise<void> {
  for (;;) {
    try {
      const cutOff = parts.records.open().filter(({ state }) => state === 'executing')
      if (cutOff.length > 0) await complete(parts, cutOff)
      await reapplyErasures(parts, () => undefined)
      return
    } catch (error) {
      if (!(error instanceof ErasureHeldUp)) throw error
      await process.awaited(timeline.sleep(AGAIN_MS))
    }
  }
}
