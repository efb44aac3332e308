import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { shown } from '../log/findings.ts'
import { median } from '../main/findings.ts'
import { type Lived, runChild } from './child.ts'
import type { Order } from './deliveries.ts'
import type { ProjectFindings } from './figures.ts'
import type { ProjectLab } from './lab.ts'

/** The whole engine, sent events as they happened and as systems send them, in turns. */
export async function measureLive(lab: ProjectLab, findings: ProjectFindings): Promise<void> {
  const { rounds } = lab.plan.live
  const ratios: number[] = []
  const rates: Record<Order, number[]> = { clean: [], dirty: [] }
  for (let round = 0; round < rounds; round++) {
    const clean = await lived(lab, 'clean')
    const dirty = await lived(lab, 'dirty')
    for (const { different } of [clean, dirty])
      if (different.length > 0)
        throw new Error(`not what the same events come to in the order of time: ${different.join(', ')}`)
    rates.clean.push(perS(clean))
    rates.dirty.push(perS(dirty))
    ratios.push(perS(dirty) / perS(clean))
  }
  const ratio = median(ratios)
  if (ratio === undefined) return
  findings.measured.set('dirty', { value: ratio })
  findings.notes.push(
    `Live, deliveries until they are in the read models: in order ${rates.clean.map(shown).join(', ')} events/s; with 10 % late, 5 % repeated, 5 % contradicting ${rates.dirty.map(shown).join(', ')}. Each time every read model had the digest of the same events folded in the order of their time.`,
  )
}

async function lived(lab: ProjectLab, order: Order): Promise<Lived> {
  const { live, log } = lab.plan
  const directory = join(lab.directory, 'live')
  mkdirSync(directory)
  const people = Math.ceil((live.events / log.events) * log.people)
  const found = await runChild('live-child.ts', [directory, order, live.events, people], lab.signal)
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  return found
}

function perS({ sent, ms }: Lived): number {
  return (sent / ms) * 1_000
}
