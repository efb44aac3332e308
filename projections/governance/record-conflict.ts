import assert from 'node:assert/strict'
import type { AnyEvent, EventOf, EventType } from '../../engine/events/catalogue.ts'
import type { AnyProjection, Configuration, Projection } from '../../engine/projector/projection.ts'
import type { Rules } from '../../engine/reducers/fields.ts'
import type { GovernedState } from '../../engine/reducers/governed.ts'
import type { Column, Row } from '../../engine/store/table.ts'
import { accountRecord } from '../crm/account.ts'
import { contactRecord } from '../crm/contact.ts'
import { dealRecord } from '../crm/deal.ts'
import { leadRecord } from '../crm/lead.ts'
import { type ObjectRecord, objectRecords } from '../custom/object-record.ts'
import { concernsOf } from '../defined.ts'
import { isEcho } from '../echo.ts'
import {
  DECISIONS,
  DEFINED_BY,
  type DecisionType,
  decisionOf,
  isDecision,
  keysIn,
  only,
  type RecordDeclaration,
  writesIn,
} from '../governed.ts'
import { campaignRecord } from '../marketing/campaign.ts'
import { perConfiguration, recordUnder } from '../record-view.ts'
import { caseRecord } from '../service/case.ts'
import { CONFLICT_COLUMNS, CONFLICT_INDEXES, conflictRows } from './conflict-rows.ts'

/** A record's fold, its fields and event types forgotten. Whoever calls it hands back only states that came from it. */
interface AnyRecordFold {
  readonly view: string
  readonly handles: readonly string[]
  /** Of its own events; decisions tell theirs. */
  readonly hidesKeys: boolean
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

/** What a record's events claim of the fields that may be contradicted; an echo claims nothing. */
function claimsOf<R extends Rules, T extends EventType>(declared: RecordDeclaration<R, T>): AnyRecordFold {
  const { fields, handles } = declared
  const contested = new Set([...fields.fields].flatMap(([name, spec]) => (spec.isResolvable ? [name] : [])))
  const { base } = fields
  return {
    view: fields.view,
    hidesKeys: false,
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
      return kept.writeAll(state, event, only(writesIn(declared, event as EventOf<T>), contested))
    },
    join: (a: GovernedState<R>, b: GovernedState<R>, config) => fields.in(config).join(a, b),
    due: base.due,
    tick: base.tick,
    rows: (state: GovernedState<R>, config) => conflictRows(fields, state, config),
  }
}

const columns = {
  ...CONFLICT_COLUMNS,
  record: { type: 'text', about: 'Id of the record, as its own view has it.' },
} as const satisfies Readonly<Record<string, Column>>

/** What the governed records claim, of views and of defined objects, under a configuration. */
const RECORDS = [
  claimsUnder(accountRecord),
  claimsUnder(contactRecord),
  claimsUnder(leadRecord),
  claimsUnder(dealRecord),
  claimsUnder(caseRecord),
  claimsUnder(campaignRecord),
]

function claimsUnder<R extends Rules, T extends EventType>(
  declared: RecordDeclaration<R, T>,
): { readonly base: AnyRecordFold; under(config: Configuration): AnyRecordFold } {
  const under = recordUnder(declared)
  const base = claimsOf(declared)
  return {
    base,
    under(config) {
      const { record } = under(config)
      return record === declared ? base : claimsOf(record)
    },
  }
}

/** Its events are of types that the catalogue lacks. */
function claimsOfObject({ record, handles }: ObjectRecord): AnyRecordFold {
  const fold = claimsOf(record)
  return { ...fold, handles: [...handles, ...DECISIONS], hidesKeys: true }
}

/** A projection that handles types outside the catalogue too. */
interface RecordConflict extends Omit<Projection<State, EventType>, 'handles'> {
  readonly handles: readonly string[]
}

const DECIDING: ReadonlySet<string> = new Set(DECISIONS)

/** Fields of records that sources contradict each other about: a row for each, part is the field. */
export const recordConflict: RecordConflict = {
  ...conflictsOf(RECORDS.map(({ base }) => base)),
  under: perConfiguration((config): AnyProjection => {
    const objects = objectRecords(config).map(claimsOfObject)
    const views = RECORDS.map(({ under }) => under(config))
    const isAsEver = objects.length === 0 && views.every((fold, i) => fold === RECORDS[i]?.base)
    return isAsEver ? recordConflict : conflictsOf([...views, ...objects])
  }),
}

function conflictsOf(all: readonly AnyRecordFold[]): RecordConflict {
  const folds = new Map(all.map((fold) => [fold.view, fold]))
  const handles = [...new Set(all.flatMap((fold) => fold.handles))]
  const handling = new Map(handles.map((type) => [type, all.filter((fold) => fold.handles.includes(type))]))
  const foldOf = (view: string): AnyRecordFold => {
    const fold = folds.get(view)
    assert(fold !== undefined, 'keys name views that have records')
    return fold
  }
  return {
    name: 'record_conflict',
    version: 2,
    handles,
    configuredBy: [...DEFINED_BY, 'object.defined'],
    concerns: concernsOf((view) => view !== 'profile'),
    hidesKeys: (type) => (handling.get(type) ?? []).some((fold) => fold.hidesKeys && !DECIDING.has(type)),
    keys: (event) =>
      (handling.get(event.type) ?? []).flatMap((fold) =>
        fold.keys(event).map((key) => `${fold.view} ${key}`),
      ),
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
}

function changed(state: State, fields: FieldsState): State {
  return fields === state[1] ? state : [state[0], fields]
}
