import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { Progress } from '../../engine/projector/projector.ts'
import { createProjector } from '../../engine/projector/projector.ts'
import type { MemoryStore } from '../../engine/store/memory.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import { projections as catalogue } from '../../projections/catalog.ts'
import type { IntakeWorld } from './intake-world.ts'

/** Read models over an intake world's log, whose projector a test starts and stops as often as it likes. */
export function projectorWorld(world: IntakeWorld, projections: readonly AnyProjection[] = catalogue) {
  const store: MemoryStore = createMemoryStore()
  const specs = projections.map(({ name, table, under }) => ({
    projection: name,
    table,
    isExtensible: under !== undefined,
  }))
  const reader = store.reader(specs)
  const builds: string[] = []
  let last: Progress | undefined
  return {
    store,
    reader,
    /** `name: building` and `name: serving`, in order. */
    builds,
    progress: () => last,
    /** Folds up to the head. A start builds what the stop before left unbuilt, so it takes two. */
    async foldAll(of: IntakeWorld = world): Promise<void> {
      await this.foldTo(of.log.head().position, of)
      await this.foldTo(of.log.head().position, of)
    },
    /** Stops as soon as `position` is committed, whatever should follow from it. */
    async foldTo(position: number, of: IntakeWorld = world): Promise<void> {
      const stopping = new AbortController()
      const running = createProjector({
        log: of.log,
        store: store.writer,
        projections,
        rules: DEFAULT_RULES,
        clock: of.clock,
        open: (event) => openEvent(event, of.keyStore, registry),
        onCommit: (progress) => {
          last = progress
          if (progress.position >= position) stopping.abort()
        },
        onBuild: (build, state) => builds.push(`${build.split('__')[0]}: ${state}`),
      }).run(stopping.signal)
      await running
    },
    /** Every row of every read model, in a form that compares. */
    async rows(): Promise<Record<string, readonly StoredRow[]>> {
      const all: Record<string, readonly StoredRow[]> = {}
      for (const { name } of projections) all[name] = await rowsOf(name)
      return all
    },
    rowsOf,
    close: () => reader.close(),
  }

  async function rowsOf(projection: string): Promise<readonly StoredRow[]> {
    const rows: StoredRow[] = []
    let cursor: string | undefined
    do {
      const { value } = await reader.list({ projection, limit: 500, cursor })
      rows.push(...value.rows)
      cursor = value.next
    } while (cursor !== undefined)
    return rows
  }
}

export type ProjectorWorld = ReturnType<typeof projectorWorld>
