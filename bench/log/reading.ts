import assert from 'node:assert/strict'
import type { EmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { createLatencyRecorder, type LatencySummary } from '../load/latency.ts'
import { median } from '../main/findings.ts'
import { type CheckedLog, openCheckedLog } from './checked-log.ts'
import { createEventMaker, PERSON_EVENTS, personId, populationOf, TYPES } from './events.ts'
import { type LogFindings, shown } from './findings.ts'
import type { LogLab } from './lab.ts'

/** Sequential reading, everything decoded; one type of ten; one person's events. */
export async function measureReads(lab: LogLab, findings: LogFindings): Promise<void> {
  const { rounds, events } = lab.plan.read
  const plain = await plainLog(lab, events)
  const { rate, ratio } = await readRates(lab, plain.log, rounds)
  await plain.close()
  if (rate !== undefined) findings.measured.set('read', { value: rate })
  if (ratio !== undefined) findings.measured.set('skip', { value: ratio })
  const { log } = await lab.large()
  const compressed = await readRates(lab, log, COMPRESSED_ROUNDS)
  findings.notes.push(
    `Reads: ${shown(events)} events in segments that aren't compressed, files in the page cache; every event's envelope and data are decoded. One type of ten, mixed within blocks, goes over the same events. The first as many of the large log, whose sealed segments are compressed as they are by default: ${shown(compressed.rate ?? 0)} events/s, skipping ${shown(compressed.ratio ?? 0)} times as fast.`,
  )
  await measurePeople(lab, log, findings)
}

const COMPRESSED_ROUNDS = 2

async function plainLog(lab: LogLab, events: number): Promise<CheckedLog> {
  const log = await openCheckedLog(lab.place('plain'), { compression: 'off' })
  lab.onClose(() => log.close())
  await lab.fill(log, createEventMaker(events), 0, events)
  await lab.settled(log)
  return log
}

/** Medians of events per second, and of the time for all against that for one type. */
async function readRates(
  lab: LogLab,
  log: EmbeddedLog,
  rounds: number,
): Promise<{ readonly rate: number | undefined; readonly ratio: number | undefined }> {
  const { events } = lab.plan.read
  const rates: number[] = []
  const ratios: number[] = []
  const one = new Set<string>([TYPES[3]])
  const enough = lab.share()
  for (let round = 0; round <= rounds && !(round > 1 && enough()); round++) {
    const allMs = await readMs(lab, log, events, undefined)
    const oneMs = await readMs(lab, log, events, one)
    if (round === 0) continue
    rates.push((events * 1_000) / allMs)
    ratios.push(allMs / oneMs)
  }
  return { rate: median(rates), ratio: median(ratios) }
}

/** Milliseconds to read the first so many positions; touches what decoding is put off until. */
async function readMs(
  lab: LogLab,
  log: EmbeddedLog,
  events: number,
  types: ReadonlySet<string> | undefined,
): Promise<number> {
  const wanted = types === undefined ? events : events / TYPES.length
  let seen = 0
  let touched = 0
  const startMs = lab.clock.monotonicMs()
  for await (const batch of log.read({ limit: wanted, types })) {
    for (const event of batch) {
      touched += event.id.length + event.stream.length + event.time + event.identities.length
      if (Object.keys(event.data).length > 0) seen++
    }
  }
  const ms = lab.clock.monotonicMs() - startMs
  assert(seen === wanted && touched > 0, 'every event is there with its data')
  return ms
}

const PRIME = 7_919

async function measurePeople(lab: LogLab, log: EmbeddedLog, findings: LogFindings): Promise<void> {
  const { events } = lab.plan.growth
  const { visitors, spread } = populationOf(events)
  const visiting = await personLatency(lab, log, visitors)
  const scattered = await personLatency(lab, log, spread)
  const insteadUnit = `ms, out of ${events.toLocaleString('en-US')} events`
  findings.measured.set('person', { value: visiting.p99, ...(lab.plan.quick ? { insteadUnit } : {}) })
  const shownOf = ({ p50, p99, max }: LatencySummary): string =>
    `p50 ${shown(p50)} ms, p99 ${shown(p99)} ms, max ${shown(max)} ms`
  findings.notes.push(
    `A person's ${PERSON_EVENTS} events out of ${shown(events)}, of ${visiting.count} people each read once: in ten visits of ten events within a thousand positions ${shownOf(visiting)} (the figure); spread evenly over the whole log, each in another block, ${shownOf(scattered)}.`,
  )
}

/** Of reading all events of people between two numbers. */
async function personLatency(
  lab: LogLab,
  log: EmbeddedLog,
  [from, until]: readonly [number, number],
): Promise<LatencySummary> {
  const latency = createLatencyRecorder()
  const enough = lab.share()
  for (let i = 0; i < lab.plan.read.people && !enough(); i++) {
    const id = personId(from + ((i * PRIME) % (until - from)))
    let seen = 0
    const startMs = lab.clock.monotonicMs()
    for await (const batch of log.readIdentity(id, { limit: PERSON_EVENTS })) {
      for (const event of batch) if (Object.keys(event.data).length > 0) seen++
    }
    latency.record(lab.clock.monotonicMs() - startMs)
    assert(seen === PERSON_EVENTS, "all of a person's events are there")
  }
  return latency.summary()
}
