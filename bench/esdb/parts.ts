import { median } from '../main/findings.ts'
import type { EsdbFigureKey } from './figures.ts'
import type { EsdbFindings } from './findings.ts'
import type { EsdbLab, Pair } from './lab.ts'
import type { Flood, Order } from './orders.ts'
import {
  ADAPTER_BATCH,
  ADAPTER_STREAMS,
  BATCH_EVENTS,
  BATCHES_IN_FLIGHT,
  FLOOD_APPENDS,
  SINGLES_IN_FLIGHT,
} from './plan.ts'
import { interleave, type Rates } from './rounds.ts'

const FLOOD_WITHIN_MS = 60_000

export async function measureSingles(lab: EsdbLab, findings: EsdbFindings): Promise<void> {
  const { rounds, turnMs } = lab.plan.single
  const order: Order = { kind: 'append', inFlight: SINGLES_IN_FLIGHT, batch: 1, forMs: turnMs }
  await versusNoop(lab, findings, { what: 'single appends', rounds, order }, ['single', 'singleRatio'])
}

export async function measureBatches(lab: EsdbLab, findings: EsdbFindings): Promise<void> {
  const { rounds, turnMs } = lab.plan.batch
  const order: Order = { kind: 'append', inFlight: BATCHES_IN_FLIGHT, batch: BATCH_EVENTS, forMs: turnMs }
  await versusNoop(lab, findings, { what: 'batches of 100', rounds, order }, ['batch', 'batchRatio'])
}

export async function measureReads(lab: EsdbLab, findings: EsdbFindings): Promise<void> {
  const { rounds, events } = lab.plan.read
  const engine = await lab.engine()
  // Whatever parts before it wrote is read too; the first that are read are of one size all the same.
  const fill: Order = { kind: 'append', inFlight: BATCHES_IN_FLIGHT, batch: BATCH_EVENTS, forMs: 1_000 }
  for (let filled = 0; filled < events; ) {
    const found = await engine.client.obey(fill, FLOOD_WITHIN_MS)
    if (found.kind === 'rate') filled += found.events
  }
  await lab.rest(engine.server.pid)
  const about = { what: '$all from its beginning', rounds, order: { kind: 'read', events } as const }
  await versusNoop(lab, findings, about, ['read', 'readRatio'])
}

interface Race {
  readonly what: string
  readonly rounds: number
  readonly order: Order
}

async function versusNoop(
  lab: EsdbLab,
  findings: EsdbFindings,
  { what, rounds, order }: Race,
  [rate, ratio]: readonly [EsdbFigureKey, EsdbFigureKey],
): Promise<void> {
  const pairs = [await lab.engine(), await lab.noop()]
  const contenders = pairs.map((pair) => ({ name: pair.name, turn: () => lab.rate(pair, order) }))
  const rates = await interleave(contenders, rounds, lab.share())
  note(findings, what, rates)
  const ours = median(rates.get('headwater') ?? [])
  const ceiling = median(rates.get('noop') ?? [])
  if (ours === undefined || ceiling === undefined) return
  findings.measured.set(rate, { value: ours })
  findings.measured.set(ratio, { value: ours / ceiling })
}

/** The median of the times, and the fewest answers of all rounds. */
export async function measureFlood(lab: EsdbLab, findings: EsdbFindings): Promise<void> {
  const engine = await lab.engine()
  const floods: Flood[] = []
  const enough = lab.share()
  for (let round = 0; round < lab.plan.flood.rounds && !(round > 0 && enough()); round++) {
    const found = await engine.client.obey({ kind: 'flood', appends: FLOOD_APPENDS }, FLOOD_WITHIN_MS)
    if (found.kind === 'flood') floods.push(found)
    await lab.rest(engine.server.pid)
  }
  const seconds = median(floods.map(({ ms }) => ms / 1_000))
  if (seconds === undefined) return
  const answered = Math.min(...floods.map((flood) => flood.answered))
  findings.measured.set('floodAnswered', { value: answered })
  findings.measured.set('floodSeconds', { value: seconds })
  for (const flood of floods) {
    for (const [message, count] of Object.entries(flood.failed))
      findings.notes.push(`Of ${FLOOD_APPENDS} appends at once ${count} failed: ${message}.`)
    if (flood.stored !== flood.answered || flood.distinct !== flood.answered)
      findings.failures.push(
        `flood: ${flood.answered} were answered, and the log holds ${flood.stored} of them, ${flood.distinct} different ones`,
      )
  }
  const times = floods.map(({ ms }) => (ms / 1_000).toFixed(2)).join(', ')
  findings.notes.push(`${FLOOD_APPENDS} appends at once were answered within ${times} s.`)
}

/** What a log that lies in such a server costs more than the client alone, which sends the same bytes. */
export async function measureAdapter(lab: EsdbLab, findings: EsdbFindings): Promise<void> {
  const { rounds, appends } = lab.plan.adapter
  const work = { appends, batch: ADAPTER_BATCH, streams: ADAPTER_STREAMS }
  const directory = lab.place('adapter')
  const orders = {
    bare: { kind: 'bare', ...work },
    adapter: { kind: 'adapter', directory, ...work },
  } as const
  const pairs: readonly Pair[] = await lab.kept(['bare', 'adapter'])
  const contenders = pairs.map((pair) => ({
    name: pair.name,
    turn: () => lab.rate(pair, pair.name === 'bare' ? orders.bare : orders.adapter),
  }))
  const rates = await interleave(contenders, rounds, lab.share())
  note(findings, 'appends to a log in a server', rates)
  const [bare, adapter] = [median(rates.get('bare') ?? []), median(rates.get('adapter') ?? [])]
  if (bare !== undefined && adapter !== undefined)
    findings.measured.set('adapter', { value: bare / adapter - 1 })
}

function note({ contenders }: EsdbFindings, what: string, rates: Rates): void {
  for (const [name, each] of rates) contenders.push({ what, name, rates: each })
}
