import { createLatencyRecorder } from '../load/latency.ts'
import { median } from '../main/findings.ts'
import { type CheckedLog, LOG_NAME, openCheckedLog } from './checked-log.ts'
import { type BenchEvent, createEventMaker } from './events.ts'
import { type LogFindings, shown } from './findings.ts'
import type { LogLab } from './lab.ts'
import type { Contender } from './peers/peer.ts'
import { rawPeer } from './peers/raw.ts'
import { interleave, medianRatio, rateOf } from './rounds.ts'

/** One event a commit, one writer who waits for each, against the same bytes written by hand. */
export async function measureSingles(lab: LogLab, findings: LogFindings): Promise<void> {
  const { rounds, events } = lab.plan.single
  const log = await openCheckedLog(lab.place('singles'))
  lab.onClose(() => log.close())
  const raw = rawPeer(lab.place('singles-raw')).contender
  lab.onClose(raw.close)
  const maker = createEventMaker(events)
  const waiting: Contender = { ...log, inFlight: 1 }
  const rates = await interleave(
    [waiting, raw],
    rounds,
    (round) => Array.from({ length: events }, (_, i) => [maker.make(round * events + i)]),
    (contender, batches) => rateOf(contender, batches, lab.clock),
    lab.share(),
  )
  const ratio = medianRatio(rates, LOG_NAME, raw.name)
  if (ratio !== undefined) findings.measured.set('single', { value: ratio })
  const rate = (name: string): string => shown(median(rates.get(name) ?? []) ?? 0)
  findings.notes.push(
    `One event a commit: ${rate(LOG_NAME)} commits/s; the same bytes by write + fdatasync alone ${rate(raw.name)}/s.`,
  )
}

const WRITERS = 64

/** 64 writers, each of whom waits for its one event before it sends the next. */
export async function measureWriters(lab: LogLab, findings: LogFindings): Promise<void> {
  const { windows, windowMs } = lab.plan.writers
  const log = await openCheckedLog(lab.place('writers'))
  lab.onClose(() => log.close())
  const maker = createEventMaker(1_000_000)
  const rates: number[] = []
  const latency = createLatencyRecorder()
  let k = 0
  const next = (): BenchEvent => maker.make(k++)
  for (let window = 0; window <= windows && !lab.aborted; window++) {
    const counts = window > 0
    const rate = await runWriters(lab, log, next, windowMs, (ms) => {
      if (counts) latency.record(ms)
    })
    if (counts) rates.push(rate)
  }
  const rate = median(rates)
  if (rate === undefined) return
  const { p50, p99, max } = latency.summary()
  findings.measured.set('writers', { value: rate })
  findings.measured.set('writersP99', { value: p99 })
  findings.notes.push(
    `64 writers: p50 ${shown(p50)} ms, p99 ${shown(p99)} ms, max ${shown(max)} ms, over ${windows} windows.`,
  )
}

/** Events per second. */
async function runWriters(
  lab: LogLab,
  log: CheckedLog,
  next: () => BenchEvent,
  windowMs: number,
  onAppended: (ms: number) => void,
): Promise<number> {
  const startMs = lab.clock.monotonicMs()
  let events = 0
  const write = async (): Promise<void> => {
    for (;;) {
      const fromMs = lab.clock.monotonicMs()
      if (fromMs - startMs >= windowMs) return
      await log.append([next()], 0)
      onAppended(lab.clock.monotonicMs() - fromMs)
      events++
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, write))
  return (events * 1_000) / (lab.clock.monotonicMs() - startMs)
}
