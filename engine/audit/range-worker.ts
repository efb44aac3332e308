import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { openEmbeddedReader } from '../log/embedded/reader.ts'
import { HASH_BYTES } from './format.ts'
import { hashRange, type RangeAnswer, type RangeOrder } from './hashed-ranges.ts'
import { AuditLog } from './log-source.ts'

/** A thread that hashes ranges of a log for whoever checks it. */

assert.ok(parentPort !== null, 'this module is started as a worker')
const port = parentPort
const directory: string = workerData
const log = new AuditLog(openEmbeddedReader(directory))

port.on('message', (order: RangeOrder) => {
  const { entries, leafHashes, position, damage } = hashRange(log, order)
  const answer: RangeAnswer = {
    entries: memoryOf(entries),
    leafHashes: memoryOf(leafHashes),
    events: leafHashes.length / HASH_BYTES,
    position,
    damaged: damage !== undefined,
  }
  port.postMessage(answer, [answer.entries, answer.leafHashes])
})

function memoryOf({ buffer, byteOffset }: Uint8Array): ArrayBuffer {
  assert.ok(buffer instanceof ArrayBuffer && byteOffset === 0, 'the memory is the range’s own')
  return buffer
}
