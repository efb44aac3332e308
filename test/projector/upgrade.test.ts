/**
 * Theorem: where a program begins whose read models are of other versions, and there is much to fold, whoever starts it
 * hears of it before they are folded, and nobody is told that they are caught up; until they serve, rows of the release
 * before are answered, and states that only it understands are not.
 */
import { expect, test } from 'vitest'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import { createProjector } from '../../engine/projector/projector.ts'
import { StoreQueryError } from '../../engine/store/store.ts'
import { profile } from '../../projections/cdp/profile.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { projectorWorld } from '../support/projector-world.ts'

const next = { version: profile.version + 1 }
const newer = {
  ...profile,
  ...next,
  under: (config: Configuration) => ({
    ...projectionUnder(profile as AnyProjection, config),
    ...next,
    under: undefined,
  }),
} as AnyProjection

async function told(bulkEvents: number) {
  const world = intakeWorld()
  for (let n = 0; n < 5; n++)
    await world.send({
      id: `e${n}`,
      source: 'web',
      type: 'cdp.identify',
      data: { userId: 'u', traits: { name: `n${n}` } },
    })
  const before = projectorWorld(world, [profile])
  await before.foldAll()
  const specs = [{ projection: 'profile', statesOf: newer.version, table: newer.table }]
  const reader = before.store.reader(specs)
  const heard: unknown[] = []
  const stopping = new AbortController()
  const key = String((await reader.list({ projection: 'profile', limit: 1 })).value.rows[0]?.key)
  const asked: Promise<unknown>[] = []
  await createProjector({
    ...{
      log: world.log,
      store: before.store.writer,
      projections: [newer],
      rules: DEFAULT_RULES,
      clock: world.clock,
    },
    bulkEvents,
    open: (event) => openEvent(event, world.keyStore, registry),
    onCommit: () => {
      heard.push('committed')
      stopping.abort()
    },
    onBuilding: () => heard.push('told'),
    onBuild: (_, state) => {
      heard.push(state)
      if (state !== 'building') return
      asked.push(reader.get(['profile'], key).then(({ value }) => value.rows.get('profile')?.[0]?.row.name))
      asked.push(reader.states('profile', key).catch((error) => error))
    },
  }).run(stopping.signal)
  const [name, refused] = await Promise.all(asked)
  const after = await reader.states('profile', key)
  await world.close()
  return { heard, name, refused, after }
}

test('with much to fold it is told first, and what is there serves meanwhile', async () => {
  const { heard, name, refused, after } = await told(5)
  expect(heard).toEqual(['told', 'building', 'serving', 'committed'])
  expect(name).toBe('n4')
  expect(refused).toBeInstanceOf(StoreQueryError)
  expect(refused).toMatchObject({ failure: { _tag: 'NotServing', projection: 'profile' } })
  expect(after.value).toHaveLength(1)
})

test('with little to fold nobody is told before it is done', async () => {
  const { heard } = await told(7)
  expect(heard).toEqual(['building', 'serving', 'committed'])
})
