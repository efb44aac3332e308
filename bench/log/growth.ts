import { rmSync } from 'node:fs'
import { median } from '../main/findings.ts'
import { openCheckedLog } from './checked-log.ts'
import { BATCH_EVENTS, createEventMaker } from './events.ts'
import { type LogFindings, shown } from './findings.ts'
import { batchesOf, type LogLab } from './lab.ts'
import { SMALL_LOG_EVENTS } from './plan.ts'
import { rateOf } from './rounds.ts'

/** Appends to a log that has grown large against appends to a small one, slice by slice in turn. */
export async function measureGrowth(lab: LogLab, findings: LogFindings): Promise<void> {
  const { rounds, batches, events } = lab.plan.growth
  const startMs = lab.clock.monotonicMs()
  const large = await lab.large()
  const buildMs = lab.clock.monotonicMs() - startMs
  const slice = batches * BATCH_EVENTS
  const ratios: number[] = []
  const rates: number[] = []
  const enough = lab.share()
  for (let round = 0; round <= rounds && !(round > 1 && enough()); round++) {
    const onLarge = async (): Promise<number> =>
      rateOf(large, batchesOf(lab.maker, events + round * slice, batches), lab.clock)
    const onSmall = (): Promise<number> => smallRate(lab, round, batches)
    const first = round % 2 === 0 ? await onLarge() : await onSmall()
    const second = round % 2 === 0 ? await onSmall() : await onLarge()
    const [largeRate, smallerRate] = round % 2 === 0 ? [first, second] : [second, first]
    if (round === 0) continue
    rates.push(largeRate)
    ratios.push(largeRate / smallerRate)
  }
  const ratio = median(ratios)
  if (ratio === undefined) return
  const insteadUnit = `ratio, ${events.toLocaleString('en-US')} events against ${SMALL_LOG_EVENTS.toLocaleString('en-US')}`
  findings.measured.set('growth', { value: ratio, ...(lab.plan.quick ? { insteadUnit } : {}) })
  await lab.settled(large)
  const indexBytes = large.log.indexBytes()
  const stored = large.log.head().position
  findings.measured.set('duplicateBytes', { value: indexBytes / stored })
  const megabytes = (bytes: number): string => shown(bytes / 1e6)
  findings.notes.push(
    `The large log had ${shown(events)} events (built in ${shown(buildMs / 1_000)} s, event making included) and took ${shown(median(rates) ?? 0)} events/s; the memory of its index (ids, streams and identities together, sealed segments indexed) is ${megabytes(indexBytes)} MB.`,
  )
}

async function smallRate(lab: LogLab, round: number, batches: number): Promise<number> {
  const directory = lab.place(`small-${round}`)
  const small = await openCheckedLog(directory)
  try {
    const maker = createEventMaker(SMALL_LOG_EVENTS)
    await lab.fill(small, maker, 0, SMALL_LOG_EVENTS)
    return await rateOf(small, batchesOf(maker, SMALL_LOG_EVENTS, batches), lab.clock)
  } finally {
    await small.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
