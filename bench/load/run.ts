import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../engine/clock.ts'
import type { Publisher } from '../../engine/intake/nats/publisher.ts'
import { startClosedLoop } from './closed-loop.ts'
import { EventLoad, type Span } from './event-load.ts'
import { type HttpClient, openHttp } from './http-client.ts'
import { watchLag } from './lag.ts'
import { type OpenLoop, startOpenLoop } from './open-loop.ts'
import { startProbes } from './probes.ts'
import type { EventsOrder, Run, RunReport } from './protocol.ts'
import { startQueries } from './queries.ts'
import type { TapeReader } from './tape.ts'

/** What a run needs of the generator's process. */
export interface RunContext {
  readonly publisher: Publisher
  readonly tape: TapeReader
  readonly httpPort: number
  readonly readToken: string
  readonly clock: Clock
  /** Where events go that name no other way. */
  readonly subject: string
  /** Unlike any other run's, so that ids differ. */
  readonly number: number
  readonly tell: (
    message: { kind: 'measuring' | 'measured' } | { kind: 'progress'; acknowledged: number },
  ) => void
}

const PROGRESS_MS = 100
const PROBE_CONNECTIONS = 64

const wait = (ms: number, then: () => void): void => {
  setTimeout(then, ms)
}

/** Runs one load to its end and says what came of it. */
export async function runLoad(run: Run, context: RunContext): Promise<RunReport> {
  const { clock } = context
  const clients = await openClients(run, context)
  try {
    const span: Span = {
      fromMs: clock.monotonicMs() + run.warmUpMs,
      windowMs: run.windowMs,
      windows: run.windows,
    }
    return await measure(run, context, span, clients)
  } finally {
    for (const client of Object.values(clients)) client?.close()
  }
}

interface Clients {
  readonly lag: HttpClient | undefined
  readonly probes: HttpClient | undefined
  readonly queries: HttpClient | undefined
}

async function openClients(run: Run, context: RunContext): Promise<Clients> {
  const open = (wanted: boolean, connections: number): Promise<HttpClient> | undefined =>
    wanted
      ? openHttp({ host: '127.0.0.1', port: context.httpPort, connections, token: context.readToken })
      : undefined
  return {
    lag: await open(run.lagEveryMs !== undefined, 1),
    probes: await open(run.probes !== undefined, PROBE_CONNECTIONS),
    queries: await open(run.queries !== undefined, run.queries?.connections ?? 0),
  }
}

async function measure(run: Run, context: RunContext, span: Span, clients: Clients): Promise<RunReport> {
  const { clock } = context
  const load = new EventLoad({ ...context, perMessage: run.events.perMessage, span })
  const side = startSideLoads(run, context, span, clients)
  const events = startEvents(run, load, context)
  const ending = createEnding()
  void events.finished.then(() => {
    if (load.tapeEnded) ending.early('tape')
  })
  const onTooLong = (): void => ending.early('lag')
  const lag = watchLag({ ...run, http: clients.lag, load, clock, fromMs: span.fromMs, onTooLong })
  const progress = watchProgress(run, context, load, ending)
  const generatorBusy = await passWindows(run, context, ending.signal)
  const endedMs = clock.monotonicMs()
  lag.stop()
  clearInterval(progress)
  // Closed loops have no end of their own, and a run that was ended early wants none of what was left.
  if (run.events.mode === 'closed' || ending.signal.aborted) events.stop()
  if (run.queries?.ratePerS === undefined || ending.signal.aborted) side.queries?.loop.stop()
  const neverSent = await finishAll([events, side.probes?.loop, side.queries?.loop], run.graceMs)
  return {
    windows: completeWindows(load.eventsByWindow, span, endedMs),
    ...load.finish(neverSent[0] ?? []),
    acknowledged: load.acknowledged,
    refused: load.refused,
    quarantined: load.quarantined,
    lag: lag.samples,
    probes: side.probes?.report(neverSent[1] ?? []),
    queries: side.queries?.report(neverSent[2] ?? []),
    endedEarly: ending.why(),
    generatorBusy,
  }
}

/** Ends a run before its time, for the first reason that comes up. */
function createEnding() {
  const controller = new AbortController()
  let reason: RunReport['endedEarly']
  return {
    signal: controller.signal,
    why: () => reason,
    early(why: RunReport['endedEarly']): void {
      reason ??= why
      controller.abort()
    },
  }
}

function watchProgress(
  run: Run,
  { tell }: RunContext,
  load: EventLoad,
  ending: ReturnType<typeof createEnding>,
): NodeJS.Timeout {
  return setInterval(() => {
    tell({ kind: 'progress', acknowledged: load.acknowledged })
    if (run.maxEvents !== undefined && load.acknowledged >= run.maxEvents) ending.early('events')
  }, PROGRESS_MS)
}

/** Lets warm-up and windows pass; the share of the windows in which our event loop was busy. */
async function passWindows(run: Run, { tell }: RunContext, signal: AbortSignal): Promise<number> {
  await sleepUnless(run.warmUpMs, signal)
  tell({ kind: 'measuring' })
  const before = performance.eventLoopUtilization()
  await sleepUnless(run.windowMs * run.windows, signal)
  const { utilization } = performance.eventLoopUtilization(before)
  tell({ kind: 'measured' })
  return utilization
}

function startEvents(run: Run, load: EventLoad, { clock }: RunContext): OpenLoop {
  const { events } = run
  switch (events.mode) {
    case 'closed':
      return startClosedLoop(events.inFlight, (done) => load.post(clock.monotonicMs(), done))
    case 'open': {
      const ratePerS = messagesPerS(events)
      return startOpenLoop({
        clock,
        wait,
        ratePerS,
        count: countOf(run, ratePerS),
        maxInFlight: events.maxInFlight,
        send: (_, intendedMs, done) => load.post(intendedMs, done),
      })
    }
  }
}

/** Events of one batch of the tape. */
export const BATCH_EVENTS = 100

function messagesPerS(events: Extract<EventsOrder, { mode: 'open' }>): number {
  return events.perMessage === 'one' ? events.eventsPerS : events.eventsPerS / BATCH_EVENTS
}

function countOf(run: Run, ratePerS: number): number {
  return Math.ceil(((run.warmUpMs + run.windows * run.windowMs) / 1_000) * ratePerS)
}

function startSideLoads(run: Run, context: RunContext, span: Span, clients: Clients) {
  const common = { ...context, wait, span }
  const { probes, queries } = run
  return {
    probes:
      probes !== undefined && clients.probes !== undefined
        ? startProbes({ ...common, ...probes, http: clients.probes, count: countOf(run, probes.ratePerS) })
        : undefined,
    queries:
      queries !== undefined && clients.queries !== undefined
        ? startQueries({
            ...common,
            ...queries,
            http: clients.queries,
            ratePerS: queries.ratePerS,
            count: countOf(run, queries.ratePerS ?? 0),
          })
        : undefined,
  }
}

/** An open loop may still send what was due and couldn't be sent; after the grace it is given up, and counted. */
async function finishAll(
  loops: readonly (OpenLoop | undefined)[],
  graceMs: number,
): Promise<readonly (readonly number[] | undefined)[]> {
  const finished = Promise.all(loops.map((loop) => loop?.finished))
  await Promise.race([finished, sleep(graceMs, undefined, { ref: false })])
  const neverSent = loops.map((loop) => loop?.stop())
  await Promise.race([finished, sleep(graceMs, undefined, { ref: false })])
  return neverSent
}

/** Ends at once, and quietly, when the signal aborts. */
async function sleepUnless(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

function completeWindows(events: readonly number[], span: Span, endedMs: number): RunReport['windows'] {
  return events
    .map((count) => ({ events: count, ms: span.windowMs }))
    .filter((_, index) => span.fromMs + (index + 1) * span.windowMs <= endedMs)
}
