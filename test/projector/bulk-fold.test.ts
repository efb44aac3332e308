/**
 * Theorem: builds that are folded in bulk, with whatever room for what is staged, hold what one commit after the other
 * would have come to: rows, states, deadlines, membership and what is set aside; the fold goes on from there as from any
 * other place; and one that is stopped on the way leaves nothing that a later start would take for whole.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { LogReader } from '../../engine/log/log.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { Grouping } from '../../engine/projector/build-fold.ts'
import { foldHistory } from '../../engine/projector/bulk-fold.ts'
import { Committer } from '../../engine/projector/committer.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import { createProjector } from '../../engine/projector/projector.ts'
import { StagedStates } from '../../engine/projector/staged-states.ts'
import type { MemoryStore } from '../../engine/store/memory.ts'
import { projections } from '../../projections/catalog.ts'
import { type IntakeWorld, intakeWorld, NOON } from '../support/intake-world.ts'
import { projectorWorld } from '../support/projector-world.ts'
import { SENT } from '../support/sent-events.ts'

/** Leads that must be answered in time: what only a deadline changes. */
const LEADS = [1, 2, 3].map((n) => ({
  type: 'lead.created',
  source: 'crm',
  time: new Date(NOON).toISOString(),
  data: { lead_id: `l${n}` },
}))
const ASSIGNED = fc.integer({ min: 1, max: 3 }).map((n) => ({
  type: 'lead.assigned',
  source: 'crm',
  time: new Date(NOON).toISOString(),
  data: { lead_id: `l${n}`, owner: 'Zane', respond_by: new Date(NOON + n * 3_600_000).toISOString() },
}))
const EVENTS = fc.array(fc.oneof({ weight: 5, arbitrary: SENT }, { weight: 1, arbitrary: ASSIGNED }), {
  minLength: 10,
  maxLength: 40,
})

function sendAll(world: IntakeWorld, sent: readonly object[]) {
  return world.send(...sent.map((event, n) => ({ ...event, id: `e${n}` })))
}

/** Folds a store's history in bulk, and then what follows; `stopAt`: after so many batches of events were opened. */
async function catchUp(world: IntakeWorld, store: MemoryStore, stopAt?: number): Promise<void> {
  const stopping = new AbortController()
  let opened = 0
  await createProjector({
    log: world.log,
    store: store.writer,
    projections,
    rules: DEFAULT_RULES,
    clock: world.clock,
    bulkEvents: 1,
    open: (event) => {
      opened += 1
      if (opened === stopAt) stopping.abort()
      return openEvent(event, world.keyStore, registry)
    },
    onCommit: ({ position }) => {
      if (position >= world.log.head().position) stopping.abort()
    },
    onBuild: () => undefined,
  }).run(stopping.signal)
}

describe('a new store', () => {
  test('is caught up in bulk to what commits one after the other come to, and follows on from there', async () => {
    await fc.assert(
      fc.asyncProperty(EVENTS, fc.array(SENT), fc.nat(60), async (first, second, stopAt) => {
        const world = intakeWorld()
        await sendAll(world, [...LEADS, ...first])
        const bulk = projectorWorld(world)
        await catchUp(world, bulk.store, stopAt)
        await catchUp(world, bulk.store)
        await world.send(...second.map((event, n) => ({ ...event, id: `f${n}` })))
        await bulk.foldAll()
        const plain = projectorWorld(world)
        await plain.foldAll()
        expect(await bulk.rows()).toEqual(await plain.rows())
        expect(bulk.store.writer.nextDue()).toBe(plain.store.writer.nextDue())
        await world.close()
      }),
      { numRuns: 8 },
    )
  })
})

/** So that there is a batch after each event. */
function oneByOne(log: LogReader): LogReader {
  return {
    head: () => log.head(),
    at: (position) => log.at(position),
    readBackwards: (options) => log.readBackwards(options),
    close: () => log.close(),
    subscribe: (options) => log.subscribe(options),
    async *read(options) {
      for await (const batch of log.read(options)) for (const event of batch) yield [event]
    },
  }
}

describe('a build', () => {
  /** States that a fold keeps in memory, at the least. */
  const MORE_THAN_REMEMBERED = 2_200
  const ALONE: Grouping = { profileOf: (id) => id, membersOf: (id) => [id] }

  async function folded(world: IntakeWorld, stagedBytes: number, stageEvents = 1) {
    const views = projectorWorld(world)
    const { writer } = views.store
    const config = new ConfigurationState()
    const builds = projections.map((projection) => {
      const { name, version, table } = projection
      const build = `${name}__v${version}_0`
      writer.createBuild({ projection: name, build, version, configuration: '0', table })
      return { projection, build, config }
    })
    const { log, keyStore, clock } = world
    const folds = await foldHistory(builds, {
      log: oneByOne(log),
      open: (event) => openEvent(event, keyStore, registry),
      store: writer,
      committer: new Committer(writer, clock),
      grouping: ALONE,
      until: { ...log.head(), mark: 'm' },
      signal: new AbortController().signal,
      stageEvents,
      stagedBytes,
    })
    expect(folds?.length).toBe(builds.length)
    for (const { build } of builds) writer.serve(build)
    expect(writer.checkpoint()).toEqual({ ...log.head(), mark: 'm' })
    return { rows: await views.rows(), nextDue: writer.nextDue() }
  }

  test('that is written whenever anything is staged comes to the same as one that is written once', async () => {
    await fc.assert(
      fc.asyncProperty(EVENTS, async (sent) => {
        const world = intakeWorld()
        await sendAll(world, sent)
        expect(await folded(world, 0)).toEqual(await folded(world, 1e9))
        await world.close()
      }),
      { numRuns: 15 },
    )
  })

  test('reads back what it has written and doesn’t remember', async () => {
    const world = intakeWorld()
    const people = Array.from({ length: MORE_THAN_REMEMBERED }, (_, n) => `u${n}`)
    for (const pass of ['a', 'b'])
      await world.send(
        ...people.map((userId, n) => ({
          id: `${pass}${n}`,
          type: 'cdp.identify',
          data: { userId, traits: { [pass]: n } },
        })),
      )
    const { rows } = await folded(world, 0, 500)
    const traits = rows['profile']?.map(({ row }) => row['traits'])
    expect(traits?.length).toBe(MORE_THAN_REMEMBERED)
    for (const each of traits ?? []) expect(Object.keys(Object(each)).sort()).toEqual(['a', 'b'])
    await world.close()
  })
})

test('staged states are what was put last, whatever moved to larger slots or into freed ones', () => {
  const puts = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 0, max: 5_000 })), {
    maxLength: 200,
    size: 'max',
  })
  fc.assert(
    fc.property(puts, (all) => {
      const staged = new StagedStates()
      const model = new Map<string, Uint8Array>()
      for (const [n, [key, length]] of all.entries()) {
        const state = new Uint8Array(length).fill(n)
        staged.put(`k${key}`, state)
        model.set(`k${key}`, state)
        expect(staged.get('nobody')).toBeUndefined()
      }
      expect(staged.keys()).toEqual([...model.keys()].sort())
      for (const [key, state] of model) expect(staged.get(key)).toEqual(state)
    }),
    { numRuns: 50 },
  )
})
