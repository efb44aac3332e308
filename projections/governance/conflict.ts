import type { EventOf } from '../../engine/events/catalogue.ts'
import type { Projection } from '../../engine/projector/projection.ts'
import { goldIn } from '../cdp/profile.ts'
import { decidedIn, type Gold, withDefined } from '../cdp/profile-defined.ts'
import { describesTraits, writesOf } from '../cdp/profile-events.ts'
import { type GoldenState, type GoldenWrites, golden } from '../cdp/profile-fields.ts'
import { traitWrites } from '../cdp/profile-writes.ts'
import { concernsOf } from '../defined.ts'
import { isEcho } from '../echo.ts'
import { DECISIONS, DEFINED_BY, type DecisionType, decisionOf, isDecision } from '../governed.ts'
import { perConfiguration } from '../record-view.ts'
import { leadingOf } from '../values.ts'
import { CONFLICT_COLUMNS, CONFLICT_INDEXES, conflictRows } from './conflict-rows.ts'

/** Events that state fields of people and companies; visits and the like state none, and cost nothing here. */
const HANDLES = [
  'cdp.identify',
  'cdp.group',
  'lead.created',
  'lead.updated',
  'lead.assigned',
  'contact.created',
  'contact.updated',
  'account.created',
  'account.updated',
  'Order Completed',
  'order.placed',
  'erp.invoice_issued',
  ...DECISIONS,
] as const

type Handled = Exclude<EventOf<(typeof HANDLES)[number]>, EventOf<DecisionType>>

type ConflictProjection = Projection<GoldenState, (typeof HANDLES)[number]>

/**
 * Fields of the golden record that sources contradict each other about: a row for each, part is the field. The same
 * writes as the profile's, under the same rules, so that the winner here is the profile's value.
 */
export const conflict: ConflictProjection = {
  ...conflictOf({ golden, columns: {}, defined: [], names: undefined }),
  under: perConfiguration((config) => {
    const gold = goldIn(config)
    return gold.defined.length === 0 ? conflict : conflictOf(gold)
  }),
}

function conflictOf(gold: Gold): ConflictProjection {
  const { golden } = gold
  return {
    name: 'conflict',
    version: 2,
    handles: HANDLES,
    configuredBy: DEFINED_BY,
    concerns: concernsOf((view) => view === golden.view),
    keys(event) {
      const leading = leadingOf(event)
      if (leading === undefined) return []
      return isDecision(event) && (event.data.view ?? golden.view) !== golden.view ? [] : [leading.id]
    },
    initial: () => golden.base.initial,
    reduce(state, event, config) {
      const kept = golden.in(config)
      if (!isDecision(event)) {
        return isEcho(event, config) ? state : kept.writeAll(state, event, statedBy(gold, event))
      }
      const decision = decidedIn(gold, decisionOf(event, golden))
      return decision === undefined ? state : kept.decide(state, event, decision)
    },
    join: (a, b, config) => golden.in(config).join(a, b),
    due: (state) => golden.base.due(state),
    tick: (state, { at }) => golden.base.tick(state, at),
    table: {
      grain: 'profile',
      columns: CONFLICT_COLUMNS,
      indexes: CONFLICT_INDEXES,
      rows: (state, config) => conflictRows(golden, state, config),
    },
  }
}

/** How far a relation has come is nobody's claim: it only goes forward. */
function statedBy(gold: Gold, event: Handled): GoldenWrites {
  const isTraits = event.type === 'cdp.identify' || describesTraits(event)
  const writes = withDefined(gold, event, isTraits ? traitWrites(event).golden : writesOf(event))
  return writes.lifecycle === undefined ? writes : { ...writes, lifecycle: undefined }
}
