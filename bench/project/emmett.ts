import type { Event, ReadEvent } from '@event-driven-io/emmett'
import {
  getPostgreSQLEventStore,
  pongoMultiStreamProjection,
  rebuildPostgreSQLProjections,
} from '@event-driven-io/emmett-postgresql'
import { systemClock } from '../../engine/clock.ts'
import { shown } from '../log/findings.ts'
import { startPostgres } from '../log/peers/postgres-server.ts'
import { median } from '../main/findings.ts'
import { createTraffic } from '../simulator/traffic.ts'
import type { ProjectFindings } from './figures.ts'
import type { ProjectLab } from './lab.ts'
import { ONE_BY_PERSON, ratesOf } from './rebuilding.ts'

type Sent = Event<string, { readonly person: string; readonly day: string }>
/** Events of a person by day. */
type Active = { readonly days: Readonly<Record<string, number>> }

const STREAM_EVENTS = 500

/** A projection of one document a person, by Emmett's own way of rebuilding, against ours of the same grain. */
export async function measureEmmett(lab: ProjectLab, findings: ProjectFindings): Promise<void> {
  const ours = median(await ratesOf(lab, ONE_BY_PERSON))
  const server = await startPostgres()
  if ('missing' in server) {
    findings.failures.push(`${server.name}: ${server.missing}`)
    return
  }
  try {
    const theirs = await rebuildRate(server.url, lab)
    if (ours === undefined) return
    findings.measured.set('vsEmmett', { value: ours / theirs })
    findings.notes.push(
      `${ONE_BY_PERSON}, one state a person: ${shown(ours)} events/s; Emmett on PostgreSQL ${server.version} (${server.settings}), rebuilding one Pongo document a person with the days on which there were events, from ${shown(lab.plan.emmettEvents)} events: ${shown(theirs)} events/s.`,
    )
  } finally {
    await server.stop()
  }
}

async function rebuildRate(url: string, { plan }: ProjectLab): Promise<number> {
  const projection = pongoMultiStreamProjection<Active, Sent>({
    collectionName: 'active',
    canHandle: ['seen'],
    getDocumentId: ({ data }) => data.person,
    initialState: () => ({ days: {} }),
    evolve: (document: Active, { data }: ReadEvent<Sent>) => ({
      days: { ...document.days, [data.day]: (document.days[data.day] ?? 0) + 1 },
    }),
  })
  const store = getPostgreSQLEventStore(url)
  await store.schema.migrate()
  const { emmettEvents, log } = plan
  const traffic = createTraffic({ seed: 1, people: Math.ceil((emmettEvents / log.events) * log.people) })
  for (let sent = 0; sent < emmettEvents; sent += STREAM_EVENTS) {
    const events = Array.from({ length: STREAM_EVENTS }, (_, n): Sent => {
      const { time, identities } = traffic.next(systemClock.nowMs() - (emmettEvents - sent - n) * 2_000)
      return { type: 'seen', data: { person: String(identities?.[0]), day: String(time).slice(0, 10) } }
    })
    await store.appendToStream(`bench-${sent}`, events)
  }
  const consumer = rebuildPostgreSQLProjections({ connectionString: url, projections: [projection] })
  const startMs = systemClock.monotonicMs()
  await consumer.start()
  const ms = systemClock.monotonicMs() - startMs
  await consumer.close()
  await store.close()
  return (emmettEvents / ms) * 1_000
}
