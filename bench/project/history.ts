import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { systemClock } from '../../engine/clock.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { LazyEvent } from '../../engine/privacy/lazy-event.ts'
import { openOpener } from '../../engine/privacy/opener.ts'
import type { AnyProjection, DecodedEvent } from '../../engine/projector/projection.ts'
import { createProjector, type Projector, type ProjectorOptions } from '../../engine/projector/projector.ts'
import { projections } from '../../projections/catalog.ts'
import type { Folded } from './child.ts'

/** A data directory's log with what opens its events, for a process that only reads. */
export async function openHistory(directory: string) {
  const opened = await openEmbeddedLog(join(directory, 'log'), { workspace: 'default' })
  if (E.isLeft(opened)) throw new Error(opened.left._tag)
  const log = opened.right
  const opener = openOpener(join(directory, 'keys'), { readsAhead: true })
  return {
    log,
    open: (event: RecordedEvent): DecodedEvent => new LazyEvent(event, opener, registry),
    close: async (): Promise<void> => {
      opener.close()
      await log.close()
    },
  }
}

/** `all`, or the one of this name. */
export function chosenProjections(name: string): readonly AnyProjection[] {
  return name === 'all' ? projections : projections.filter((projection) => projection.name === name)
}

/** The projector that the engine runs, over a history. */
export function projectorOf(
  name: string,
  options: Pick<ProjectorOptions, 'log' | 'store' | 'open' | 'onCommit'>,
): Projector {
  return createProjector({
    ...options,
    projections: chosenProjections(name),
    rules: DEFAULT_RULES,
    clock: systemClock,
    onBuild: () => undefined,
  })
}

/** Measures what the rest of this process does until `events` are folded. */
export function stopwatch(): (events: number) => Folded {
  const startMs = systemClock.monotonicMs()
  const before = process.cpuUsage()
  return (events) => {
    const { user, system } = process.cpuUsage(before)
    const rssMb = process.resourceUsage().maxRSS / 1_000
    return { events, ms: systemClock.monotonicMs() - startMs, cpuMs: (user + system) / 1_000, rssMb }
  }
}
