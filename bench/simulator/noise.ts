import { type Calendar, DAY, HOUR, MINUTE, SECOND, type SimulatedEvent, toJson } from './journal.ts'
import type { Random } from './random.ts'

/** What goes wrong on the way: events come late, come twice, or come broken. */

/** One event on its way, as the bytes that are sent. */
export interface Delivery {
  readonly source: string
  readonly id: string
  readonly json: string
  /** `repetition`: the same event again. `defect`: one that the engine must refuse and keep. */
  readonly kind: 'event' | 'repetition' | 'defect'
}

const LATE = 0.03
const TWICE = 0.02

interface Timed extends Delivery {
  /** ms UTC */
  readonly sentAt: number
}

/** In the order in which they arrive. */
export function deliveriesOf(
  events: readonly SimulatedEvent[],
  calendar: Calendar,
  random: Random,
): readonly Delivery[] {
  const deliveries: Timed[] = []
  for (const event of events) {
    const { id, source, time } = event
    const delayMs = random.chance(LATE) ? random.between(HOUR, 3 * DAY) : random.between(0, 3 * SECOND)
    const sentAt = Math.min(time + delayMs, calendar.end)
    const json = toJson(event)
    deliveries.push({ source, id, json, kind: 'event', sentAt })
    if (!random.chance(TWICE)) continue
    const again = Math.min(sentAt + random.between(MINUTE, 2 * DAY), calendar.end)
    deliveries.push({ source, id, json, kind: 'repetition', sentAt: again })
  }
  deliveries.push(...defects(calendar))
  // Sorting is stable: a repetition at the same instant stays behind what it repeats.
  return deliveries
    .sort((a, b) => a.sentAt - b.sentAt)
    .map(({ source, id, json, kind }) => ({ source, id, json, kind }))
}

/** Mistakes that real systems make, one of each kind. */
function defects({ start }: Calendar): readonly Timed[] {
  const time = (day: number): string => new Date(start + day * DAY).toISOString()
  const broken: readonly (readonly [day: number, event: Readonly<Record<string, unknown>>])[] = [
    [
      91,
      {
        id: 'defect-1',
        source: 'erp',
        type: 'erp.invoice_issued',
        time: time(91),
        data: { invoice_id: 'I-0' },
      },
    ],
    [
      140,
      {
        id: 'defect-2',
        source: 'crm',
        type: 'task.created',
        schema: 7,
        time: time(140),
        data: { task_id: 'T-0' },
      },
    ],
    [
      203,
      { id: 'defect-3', source: 'support', type: 'csat.submitted', time: 'yesterday', data: { score: 4 } },
    ],
    [288, { id: 'defect-4', source: 'web', time: time(288), data: { anonymousId: 'anon-0' } }],
    [
      290,
      {
        id: 'register-erp-1',
        source: 'erp',
        type: 'source.registered',
        time: time(290),
        data: { source: 'erp' },
      },
    ],
  ]
  return broken.map(([day, event]) => ({
    source: String(event['source']),
    id: String(event['id']),
    json: JSON.stringify(event),
    kind: 'defect',
    sentAt: start + day * DAY,
  }))
}
