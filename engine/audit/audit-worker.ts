import assert from 'node:assert/strict'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { systemFiles } from '../log/embedded/files.ts'
import { openEmbeddedReader } from '../log/embedded/reader.ts'
import { AuditUnavailable } from './audit.ts'
import type { AuditMessage, AuditOrder, AuditRequest, AuditWorkerData } from './audit-thread.ts'
import { Auditor } from './auditor.ts'
import { parseSignerKey } from './note.ts'

/** The thread that hashes the log and answers with proofs. */

assert.ok(parentPort !== null, 'this module is started as a worker')
const port = parentPort
const data: AuditWorkerData = workerData
const tell = (message: AuditMessage): void => port.postMessage(message)
const signer = parseSignerKey(data.signingKey)
assert.ok(signer !== undefined, 'the key was checked before the thread was started')

const log = openEmbeddedReader(data.logDirectory, data.headSignal)
const auditor = new Auditor({
  log,
  directory: join(data.auditDirectory),
  files: systemFiles,
  signer,
  clock: systemClock,
  onHead: (head) => tell({ kind: 'head', head }),
  onRefusal: (refusal) => tell({ kind: 'refusal', refusal }),
  onProgress: (progress) => tell({ kind: 'progress', progress }),
})

port.on('message', (order: AuditOrder) => {
  if (order.kind === 'close') {
    auditor.close()
    void running.then(close)
  } else {
    void answer(order)
  }
})

// Not behind others, as the upkeep is: a tree head that is late leaves that much of the log unproven.
const running = auditor.run().catch((error: unknown) => {
  tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
})

async function close(): Promise<void> {
  await log.close()
  port.close()
}

async function answer(order: AuditRequest): Promise<void> {
  try {
    tell({ kind: 'answer', id: order.id, value: await answerTo(order) })
  } catch (error) {
    const code = error instanceof AuditUnavailable ? error.code : 'stopped'
    tell({
      kind: 'unavailable',
      id: order.id,
      code,
      message: error instanceof Error ? error.message : String(error),
    })
  }
}

function answerTo(order: AuditRequest): unknown {
  const { prover } = auditor
  switch (order.kind) {
    case 'inclusion':
      return prover.proveInclusion(order.position, order.size)
    case 'consistency':
      return prover.proveConsistency(order.fromSize, order.toSize)
    case 'tile':
      return prover.tile(order.path)
  }
}
