/**
 * Theorem: what the simulation once found stays mended. Each test is one of its failures in the few steps that it takes.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { createProjector } from '../../engine/projector/projector.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { projections } from '../../projections/catalog.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'

const worlds: IntakeWorld[] = []
const world = (): IntakeWorld => {
  const made = intakeWorld()
  worlds.push(made)
  return made
}

afterEach(async () => {
  for (const each of worlds.splice(0)) await each.close()
})

const identify = (id: string, traits: object) => ({
  ...{ id, source: 'web', type: 'cdp.identify' },
  data: { userId: 'u1', traits },
})

describe('found by the simulation', () => {
  test('an erased person is refused under one id with two contents: both are acknowledged as quarantined', async () => {
    const engine = world()
    await engine.sendOne(identify('1', { first_name: 'Ann' }))
    const id = engine.keyStore.find('user', 'u1')
    if (id === undefined) throw new Error('whoever was sent is known')
    await engine.keyStore.destroyOwner([id])
    const first = await engine.sendOne(identify('2', { first_name: 'Ann' }))
    // Its body isn't kept, so the refusal has the same name; sizes differ all the same.
    const second = await engine.sendOne(identify('2', { first_name: 'Ann', last_name: 'Quillfeather' }))
    expect(first).toMatchObject({ status: 'quarantined', reason: 'suppressed' })
    expect(second).toEqual(first)
  })

  test('an event that can’t be opened doesn’t stop an erasure', async () => {
    const engine = world()
    await engine.send(identify('1', { first_name: 'Ann' }), identify('2', {}))
    const stopping = new AbortController()
    const folded = Promise.withResolvers<void>()
    const projector = createProjector({
      ...{ log: engine.log, store: createMemoryStore().writer, projections, clock: engine.clock },
      rules: DEFAULT_RULES,
      open(event) {
        if (event.id === '1') throw new Error('a part that was changed')
        return openEvent(event, engine.keyStore, registry)
      },
      onCommit: ({ position }) => position === 2 && folded.resolve(),
      onBuild: () => undefined,
    })
    const running = projector.run(stopping.signal)
    await folded.promise
    const erased = new Promise<number>((resolve) =>
      projector.erase({ positions: [1, 2], done: ({ keys }) => resolve(keys) }),
    )
    // What the second one has touched.
    expect(await Promise.race([erased, running])).toBeGreaterThan(0)
    stopping.abort()
    await running
  })
})
