import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { CheckpointWorkerData } from './sqlite-checkpoints.ts'

const BUSY_TIMEOUT_MS = 100

const port = parentPort
assert(port !== null, 'this file runs as a worker')
const { path }: CheckpointWorkerData = workerData

/** Of a connection that is closed again: one that stayed open would hold a file that may be removed. */
function checkpoint(): void {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    db.exec('PRAGMA synchronous = NORMAL')
    // Neither readers nor the writer wait for it; what they are in the way of is left for the next time.
    db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
  } finally {
    db.close()
  }
}

port.on('message', (order: 'checkpoint' | 'close') => {
  if (order === 'close') {
    port.close()
    return
  }
  try {
    checkpoint()
  } catch {
    // A full disk, say: the writer hears of it by itself, and does the work where this can't.
  }
})
