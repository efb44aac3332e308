/**
 * Theorem: whatever the log holds of configuration already is followed at once, so that many definitions in a row fold what
 * they concern once: where a projector that follows meets the first of them, and where one begins behind them all. What it
 * comes to is what one that takes them one by one comes to.
 */
import { expect, test } from 'vitest'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { createProjector } from '../../engine/projector/projector.ts'
import { lead } from '../../projections/crm/lead.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'
import { type ProjectorWorld, projectorWorld } from '../support/projector-world.ts'

const FIELDS = Array.from({ length: 30 }, (_, n) => `size_${n}`)
const VIEWS = [lead as AnyProjection]

const leadEvent = (n: number) => ({
  ...{ id: `l${n}`, source: 'crm', type: 'lead.created' },
  data: { lead_id: `l${n}`, ...Object.fromEntries(FIELDS.map((field) => [field, n])) },
})

const definitionOf = (field: string) => ({
  ...{ id: field, source: 'crm', type: 'field.defined' },
  data: { field_id: `lead.${field}`, object: 'lead', field, type: 'integer' },
})

async function definedOneByOne(): Promise<ProjectorWorld> {
  const world = intakeWorld()
  const views = projectorWorld(world, VIEWS)
  await world.send(leadEvent(1))
  await views.foldAll()
  for (const field of FIELDS) {
    await world.send(definitionOf(field))
    await views.foldAll()
  }
  await world.send(leadEvent(2))
  await views.foldAll()
  return views
}

async function shown(views: ProjectorWorld): Promise<readonly unknown[]> {
  const rows = (await views.rowsOf('lead')).map(({ row }) => [
    row.lead_id,
    ...FIELDS.map((field) => row[field]),
  ])
  return rows.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}

/** Follows the log until it holds `until`, and tells how often builds were made. */
async function followed(
  world: IntakeWorld,
  views: ProjectorWorld,
  then: () => Promise<void>,
): Promise<number> {
  const stopping = new AbortController()
  let built = 0
  let sent: Promise<void> | undefined
  await createProjector({
    ...{
      log: world.log,
      store: views.store.writer,
      projections: VIEWS,
      rules: DEFAULT_RULES,
      clock: world.clock,
    },
    open: (event) => openEvent(event, world.keyStore, registry),
    onCommit: ({ position }) => {
      if (sent === undefined) sent = then()
      else if (position === FIELDS.length + 2) stopping.abort()
    },
    onBuild: (_, state) => {
      if (state === 'building') built += 1
    },
  }).run(stopping.signal)
  await sent
  return built
}

test('thirty definitions at once are one build, of a projector that follows and of one that begins', async () => {
  const wanted = [
    ['l1', ...FIELDS.map(() => 1)],
    ['l2', ...FIELDS.map(() => 2)],
  ]
  expect(await shown(await definedOneByOne())).toEqual(wanted)

  const following = intakeWorld()
  const views = projectorWorld(following, VIEWS)
  await following.send(leadEvent(1))
  await views.foldAll()
  const built = await followed(following, views, async () => {
    await following.send(...FIELDS.map(definitionOf), leadEvent(2))
  })
  expect(built).toBe(1)
  expect(await shown(views)).toEqual(wanted)

  const beginning = intakeWorld()
  const later = projectorWorld(beginning, VIEWS)
  await beginning.send(leadEvent(1))
  await later.foldAll()
  for (const field of FIELDS) await beginning.send(definitionOf(field))
  await beginning.send(leadEvent(2))
  later.builds.length = 0
  await later.foldAll()
  expect(later.builds).toEqual(['lead: building', 'lead: serving'])
  expect(await shown(later)).toEqual(wanted)
})
