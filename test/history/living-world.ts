import type { AddressInfo } from 'node:net'
import type * as E from 'fp-ts/lib/Either.js'
import { publishedOf } from '../../api/history/configuration.ts'
import type { PastLimits } from '../../api/past/kept.ts'
import { memoryPastBuilder } from '../../api/past/memory-builder.ts'
import type { PastBuilder } from '../../api/past/past.ts'
import { createPasts } from '../../api/past/pasts.ts'
import { publishedConfiguration } from '../../api/published-configuration.ts'
import { readSpecs, servedProjections } from '../../api/served-projections.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import type { BuildsMode } from '../../engine/projector/builds.ts'
import { createProjector } from '../../engine/projector/projector.ts'
import type { OrderRefusal, Switched } from '../../engine/projector/versions.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import { projections } from '../../projections/catalog.ts'
import { AS_READER, createWorld, READ_TOKEN, WRITE_KEY } from '../api/world.ts'
import { intakeWorld } from '../support/intake-world.ts'

interface LivingOptions {
  readonly limits?: Partial<PastLimits> | undefined
  /** Puts something before the builds of the past. */
  readonly builder?: ((builder: PastBuilder) => PastBuilder) | undefined
  readonly builds?: BuildsMode | undefined
  /** The api isn't told when another build serves. */
  readonly isDeaf?: boolean | undefined
}

/** The whole engine over memory, live: what is sent is folded and served over HTTP. */
export async function livingWorld({ limits, builder = (same) => same, builds, isDeaf }: LivingOptions = {}) {
  const engine = intakeWorld()
  const store = createMemoryStore()
  const reader = store.reader(readSpecs(projections))
  const open = (event: RecordedEvent) => openEvent(event, engine.keyStore, registry)
  const stopping = new AbortController()
  const catalogue = new Map(projections.map((projection) => [projection.name, projection]))
  const servingAnew = () =>
    servedProjections({
      ...{ catalogue: projections, store: reader, head: () => engine.log.head() },
      published: publishedOf({ log: engine.log, projections: catalogue, openEvent: open }),
      onFailure: (error) => {
        if (!stopping.signal.aborted) throw error
      },
    })
  const serving = servingAnew()
  const projector = createProjector({
    builds,
    log: engine.log,
    store: store.writer,
    projections,
    rules: DEFAULT_RULES,
    clock: engine.clock,
    open,
    onCommit: ({ position }) => reader.notifyPosition(position),
    onBuild: (_, state) => {
      if (state === 'serving' && !isDeaf) void serving.refresh()
    },
  })
  const projecting = projector.run(stopping.signal)
  const { log, clock } = engine
  const building = builder(memoryPastBuilder({ log, clock, projections, open }))
  const past = createPasts({ log, clock, limits, builder: building })
  const world = await createWorld({
    past,
    intake: engine.intake,
    log: engine.log,
    clock,
    store: reader,
    directory: engine.keyStore,
    projections: serving.projections,
    ...{ catalogue, serving },
    openEvent: open,
    publishedConfiguration: publishedConfiguration(engine.log, projections, open),
  })
  await world.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = world.app.server.address() as AddressInfo
  return {
    engine,
    deps: world.deps,
    past,
    serving,
    /** As a process has it that has only just begun. */
    servingAnew,
    /** Lets the build that waits serve. */
    switchTo: (kind: 'switch' | 'rollback', projection: string) =>
      new Promise<E.Either<OrderRefusal, Switched>>((done) => projector.order({ kind, projection, done })),
    /** What the command line finds the engine by. */
    env: {
      PATH: process.env.PATH ?? '',
      HEADWATER_URL: `http://127.0.0.1:${port}`,
      HEADWATER_WRITE_KEY: WRITE_KEY,
      HEADWATER_READ_TOKEN: READ_TOKEN,
    },
    /** Sends events, each at its time, and waits until they are served. */
    async send(...events: readonly object[]): Promise<void> {
      const results = await engine.send(...events)
      const refused = results.filter(({ status }) => status !== 'appended' && status !== 'duplicate')
      if (refused.length > 0) throw new Error(JSON.stringify(refused))
      await this.settled()
    },
    async settled(): Promise<void> {
      if (!(await reader.waitFor(engine.log.head().position, 5_000))) throw new Error('the views are behind')
    },
    inject: (url: string, headers: Record<string, string> = {}) =>
      world.app.inject({ url, headers: { ...AS_READER, ...headers } }),
    async ask(url: string, body: object) {
      const payload = JSON.stringify(body)
      const headers = { ...AS_READER, 'content-type': 'application/json' }
      const answer = await world.app.inject({ method: 'POST', url, headers, payload })
      return { status: answer.statusCode, body: answer.json() }
    },
    async read(url: string) {
      const answer = await world.app.inject({ url, headers: AS_READER })
      return { status: answer.statusCode, body: answer.json() }
    },
    async close(): Promise<void> {
      await world.close()
      await past.close()
      stopping.abort()
      await projecting
      await reader.close()
      await engine.close()
    },
  }
}

export type LivingWorld = Awaited<ReturnType<typeof livingWorld>>

/** `web` and `erp` disagree about Jane's phone; on 1 June a shared tablet makes one person of Jane and Bob. */
export function janeAndBob(): readonly object[] {
  const at = (time: string, id: string, source: string, type: string, data: object) => ({
    ...{ id, source, type, time, data },
  })
  const web = (time: string, id: string, anonymousId: string, traits: object) =>
    at(time, id, 'web', 'cdp.identify', { anonymousId, traits })
  const jane = 'jane@example.com'
  const bob = 'bob@example.com'
  return [
    at('2025-01-01T00:00:00Z', 's1', 'erp', 'source.registered', { source: 'erp', priority: 1 }),
    at('2025-01-01T00:00:00Z', 's2', 'web', 'source.registered', { source: 'web', priority: 2 }),
    web('2025-02-01T10:00:00Z', 'j1', 'jane-browser', { email: jane, plan: 'gold' }),
    web('2025-06-11T10:00:00Z', 'j2', 'jane-browser', { email: jane, phone: '+442079460999' }),
    at('2025-05-02T10:00:00Z', 'j3', 'erp', 'order.placed', {
      ...{ order_id: 'O1', customer_id: '17850', email: jane, phone: '+442079460018' },
      ...{ total: '12.50', currency: 'GBP' },
    }),
    at('2025-02-02T10:00:00Z', 'b1', 'crm', 'lead.created', { lead_id: "O'Neil", email: bob, name: 'Bob' }),
    web('2025-06-01T10:00:00Z', 't1', 'tablet', { email: jane }),
    web('2025-06-01T11:00:00Z', 't2', 'tablet', { email: bob }),
  ]
}
