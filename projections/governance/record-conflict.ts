import assert from 'node:assert/strict'
import type { AnyEvent, EventOf, EventType } from '../../engine/events/catalogue.ts'
import type { Configuration, Projection } from '../../engine/projector/projection.ts'
import type { Rules } from '../../engine/reducers/fields.ts'
import type { GovernedState } from '../../engine/reducers/governed.ts'
import type { Column, Row } from '../../engine/store/table.ts'
import { accountRecord } from '../crm/account.ts'
import { contactRecord } from '../crm/contact.ts'
import { dealRecord } from '../crm/deal.ts'
import { leadRecord } from '../crm/lead.ts'
import { isEcho } from '../echo.ts'
import {
  DECISIONS,
  type DecisionType,
  decisionOf,
  GOVERNED_BY,
  isDecision,
  keysIn,
  only,
  type RecordDeclaration,
} from '../governed.ts'
import { campaignRecord } from '../marketing/campaign.ts'
import { caseRecord } from '../service/case.ts'
import { CONFLICT_COLUMNS, CONFLICT_INDEXES, conflictRows } from './conflict-rows.ts'

/** A record's fold, its fields and event types forgotten. Whoever calls it hands back only states that came from it. */
interface AnyRecordFold {
  readonly view: string
  readonly handles: readonly EventType[]
  keys(event: AnyEvent): readonly string[]
  readonly initial: FieldsState
  reduce(state: FieldsState, event: AnyEvent, config: Configuration): FieldsState
  join(a: FieldsState, b: FieldsState, config: Configuration): FieldsState
  due(state: FieldsState): number | undefined
  tick(state: FieldsState, at: number): FieldsState
  rows(state: FieldsState, config: Configuration): ReadonlyMap<string, Row>
}

type FieldsState = GovernedState<Rules>

/** What the record's own view keeps, with the view's name. */
type State = readonly [view: string, fields: FieldsState]

const FOLDS: ReadonlyMap<string, AnyRecordFold> = new Map(
  [
    claimsOf(accountRecord),
    claimsOf(contactRecord),
    claimsOf(leadRecord),
    claimsOf(dealRecord),
    claimsOf(caseRecord),
    claimsOf(campaignRecord),
  ].map((fold) => [fold.view, fold]),
)

/** What a record's events claim of the fields that may be contradicted; an echo claims nothing. */
function claimsOf<R extends Rules, T extends EventType>(declared: RecordDeclaration<R, T>): AnyRecordFold {
  const { fields, handles } = declared
  const contested = new Set([...fields.fields].flatMap(([name, spec]) => (spec.isResolvable ? [name] : [])))
  const { base } = fields
  return {
    view: fields.view,
    handles: [...handles, ...DECISIONS],
    keys: (event: EventOf<T | DecisionType>) => keysIn(declared, event),
    initial: base.initial,
    reduce(state: GovernedState<R>, event: EventOf<T | DecisionType>, config) {
      const kept = fields.in(config)
      if (isDecision(event)) {
        const decision = decisionOf(event, fields)
        return decision === undefined ? state : kept.decide(state, event, decision)
      }
      if (isEcho(event, config)) return state
      return kept.writeAll(state, event, only(declared.writes(event as EventOf<T>), contested))
    },
    join: (a: GovernedState<R>, b: GovernedState<R>, config) => fields.in(config).join(a, b),
    due: base.due,
    tick: base.tick,
    rows: (state: GovernedState<R>, config) => conflictRows(fields, state, config),
  }
}

const HANDLES = [...new Set([...FOLDS.values()].flatMap(({ handles }) => handles))]
const HANDLING = new Map(
  HANDLES.map((type) => [type, [...FOLDS.values()].filter(({ handles }) => handles.includes(type))]),
)

const columns = {
  ...CONFLICT_COLUMNS,
  record: { type: 'text', about: 'Id of the record, as its own view has it.' },
} as const satisfies Readonly<Record<string, Column>>

/** Fields of records that sources contradict each other about: a row for each, part is the field. */
export const recordConflict: Projection<State, EventType> = {
  name: 'record_conflict',
  version: 2,
  handles: HANDLES,
  configuredBy: GOVERNED_BY,
  keys: (event) =>
    (HANDLING.get(event.type) ?? []).flatMap((fold) => fold.keys(event).map((key) => `${fold.view} ${key}`)),
  initial(key) {
    const view = key.slice(0, key.indexOf(' '))
    return [view, foldOf(view).initial]
  },
  reduce: (state, event, config) => changed(state, foldOf(state[0]).reduce(state[1], event, config)),
  join: (a, b, config) => changed(a, foldOf(a[0]).join(a[1], b[1], config)),
  due: ([view, fields]) => foldOf(view).due(fields),
  tick: (state, { at }) => changed(state, foldOf(state[0]).tick(state[1], at)),
  table: {
    grain: 'record',
    columns,
    indexes: CONFLICT_INDEXES,
    rows([view, fields], config, key) {
      const record = key.slice(view.length + 1)
      const rows = foldOf(view).rows(fields, config)
      return new Map(Array.from(rows, ([part, row]) => [part, { ...row, record }]))
    },
  },
}

function foldOf(view: string): AnyRecordFold {
  const fold = FOLDS.get(view)
  assert(fold !== undefined, 'keys name views that have records')
  return fold
}

function changed(state: State, fields: FieldsState): State {
  return fields === state[1] ? state : [state[0], fields]
}
