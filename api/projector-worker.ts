import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import * as E from 'fp-ts/lib/Either.js'
import { systemClock } from '../engine/clock.ts'
import { registry } from '../engine/events/registry.ts'
import { giveWay } from '../engine/give-way.ts'
import { DEFAULT_RULES } from '../engine/identity/identity.ts'
import { openEmbeddedReader } from '../engine/log/embedded/reader.ts'
import type { LogReader } from '../engine/log/log.ts'
import { freshParts } from '../engine/privacy/fresh-parts.ts'
import { LazyEvent } from '../engine/privacy/lazy-event.ts'
import { type KeyReader, openOpener } from '../engine/privacy/opener.ts'
import type { LiveAnswer } from '../engine/projector/live-reads.ts'
import { createProjector, type Projector } from '../engine/projector/projector.ts'
import type { RebuildProgress } from '../engine/projector/versions.ts'
import { isDiskFull } from '../engine/store/disk-full.ts'
import { type Checkpoints, startCheckpoints } from '../engine/store/sqlite-checkpoints.ts'
import { removeSqliteStore, StoreUnusable } from '../engine/store/sqlite-failure.ts'
import { openSqliteWriter } from '../engine/store/sqlite-writer.ts'
import type { StoreWriter } from '../engine/store/store.ts'
import { projections } from '../projections/catalog.ts'
import { failureText } from './failure-place.ts'
import { isUnderPressure } from './pressure.ts'
import type { ProjectorMessage, ProjectorOrder, ProjectorWorkerData, ReadOrder } from './projector-thread.ts'
import { tellingReads } from './reading-progress.ts'
import type { OrderOutcome, VersionOrderMessage } from './versions/orders.ts'

/** The projector's own thread: log and keys read-only, the read models as their one writer. */
const port = parentPort
assert(port !== null, 'runs as a worker thread')
const data: ProjectorWorkerData = workerData
const tell = (message: ProjectorMessage): void => port.postMessage(message)

const stopping = new AbortController()
let keys: KeyReader | undefined
let projector: Projector | undefined

port.on('message', (order: ProjectorOrder) => {
  switch (order.kind) {
    case 'stop':
      stopping.abort()
      break
    case 'forget':
      for (const owner of order.owners) keys?.forget(owner)
      tell({ kind: 'forgot', id: order.id })
      break
    case 'erase':
      erasings.set(order.id, order.positions)
      erase(order.id, order.positions)
      break
    case 'read':
      read(order)
      break
    case 'order':
      carryOut(order)
      break
    case 'hurry':
      projector?.hurry(order.position)
      break
  }
})

function read({ id, projections, key, after, withinMs }: ReadOrder): void {
  const answer = (found: LiveAnswer | undefined): void => tell({ kind: 'read', id, found })
  if (projector === undefined) answer(undefined)
  else projector.read({ projections, key, after, withinMs, answer })
}

/** Those not carried out yet: a projector that ended for want of room leaves them to the next one. */
const erasings = new Map<number, readonly number[]>()

function erase(id: number, positions: readonly number[]): void {
  projector?.erase({
    positions,
    done: (erased) => {
      erasings.delete(id)
      tell({ kind: 'erased', id, erased })
    },
  })
}

/** Those under way: one whose projector ends, for want of room say, is not tried again. */
const orders = new Set<number>()

function carryOut({ id, order }: VersionOrderMessage): void {
  const done = (outcome: OrderOutcome): void => {
    if (orders.delete(id)) tell({ kind: 'ordered', id, outcome })
  }
  orders.add(id)
  if (projector === undefined) endOrders()
  else if (order.kind !== 'rebuild') projector.order({ ...order, done })
  else {
    const onProgress = (progress: RebuildProgress): void => tell({ kind: 'order_progress', id, progress })
    projector.order({ ...order, onProgress, done })
  }
}

function endOrders(): void {
  const why = 'the read models are not being followed for now'
  for (const id of orders) tell({ kind: 'ordered', id, outcome: E.left({ _tag: 'Ended', why }) })
  orders.clear()
}

/** How long a full disk is waited for before the next try. */
const NO_ROOM_MS = 1_000

try {
  giveWay()
  await project()
} catch (error) {
  tell({ kind: 'failed', message: failureText(error) })
} finally {
  port.close()
}

async function project(): Promise<void> {
  const reader = openEmbeddedReader(data.logDirectory, data.headSignal)
  const log = tellingReads(reader, systemClock, (position) => tell({ kind: 'reading', position }))
  const opener = openOpener(data.keysDirectory, {
    masterKey: data.masterKey,
    fresh: freshParts(data.fresh),
    readsAhead: true,
  })
  keys = opener
  try {
    while (!stopping.signal.aborted && !(await projectWhileRoom(log, opener))) {
      tell({ kind: 'notice', message: 'the disk is full: the read models wait for room' })
      await sleep(NO_ROOM_MS, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  } finally {
    opener.close()
    await log.close()
  }
}

/** False if the disk was full: what the last commit holds is what the next try begins with. */
async function projectWhileRoom(log: LogReader, opener: KeyReader): Promise<boolean> {
  const checkpoints = startCheckpoints(data.storePath)
  let store: StoreWriter | undefined
  try {
    store = openStore(checkpoints)
    projector = createProjector({
      log,
      store,
      projections,
      rules: DEFAULT_RULES,
      clock: systemClock,
      builds: data.builds,
      isUnderPressure: () => isUnderPressure(data.pressure),
      open: (event) => new LazyEvent(event, opener, registry),
      onCommit: (progress) => tell({ kind: 'progress', progress }),
      onBuilding: (progress) => tell({ kind: 'building', progress }),
      onBuild: (build, state) => tell({ kind: 'build', build, state }),
    })
    for (const [id, positions] of erasings) erase(id, positions)
    await projector.run(stopping.signal)
    return true
  } catch (error) {
    if (isDiskFull(error)) return false
    throw error
  } finally {
    projector = undefined
    endOrders()
    store?.close()
    // The next try may remove the file: a copy still under way then would spoil the one that takes its place.
    await checkpoints.close()
  }
}

/** Read models that can't be read are folded again from the log: nothing else is lost with them. */
function openStore(checkpoints: Checkpoints): StoreWriter {
  try {
    return openSqliteWriter(data.storePath, checkpoints)
  } catch (error) {
    if (!(error instanceof StoreUnusable)) throw error
    tell({
      kind: 'notice',
      message: `the read models are ${error.reason}: they are folded again from the log`,
    })
    removeSqliteStore(data.storePath)
    return openSqliteWriter(data.storePath, checkpoints)
  }
}
