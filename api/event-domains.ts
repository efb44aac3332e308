import { behaviour } from '../engine/events/catalogue/behaviour.ts'
import { commerce } from '../engine/events/catalogue/commerce.ts'
import { consentAndGovernance } from '../engine/events/catalogue/consent-and-governance.ts'
import { definitions } from '../engine/events/catalogue/definitions.ts'
import { handoff } from '../engine/events/catalogue/handoff.ts'
import { identity } from '../engine/events/catalogue/identity.ts'
import { marketing } from '../engine/events/catalogue/marketing.ts'
import { sales } from '../engine/events/catalogue/sales.ts'
import { service } from '../engine/events/catalogue/service.ts'
import type { StoreReader } from '../engine/store/store.ts'

const DOMAINS = {
  behaviour,
  identity,
  definitions,
  marketing,
  handoff,
  sales,
  service,
  commerce,
  governance: consentAndGovernance,
} as const

/** Types outside of the catalogue are the senders' own: there may be any number of them, of any name. */
const CUSTOM = 'custom'

const domainOfType: ReadonlyMap<string, string> = new Map(
  Object.entries(DOMAINS).flatMap(([domain, types]) => Object.keys(types).map((type) => [type, domain])),
)

/** Domain of the catalogue → events in the log up to where the read models hold. The names form a closed set. */
export async function eventsByDomain(
  store: Pick<StoreReader, 'aggregate'>,
): Promise<ReadonlyMap<string, number>> {
  const events = { name: 'events', of: 'sum', column: 'events' } as const
  const query = { projection: 'daily_events', figures: [events] }
  const known = [...domainOfType.keys()]
  const ofCatalogue = [{ column: 'type', operator: 'in', value: known }] as const
  const [byType, all] = await Promise.all([
    store.aggregate({ ...query, filters: ofCatalogue, by: [{ column: 'type' }], limit: known.length }),
    store.aggregate({ ...query, by: [], limit: 1 }),
  ])
  const counts = new Map<string, number>([...Object.keys(DOMAINS), CUSTOM].map((domain) => [domain, 0]))
  const add = (domain: string, more: number) => counts.set(domain, (counts.get(domain) ?? 0) + more)
  let ofKnown = 0
  for (const row of byType.value) {
    const domain = domainOfType.get(String(row.type))
    const count = Number(row.events)
    if (domain === undefined) continue
    add(domain, count)
    ofKnown += count
  }
  // Two snapshots: the second may be the older one.
  add(CUSTOM, Math.max(0, Number(all.value[0]?.events ?? 0) - ofKnown))
  return counts
}

/** Events that the intake refused and keeps: `open`, or `resubmitted` since. */
export async function quarantinedByStatus(
  store: Pick<StoreReader, 'aggregate'>,
): Promise<ReadonlyMap<string, number>> {
  const { value } = await store.aggregate({
    projection: 'quarantine',
    by: [{ column: 'status' }],
    figures: [{ name: 'events', of: 'count' }],
    limit: 2,
  })
  const counts = new Map<string, number>([
    ['open', 0],
    ['resubmitted', 0],
  ])
  for (const { status, events } of value)
    if (counts.has(String(status))) counts.set(String(status), Number(events))
  return counts
}
