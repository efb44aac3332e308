import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { giveWay } from '../../engine/give-way.ts'
import { openSqliteSnapshot } from '../../engine/store/sqlite-snapshot.ts'
import { failureText } from '../failure-place.ts'
import { type Found, findDuplicates } from './find.ts'
import type { DuplicatesMessage, DuplicatesWorkerData } from './thread.ts'

/** One search for duplicates on a thread of its own: it reads the read models and nothing else. */
const port = parentPort
assert(port !== null, 'runs as a worker thread')
const { storePath, decided, limits }: DuplicatesWorkerData = workerData
const tell = (message: DuplicatesMessage): void => port.postMessage(message)

const PART = 200

try {
  giveWay()
  const onProgress = (progress: Extract<DuplicatesMessage, { kind: 'progress' }>['progress']) =>
    tell({ kind: 'progress', progress })
  tellAll(findDuplicates(openSqliteSnapshot(storePath), { limits, decided, onProgress }))
} catch (error) {
  tell({ kind: 'failed', message: failureText(error) })
}

function tellAll({ candidates, members, ...found }: Found): void {
  for (let from = 0; from < candidates.length; from += PART) {
    const part = candidates.slice(from, from + PART)
    const named = new Set(part.flatMap(({ a, b }) => [a, b]))
    tell({
      kind: 'part',
      candidates: part,
      members: new Map([...named].map((id) => [id, members.get(id) ?? [id]])),
    })
  }
  tell({ kind: 'found', found })
}
