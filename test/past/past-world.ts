import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { toPlain } from '../../engine/log/recorded.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { counts, type Moment } from '../../engine/projector/asof.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import { foldPast } from '../../engine/projector/past-fold.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import type { StoredRow, StoreReader } from '../../engine/store/store.ts'
import { projections } from '../../projections/catalog.ts'
import type { Told } from '../history/story.ts'
import type { IntakeWorld } from '../support/intake-world.ts'

export const SPECS = projections.map(({ name, table }) => ({ projection: name, table }))

/** Sends a story and answers what the log then holds. */
export async function tell(world: IntakeWorld, told: readonly Told[]): Promise<readonly RecordedEvent[]> {
  for (const { event, afterMs } of told) {
    world.clock.advance(afterMs)
    await world.sendOne(event)
  }
  const events: RecordedEvent[] = []
  for await (const batch of world.log.read()) events.push(...batch.map(toPlain))
  return events
}

export function openOf(world: IntakeWorld) {
  return (event: RecordedEvent) => openEvent(event, world.keyStore, registry)
}

/** Every read model as of a moment, folded from the whole log with windows and commits as small as asked for. */
export async function foldedAt(
  world: IntakeWorld,
  moment: Moment,
  size: number,
  wanted: readonly AnyProjection[] = projections,
): Promise<StoreReader> {
  const store = createMemoryStore()
  const open = openOf(world)
  const config = new ConfigurationState()
  const types = new Set<string>(projections.flatMap(({ configuredBy }) => configuredBy)).add(
    'rules.published',
  )
  for await (const batch of world.log.read({ types }))
    for (const event of batch) if (counts(moment, event)) config.apply(open(event))
  const { clock, log } = world
  const signal = new AbortController().signal
  const fixed = { log, store: store.writer, rules: DEFAULT_RULES, open, clock, signal }
  await foldPast({
    ...fixed,
    projections: wanted,
    moment,
    config,
    commitEvents: size,
    windowEvents: size,
    stagedBytes: size * 1_000,
  })
  return store.reader(SPECS)
}

export async function allRows(reader: StoreReader, projection: string): Promise<readonly StoredRow[]> {
  const rows: StoredRow[] = []
  let cursor: string | undefined
  do {
    const { value } = await reader.list({ projection, limit: 500, cursor })
    rows.push(...value.rows)
    cursor = value.next
  } while (cursor !== undefined)
  return rows
}
