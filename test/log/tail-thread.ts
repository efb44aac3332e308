import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { openEmbeddedReader } from '../../engine/log/embedded/reader.ts'

/** Follows a log from a thread of its own, and posts the positions that it sees. */
assert.ok(parentPort !== null)
const port = parentPort
const { directory, signal, from } = workerData
const reader = openEmbeddedReader(directory, signal)
const abort = new AbortController()
port.once('message', () => abort.abort())
port.postMessage('ready')
for await (const batch of reader.subscribe({ from, signal: abort.signal })) {
  port.postMessage(batch.map((event) => [event.position, event.data.n]))
}
await reader.close()
port.postMessage('ended')
