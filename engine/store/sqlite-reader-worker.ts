import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { SqliteConnection } from './sqlite-connection.ts'
import type { Job, JobResult, WorkerData } from './sqlite-protocol.ts'

/**
 * Runs queries on a thread of its own. The file is opened when first asked for, and again after a failure or when
 * another has taken its place.
 */

const BUSY_TIMEOUT_MS = 5_000

let connection: SqliteConnection | undefined

function answer(path: string, job: Job): JobResult {
  const { id } = job
  try {
    if (connection?.isReplaced()) {
      connection.close()
      connection = undefined
    }
    connection ??= new SqliteConnection(path, BUSY_TIMEOUT_MS)
    return { id, ...connection.run(job) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    if (why === 'integer overflow') return { id, kind: 'overflow' }
    connection?.close()
    connection = undefined
    return { id, kind: 'unavailable', why }
  }
}

const port = parentPort
assert(port !== null, 'this file runs as a worker')
const { path }: WorkerData = workerData
port.on('message', (message: Job | 'close') => {
  if (message !== 'close') {
    port.postMessage(answer(path, message))
    return
  }
  connection?.close()
  port.close()
})
