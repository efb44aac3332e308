import type { AnyProjection } from '../../engine/projector/projection.ts'
import { LAW_NAMES, type LawName } from './projection-laws.ts'

/** Projections that count: repeats are removed before they get there. */
const COUNTING: ReadonlyMap<string, string> = new Map([
  ['customer_orders', 'an invoice may come in several events, whose lines add up'],
  ['daily_events', 'counts events'],
  ['revenue', 'adds up lines'],
  ['session', 'counts events'],
  ['campaign_member', 'counts responses'],
  ['case', 'counts reopenings of senders that state no number'],
  ['hourly_activity', 'counts events'],
])

export function lawsOf({ name }: AnyProjection): readonly LawName[] {
  return LAW_NAMES.filter((law) => law !== 'duplication and overlap' || !COUNTING.has(name))
}
