import { join } from 'node:path'
import type { Clock } from '../engine/clock.ts'
import type { EngineIntake } from '../engine/intake/intake.ts'
import type { EmbeddedLog } from '../engine/log/embedded/embedded.ts'
import type { BuildsMode } from '../engine/projector/builds.ts'
import type { Progress } from '../engine/projector/projector.ts'
import { openSqliteReader } from '../engine/store/sqlite-reader.ts'
import type { StoreReader } from '../engine/store/store.ts'
import { projections } from '../projections/catalog.ts'
import { createErasingReads } from './erasing-reads.ts'
import { createLiveRows, type LiveRows } from './live-rows.ts'
import { watchPressure } from './pressure.ts'
import { startProjector } from './projector-thread.ts'
import { readSpecs } from './served-projections.ts'
import { createVersionOrders } from './versions/orders.ts'

interface FollowOptions {
  readonly directory: string
  readonly masterKey: Uint8Array | undefined
  readonly clock: Clock
  readonly builds?: BuildsMode | undefined
  readonly onProgress: (progress: Progress) => void
  readonly onNotice: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** The thread that makes the read models out of the log, and what is asked of it. */
export function followLog(
  options: FollowOptions,
  log: EmbeddedLog,
  intake: EngineIntake,
  paths: { readonly storePath: string; readonly keysDirectory: string; readonly fresh: SharedArrayBuffer },
  onServing: () => void,
) {
  let progress: Progress = { position: 0, received: 0, nextDue: undefined, events: 0, commitMs: 0 }
  let isBuilding = false
  let failure: string | undefined
  let reading: number | undefined
  let reader: StoreReader | undefined
  let live: ReturnType<typeof createLiveRows> | undefined
  const ready = Promise.withResolvers<void>()
  const deadline = deadlineTimer(options.clock, intake)
  const pressure = watchPressure()
  const thread = startProjector(
    {
      logDirectory: join(options.directory, 'log'),
      headSignal: log.headSignal,
      storePath: paths.storePath,
      keysDirectory: paths.keysDirectory,
      fresh: paths.fresh,
      masterKey: options.masterKey,
      pressure: pressure.shared,
      builds: options.builds ?? 'auto',
    },
    (message) => {
      switch (message.kind) {
        case 'building':
        case 'progress':
          isBuilding = message.kind === 'building'
          progress = message.progress
          options.onProgress(progress)
          ready.resolve()
          reader?.notifyPosition(progress.position)
          deadline.at(progress.nextDue)
          break
        case 'reading':
          reading = message.position
          break
        case 'read':
          live?.answered(message.id, message.found)
          break
        case 'forgot':
        case 'erased':
          erasing.answered(message)
          break
        case 'order_progress':
        case 'ordered':
          ordering.answered(message)
          break
        case 'build':
          if (message.state === 'serving') onServing()
          options.onNotice(
            message.state === 'foreign' ? 'warn' : 'info',
            message.state === 'foreign'
              ? 'the read models do not follow from this log: they are folded anew'
              : `read model ${message.build}: ${message.state}`,
          )
          break
        case 'notice':
          options.onNotice('warn', message.message)
          break
        case 'failed':
          failure = message.message
          options.onNotice('error', `the projector has stopped: ${message.message}`)
          erasing.end(`the projector has stopped: ${message.message}`)
          ordering.end(`the projector has stopped: ${message.message}`)
          ready.resolve()
          break
      }
    },
  )
  const erasing = createErasingReads((order) => thread.tell(order))
  const ordering = createVersionOrders((order) => thread.tell(order))
  return {
    orders: ordering.orders,
    erasing: erasing.reads,
    progress: () => ({
      ...{ position: progress.position, received: progress.received, failure, reading },
      isBuilding,
    }),
    async openReader(): Promise<{ readonly store: StoreReader; readonly liveRows: LiveRows }> {
      // The file and its tables are there once the projector has reported for the first time.
      await ready.promise
      reader = openSqliteReader(paths.storePath, {
        specs: readSpecs(projections),
        onWait: (position) => thread.tell({ kind: 'hurry', position }),
      })
      live = createLiveRows({
        store: reader,
        committed: () => progress.position,
        ask: (order) => thread.tell(order),
      })
      return { store: reader, liveRows: live.rows }
    },
    async stop(): Promise<void> {
      deadline.at(undefined)
      erasing.end('the engine is stopping')
      ordering.end('the engine is stopping')
      pressure.close()
      await thread.stop()
    },
  }
}

/** On an idle log nothing moves now(P) past a deadline, so the engine itself appends a tick. */
function deadlineTimer(clock: Clock, intake: EngineIntake) {
  let timer: NodeJS.Timeout | undefined
  let wanted: number | undefined
  const wait = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void tick(), Math.min(Math.max(ms, 0), MAX_TIMER_MS))
    timer.unref()
  }
  const tick = async (): Promise<void> => {
    const due = wanted
    if (due === undefined) return
    if (clock.nowMs() < due) return wait(due - clock.nowMs())
    const { status } = await intake.record({ type: 'clock.advanced', id: `clock-${due}`, data: {} })
    // Refused for now (a full disk, a clock that jumped): the deadline stays due.
    if (status === 'refused' && wanted === due) wait(RETRY_TICK_MS)
  }
  return {
    at(due: number | undefined): void {
      wanted = due
      if (due === undefined) clearTimeout(timer)
      else wait(due - clock.nowMs())
    },
  }
}

/** The longest that Node's timers can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1
const RETRY_TICK_MS = 1_000
