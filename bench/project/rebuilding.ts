import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { shown } from '../log/findings.ts'
import { median } from '../main/findings.ts'
import type { Measured } from '../report.ts'
import { type Folded, runChild } from './child.ts'
import type { ProjectFindings } from './figures.ts'
import type { ProjectLab } from './lab.ts'
import { ASKED_EVENTS } from './plan.ts'

/** Counts by the envelope, one row a day and type. */
const ONE = 'daily_events'
/** One small state for each person. */
export const ONE_BY_PERSON = 'active_people'

/** The whole catalogue, folded in memory and rebuilt into a store in turns; then one projection. */
export async function measureRebuilds(lab: ProjectLab, findings: ProjectFindings): Promise<void> {
  const { plan, signal } = lab
  const directory = await lab.data()
  const folded: Folded[] = []
  const rebuilt: Folded[] = []
  for (let round = 0; round < plan.rounds; round++) {
    folded.push(await runChild('fold-child.ts', [directory, 'all'], signal))
    rebuilt.push(await runChild('rebuild-child.ts', [directory, 'all', lab.newStore()], signal))
  }
  const all = median(rebuilt.map(perS))
  const fold = median(folded.map(perS))
  const ratio = median(rebuilt.map((each, round) => perS(each) / perS(folded[round] ?? each)))
  if (all === undefined || fold === undefined || ratio === undefined) return
  findings.measured.set('all', ofEvents(all, 'events/s', plan.log.events))
  const rssMb = Math.max(...rebuilt.map((each) => each.rssMb))
  findings.measured.set('rss', ofEvents(rssMb, 'MB', plan.log.events))
  findings.measured.set('vsFold', { value: ratio })
  findings.notes.push(
    `The whole catalogue in memory: ${folded.map(perS).map(shown).join(', ')} events/s (${shown(cpuUs(folded))} µs of CPU an event); rebuilt into a new store, identities included: ${rebuilt.map(perS).map(shown).join(', ')} events/s (${shown(cpuUs(rebuilt))} µs).`,
  )
  await measureOne(lab, findings)
}

async function measureOne(lab: ProjectLab, findings: ProjectFindings): Promise<void> {
  const { plan, signal } = lab
  const directory = await lab.data()
  const store = lab.newStore()
  const whole = await runChild('rebuild-child.ts', [directory, ONE, store], signal)
  const folded: Folded[] = []
  for (let round = 0; round < plan.oneRounds; round++)
    folded.push(await runChild('beside-child.ts', [directory, ONE, store], signal))
  const rate = median(folded.map(perS))
  if (rate === undefined) return
  findings.measured.set('one', ofEvents(rate, 'events/s', plan.log.events))
  findings.notes.push(
    `${ONE} beside the build that serves, compared with it and switched to: ${folded.map(perS).map(shown).join(', ')} events/s (${shown(cpuUs(folded))} µs of CPU an event); alone in a new store, identities included: ${shown(perS(whole))}.`,
  )
}

/** Of one projection, rebuilt again and again. */
export async function ratesOf(lab: ProjectLab, projection: string): Promise<readonly number[]> {
  const rates: number[] = []
  for (let round = 0; round < lab.plan.oneRounds; round++) {
    const store = join(lab.directory, 'one.sqlite')
    rates.push(perS(await runChild('rebuild-child.ts', [await lab.data(), projection, store], lab.signal)))
    for (const end of ['', '-wal', '-shm']) rmSync(`${store}${end}`, { force: true })
  }
  return rates
}

function ofEvents(value: number, unit: string, events: number): Measured {
  return events >= ASKED_EVENTS ? { value } : { value, insteadUnit: `${unit}, of ${shown(events)} events` }
}

function perS({ events, ms }: Folded): number {
  return (events / ms) * 1_000
}

function cpuUs(all: readonly Folded[]): number {
  return median(all.map(({ cpuMs, events }) => (cpuMs * 1_000) / events)) ?? 0
}
