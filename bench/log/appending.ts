import { median } from '../main/findings.ts'
import { LOG_NAME, openCheckedLog } from './checked-log.ts'
import { BATCH_EVENTS, createEventMaker } from './events.ts'
import type { LogFigureKey } from './figures.ts'
import { type LogFindings, shown } from './findings.ts'
import { batchesOf, type LogLab } from './lab.ts'
import { barePeer } from './peers/bare.ts'
import { isMissing, isPresent, type MissingPeer, type PresentPeer } from './peers/peer.ts'
import { startPostgres } from './peers/postgres-server.ts'
import { rawPeer } from './peers/raw.ts'
import { sqlitePeer } from './peers/sqlite.ts'
import { interleave, medianRatio, rateOf } from './rounds.ts'

/** By the names of the contenders. */
const RATIOS: readonly (readonly [LogFigureKey, string])[] = [
  ['vsBare', 'bare loop'],
  ['vsSqlite', 'SQLite'],
  ['vsPostgres', 'PostgreSQL'],
  ['vsEmmett', 'Emmett'],
]

const ABOUT_LOG =
  'group commit on a thread of its own, write + fdatasync before the acknowledgement; unique (source, id) for ever and (stream, revision)'

/** Durable append, 1,000 events a commit, against everybody else. */
export async function measureAppends(lab: LogLab, findings: LogFindings): Promise<void> {
  const { rounds, batches, withinMs } = lab.plan.append
  const peers = await startPeers(lab)
  const present = peers.filter(isPresent)
  const log = await openCheckedLog(lab.place('appends'))
  lab.onClose(() => log.close())
  const contenders = [log, ...present.map(({ contender }) => contender)]
  const maker = createEventMaker((rounds + 1) * batches * BATCH_EVENTS)
  const enough = lab.share()
  const rates = await interleave(
    contenders,
    rounds,
    (round) => batchesOf(maker, round * batches * BATCH_EVENTS, batches),
    async (contender, events) => {
      if (lab.aborted) throw new Error('the bench is ending')
      return rateOf(contender, events, lab.clock, withinMs)
    },
    enough,
  )
  const rate = (name: string): number | null => median(rates.get(name) ?? []) ?? null
  const own = rate(LOG_NAME)
  if (own !== null) findings.measured.set('append', { value: own })
  for (const [key, name] of RATIOS) {
    const ratio = medianRatio(rates, LOG_NAME, name)
    if (ratio !== undefined) findings.measured.set(key, { value: ratio })
  }
  findings.contenders.push({ name: LOG_NAME, eventsPerS: own, about: ABOUT_LOG })
  for (const peer of peers) {
    if (isMissing(peer)) {
      findings.failures.push(`peer ${peer.name} is missing: ${peer.missing}`)
      findings.contenders.push({ name: peer.name, eventsPerS: null, about: `missing: ${peer.missing}` })
    } else {
      const { name } = peer.contender
      findings.contenders.push({ name, eventsPerS: rate(name), about: peer.about })
    }
  }
  const spread = [...(rates.get(LOG_NAME) ?? [])].sort((a, b) => a - b)
  findings.notes.push(
    `Appends: ${spread.length} rounds, the log's at ${spread.map(shown).join(', ')} events/s; ratios are medians of the rounds' ratios.`,
  )
}

/** Ends with the bench whatever it started. */
async function startPeers(lab: LogLab): Promise<readonly (PresentPeer | MissingPeer)[]> {
  const directory = lab.place('peers')
  const peers = [
    rawPeer(directory),
    barePeer(directory),
    sqlitePeer(directory),
    ...(await postgresPeers(lab)),
    await optional('JetStream', async () => (await import('./peers/nats.ts')).jetStreamPeer(directory)),
  ]
  for (const peer of peers) if (!isMissing(peer)) lab.onClose(peer.contender.close)
  return peers
}

async function postgresPeers(lab: LogLab): Promise<readonly (PresentPeer | MissingPeer)[]> {
  const server = await startPostgres()
  if ('missing' in server)
    return [server, { name: 'Emmett', missing: `PostgreSQL is missing: ${server.missing}` }]
  lab.onClose(server.stop)
  return [
    await optional('PostgreSQL', async () => (await import('./peers/postgres.ts')).postgresPeer(server)),
    await optional('Emmett', async () => (await import('./peers/emmett.ts')).emmettPeer(server)),
  ]
}

/** A package that isn't installed makes a missing peer, not a broken bench. */
async function optional(
  name: string,
  start: () => Promise<PresentPeer | MissingPeer>,
): Promise<PresentPeer | MissingPeer> {
  try {
    return await start()
  } catch (error) {
    return { name, missing: error instanceof Error ? error.message : String(error) }
  }
}
