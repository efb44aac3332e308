import type { Findings } from './findings.ts'
import { median } from './findings.ts'
import type { Lab } from './lab.ts'
import { durationMs, MAX_BATCHES_IN_FLIGHT } from './plan.ts'

const EVENTS_PER_S = 5_000
const QUERIES_PER_S = 5_000
const CONNECTIONS = 64
/** As many as keep the server busy; more only wait. */
const CLOSED_CONNECTIONS = 16

/** `GET /v1/profiles/:id` of people drawn evenly, while 5,000 events a second come in. */
export async function measureQueries(lab: Lab, findings: Findings): Promise<void> {
  const { queries: open, queriesClosed: closed } = lab.plan
  const sent = ((durationMs(open) + durationMs(closed)) * EVENTS_PER_S) / 1_000
  await lab.prepare(sent)
  const events = {
    mode: 'open',
    perMessage: 'batch',
    eventsPerS: EVENTS_PER_S,
    maxInFlight: MAX_BATCHES_IN_FLIGHT,
  } as const
  const people = await peopleShown(lab)
  const paced = await lab.run('5,000 queries/s, 5,000 events/s', {
    ...open,
    events,
    queries: { connections: CONNECTIONS, ratePerS: QUERIES_PER_S, people },
  })
  const most = await lab.run('most queries/s, 5,000 events/s', {
    ...closed,
    events,
    queries: { connections: CLOSED_CONNECTIONS, people },
  })
  if (paced.queries === undefined || most.queries === undefined) throw new Error('no query was reported')
  const rates = most.queries.windows.map(({ answers, ms }) => (answers * 1_000) / ms)
  const rate = median(rates)
  if (rate !== undefined) findings.measured.set('queryRate', { value: rate })
  const { count, p50, p99, p999, max } = paced.queries.latency
  const { failed } = paced.queries
  findings.measured.set('queryLatency', {
    value: p99,
    insteadUnit: failed > 0 ? `ms, of ${count} queries; ${failed} failed` : undefined,
  })
  findings.notes.push(
    `Queries at ${QUERIES_PER_S} a second (open loop): ${count}, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, p99.9 ${p999.toFixed(1)} ms, max ${max.toFixed(1)} ms. ` +
      `As many as possible over ${CLOSED_CONNECTIONS} connections: p99 ${most.queries.latency.p99.toFixed(1)} ms.`,
  )
}

/** As many as the look-up takes at once. */
const LOOKED_UP_AT_ONCE = 1_000

/**
 * Of the people that the log names, those who have a profile: of whom nothing but payments was heard, say, there is none,
 * and to be told so isn't the answer that is measured.
 */
async function peopleShown({ people, engine }: Lab): Promise<readonly string[]> {
  const shown: string[] = []
  for (let from = 0; from < people.length; from += LOOKED_UP_AT_ONCE) {
    const identities = people.slice(from, from + LOOKED_UP_AT_ONCE)
    const answer = await fetch(`http://127.0.0.1:${engine.httpPort}/v1/profiles/lookup`, {
      method: 'POST',
      headers: { authorization: `Bearer ${engine.readToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ identities }),
    })
    if (!answer.ok) throw new Error(`people could not be looked up: ${answer.status}`)
    const { data } = (await answer.json()) as { readonly data: readonly unknown[] }
    shown.push(...identities.filter((_, i) => data[i] !== null))
  }
  return shown
}
