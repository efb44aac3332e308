import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../engine/clock.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import { registry } from '../../engine/events/registry.ts'
import { giveWay } from '../../engine/give-way.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'
import type { LogReader } from '../../engine/log/log.ts'
import { LazyEvent } from '../../engine/privacy/lazy-event.ts'
import { type KeyReader, openOpener } from '../../engine/privacy/opener.ts'
import { foldPast } from '../../engine/projector/past-fold.ts'
import { isDiskFull } from '../../engine/store/disk-full.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import { projections } from '../../projections/catalog.ts'
import { failureText } from '../failure-place.ts'
import { configurationHistory } from '../history/configuration.ts'
import { type PastMessage, type PastWorkerData, sizeBytesOf } from './thread-builder.ts'

/** Read models as of a moment, folded on a thread of their own: log and keys read-only, a new file written. */
const port = parentPort
assert(port !== null, 'runs as a worker thread')
const data: PastWorkerData = workerData
const tell = (message: PastMessage): void => port.postMessage(message)

/** Ends a build whose file has become too large. */
const tooLarge = new AbortController()

try {
  giveWay()
  await build()
} catch (error) {
  const failure = isDiskFull(error)
    ? ({ _tag: 'DiskFull' } as const)
    : ({ _tag: 'Broken', message: failureText(error) } as const)
  tell({ kind: 'failed', failure })
}

async function build(): Promise<void> {
  const log = openEmbeddedReader(data.logDirectory, data.headSignal)
  const keys = openOpener(data.keysDirectory, { masterKey: data.masterKey })
  try {
    const isWhole = await foldInto(log, keys)
    if (isWhole && !isTooLarge()) tell({ kind: 'built' })
    else tell({ kind: 'failed', failure: { _tag: 'TooLarge', limitBytes: data.limitBytes } })
  } finally {
    keys.close()
    await log.close()
  }
}

async function foldInto(log: LogReader, keys: KeyReader): Promise<boolean> {
  const wanted = projections.filter(({ name }) => data.projections.includes(name))
  const open = (event: RecordedEvent) => new LazyEvent(event, keys, registry)
  const { moment } = data
  const config = await configurationHistory(log, wanted, open)(moment)
  const store = openSqliteWriter(data.storePath)
  const { signal } = tooLarge
  const folding = { log, store, projections: wanted, rules: DEFAULT_RULES, open, clock: systemClock, signal }
  try {
    return await foldPast({ ...folding, moment, config, onProgress: progressed })
  } finally {
    store.close()
  }
}

function progressed(position: number): void {
  tell({ kind: 'progress', position })
  if (isTooLarge()) tooLarge.abort()
}

function isTooLarge(): boolean {
  return sizeBytesOf(data.storePath) > data.limitBytes
}
