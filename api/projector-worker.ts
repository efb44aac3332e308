import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../engine/clock.ts'
import { registry } from '../engine/events/registry.ts'
import { DEFAULT_RULES } from '../engine/identity/identity.ts'
import { openEmbeddedReader } from '../engine/log/embedded/reader.ts'
import { openOpener } from '../engine/privacy/opener.ts'
import { openEvent } from '../engine/privacy/sealing.ts'
import { runProjector } from '../engine/projector/projector.ts'
import { openSqliteWriter } from '../engine/store/sqlite-writer.ts'
import { projections } from '../projections/catalog.ts'
import type { ProjectorMessage, ProjectorOrder, ProjectorWorkerData } from './projector-thread.ts'

/** The projector's own thread: log and keys read-only, the read models as their one writer. */
const port = parentPort
assert(port !== null, 'runs as a worker thread')
const data: ProjectorWorkerData = workerData
const tell = (message: ProjectorMessage): void => port.postMessage(message)

const log = openEmbeddedReader(data.logDirectory, data.headSignal)
const keys = openOpener(data.keysDirectory, { masterKey: data.masterKey })
const store = openSqliteWriter(data.storePath)
const stopping = new AbortController()

port.on('message', (order: ProjectorOrder) => {
  switch (order.kind) {
    case 'stop':
      stopping.abort()
      break
    case 'forget':
      keys.forget(order.owner)
      break
  }
})

try {
  await runProjector(
    {
      log,
      store,
      projections,
      rules: DEFAULT_RULES,
      clock: systemClock,
      open: (event) => openEvent(event, keys, registry),
      onCommit: (progress) => tell({ kind: 'progress', progress }),
      onBuild: (build, state) => tell({ kind: 'build', build, state }),
    },
    stopping.signal,
  )
} catch (error) {
  // The message of a damaged log or a full disk names files and positions, never data.
  tell({
    kind: 'failed',
    message: error instanceof Error ? `${error.name}: ${error.message}` : 'unknown error',
  })
} finally {
  store.close()
  keys.close()
  await log.close()
  port.close()
}
