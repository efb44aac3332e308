import { publishedConfiguration } from '../../api/published-configuration.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { projections } from '../../projections/catalog.ts'
import { AS_READER, createWorld } from '../api/world.ts'
import { caughtUp, openAt, send, temporaryDirectory } from '../erasure/support.ts'

/** A whole engine on a directory of its own, asked over HTTP, with every part that has routes. */
export async function servedEngine(change: NonNullable<Parameters<typeof openAt>[1]> = {}) {
  const directory = temporaryDirectory()
  const { engine } = await openAt(directory.path, change)
  const open = (event: RecordedEvent) => openEvent(event, engine.keyStore, registry)
  const world = await createWorld({
    configuration: {
      ...{ host: '127.0.0.1', allowedHosts: [], bodyLimitBytes: 1_000_000 },
      ...{ afterWaitMs: 30_000, pageLimit: 100 },
    },
    ...{ intake: engine.intake, log: engine.log, store: engine.store, liveRows: engine.liveRows },
    ...{ past: engine.past, versions: engine.versions, audit: engine.audit, erasures: engine.erasures },
    ...{ duplicates: engine.duplicates ?? 'off', directory: engine.keyStore, openEvent: open },
    ...{ projections: engine.serving.projections, catalogue: engine.catalogue, serving: engine.serving },
    pulls: { status: async () => [] },
    publishedConfiguration: publishedConfiguration(engine.log, projections, open),
  })
  return {
    engine,
    app: world.app,
    async send(...events: readonly object[]): Promise<void> {
      const results = await send(engine, ...events)
      const refused = results.filter(({ status }) => status !== 'appended')
      if (refused.length > 0) throw new Error(JSON.stringify(refused))
      await caughtUp(engine)
    },
    async read(url: string) {
      const answer = await world.app.inject({ url, headers: AS_READER })
      return { status: answer.statusCode, body: answer.json(), text: answer.body }
    },
    async close(): Promise<void> {
      await world.close()
      await engine.stop()
      directory.remove()
    },
  }
}
