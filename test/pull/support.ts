import { createMetrics } from '../../api/metrics.ts'
import { pullFolder } from '../../api/pull/folder.ts'
import type { FolderPull, Pull, PullRun, UrlPull } from '../../api/pull/pull.ts'
import { createPulls, type PullsOptions } from '../../api/pull/pulls.ts'
import type { PullContext } from '../../api/pull/run-import.ts'
import { pullUrl } from '../../api/pull/url.ts'
import { systemClock } from '../../engine/clock.ts'
import type { Intake } from '../../engine/intake/result.ts'
import { compile, type Files, mappingDocument, temporaryFiles } from '../import/support.ts'
import { intakeWorld } from '../support/intake-world.ts'

/** An engine over memory, and folders of a test's own. */
export function pullWorld() {
  const engine = intakeWorld()
  const data: Files = temporaryFiles()
  const drop: Files = temporaryFiles()
  const stopping = new AbortController()
  return {
    engine,
    data,
    drop,
    context(change: Partial<PullContext> = {}): PullContext {
      return {
        intake: engine.intake,
        clock: systemClock,
        head: () => engine.log.head().position,
        marksFile: data.path('marks.json'),
        progressFile: data.path('progress.json'),
        downloadFile: data.path('download'),
        signal: stopping.signal,
        ...change,
      }
    },
    /** `a` of every event, in log order. */
    async taken(): Promise<readonly unknown[]> {
      const events = await engine.events()
      return events.filter(({ type }) => type === 'sample.seen').map(({ data: { a } }) => a)
    },
    async close(): Promise<void> {
      stopping.abort()
      await engine.close()
      data.remove()
      drop.remove()
    },
  }
}

export type PullWorld = ReturnType<typeof pullWorld>

export const SAMPLE = compile(mappingDocument())
export const SAMPLE_LINES = compile(
  mappingDocument({ input: { format: 'ndjson', columns: ['a', 'b'], zone: 'UTC' } }),
)

export function folderPull(world: PullWorld, change: Partial<FolderPull> = {}): FolderPull {
  return {
    kind: 'folder',
    name: 'sample',
    mapping: SAMPLE,
    everyMs: 10,
    folder: world.drop.directory,
    files: /^.*$/s,
    finalLineAfterMs: undefined,
    ...change,
  }
}

export function urlPull(url: string, change: Partial<UrlPull> = {}): UrlPull {
  return {
    kind: 'url',
    name: 'sample',
    mapping: SAMPLE,
    everyMs: 10,
    url,
    headers: [],
    redirectsTo: [],
    highWater: undefined,
    timeoutMs: 5_000,
    maxBytes: 1024 * 1024,
    ...change,
  }
}

export function runOnce(pull: Pull, context: PullContext): Promise<PullRun> {
  return pull.kind === 'folder' ? pullFolder(pull, context) : pullUrl(pull, context)
}

export function scheduled(world: PullWorld, pulls: readonly Pull[], change: Partial<PullsOptions> = {}) {
  const logged: string[] = []
  const note = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`)
  const metrics = createMetrics()
  const made = createPulls({
    pulls,
    intake: world.engine.intake,
    head: () => world.engine.log.head().position,
    directory: world.data.path('pulls'),
    clock: systemClock,
    random: () => 0.5,
    metrics,
    logger: { info: note, warn: note },
    ...change,
  })
  return { pulls: made, logged, metrics }
}

/** Resolves when `holds` does. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it never came to that')
}

/** An intake over a list: quick enough to be made often. */
export function listIntake() {
  const taken = new Map<string, unknown>()
  const intake: Intake = {
    async submit(batch) {
      return batch.map((incoming) => {
        const { id, data } = ('value' in incoming ? incoming.value : {}) as {
          id: string
          data: { a: unknown }
        }
        const status = taken.has(id) ? 'duplicate' : 'appended'
        taken.set(id, data.a)
        return { status, id, position: taken.size, stream: 's', revision: 0 }
      })
    },
  }
  return { intake, values: () => [...taken.values()], head: () => taken.size }
}

/** An intake that counts what it was handed, and may be made to wait. */
export function watched(
  intake: Intake,
  before: (submitted: number) => Promise<void> | void = () => undefined,
) {
  const seen = { events: 0 }
  const wrapped: Intake = {
    async submit(batch, context) {
      await before(seen.events)
      seen.events += batch.length
      return intake.submit(batch, context)
    },
  }
  return { intake: wrapped, seen }
}
