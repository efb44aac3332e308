import assert from 'node:assert/strict'
import type { EventType } from '../../engine/events/catalogue.ts'
import type { AnyProjection, Configuration, Projection } from '../../engine/projector/projection.ts'
import type { GovernedState } from '../../engine/reducers/governed.ts'
import type { Explanation } from '../../engine/reducers/rule.ts'
import { type CellValue, type Column, oneRow } from '../../engine/store/table.ts'
import { concernsOf } from '../defined.ts'
import { DEFINABLE_VIEWS } from '../definitions.ts'
import { DECISIONS, DEFINED_BY, isDecision, keysIn, recordFold } from '../governed.ts'
import { rankingFrom } from '../ranking.ts'
import { perConfiguration } from '../record-view.ts'
import { explainColumns, rowOf } from '../row.ts'
import {
  columnOf,
  isKeyOf,
  OBJECT_COLUMNS,
  type ObjectRecord,
  type ObjectRules,
  objectOf,
  objectRecords,
} from './object-record.ts'

/** The object's name, and what is known of the record. */
type State = readonly [object: string, fields: GovernedState<ObjectRules>]

/** A projection whose event types the catalogue lacks. */
interface CustomRecords extends Omit<Projection<State, EventType>, 'handles'> {
  readonly handles: readonly string[]
}

const VIEWS: ReadonlySet<string> = new Set(DEFINABLE_VIEWS)

/**
 * Records of all objects that the workspace has defined. Keys are `<object>:<record id>`, columns `<object>__<field>`. Without
 * definitions it handles nothing and has no rows.
 */
export const customRecord: CustomRecords = {
  ...recordsOf([]),
  under: perConfiguration((config): AnyProjection => {
    const records = objectRecords(config)
    return records.length === 0 ? customRecord : recordsOf(records)
  }),
}

function recordsOf(records: readonly ObjectRecord[]): CustomRecords {
  const byObject = new Map(records.map((each) => [each.object.object, each]))
  const byType = new Map(records.flatMap((each) => each.handles.map((type) => [type, each] as const)))
  const folds = new Map(records.map(({ object, record }) => [object.object, recordFold(record)]))
  const columns = columnsOf(records)
  const foldOf = (object: string) => {
    const fold = folds.get(object)
    assert(fold !== undefined, 'keys name defined objects')
    return fold
  }
  return {
    name: 'custom_record',
    version: 1,
    handles: records.length === 0 ? [] : [...byType.keys(), ...DECISIONS],
    configuredBy: [...DEFINED_BY, 'object.defined'],
    concerns: concernsOf((view) => !VIEWS.has(view)),
    hidesKeys: (type) => byType.has(type),
    keys(event) {
      const of = isDecision(event) ? byObject.get(event.data.view ?? '') : byType.get(event.type)
      return of === undefined ? [] : keysIn(of.record, event).filter((key) => isKeyOf(of, key))
    },
    initial: (key) => [objectOf(key), foldOf(objectOf(key)).initial(key)],
    reduce: (state, event, config) => changed(state, foldOf(state[0]).reduce(state[1], event, config)),
    join: (a, b, config) => changed(a, foldOf(a[0]).join(a[1], b[1], config)),
    due: ([object, fields]) => foldOf(object).due(fields),
    tick: (state, tick) => changed(state, foldOf(state[0]).tick(state[1], tick)),
    explain: ([object, fields], config) => explained(byObject.get(object), fields, config, columns),
    table: {
      grain: 'record',
      columns,
      indexes: [['object', 'updated_at'], ['identity']],
      search: ['record_id'],
      rows([object, fields], config) {
        const of = byObject.get(object)
        const values = of?.record.fields.in(config).values(fields, rankingFrom(config))
        if (of === undefined || values?.updated_at === undefined) return oneRow(undefined)
        const named: Record<string, CellValue> = {}
        for (const [name, value] of Object.entries(values)) named[columnOf(of, name)] = value
        return oneRow(rowOf(columns, { ...named, object, archived: values.archived ?? false }))
      },
    },
  }
}

function columnsOf(records: readonly ObjectRecord[]): Readonly<Record<string, Column>> {
  return Object.assign({}, OBJECT_COLUMNS, ...records.map(({ record }) => record.columns))
}

function explained(
  of: ObjectRecord | undefined,
  fields: GovernedState<ObjectRules>,
  config: Configuration,
  columns: Readonly<Record<string, Column>>,
): Readonly<Record<string, Explanation<unknown>>> {
  if (of === undefined) return {}
  const found = of.record.fields.in(config).explain(fields, rankingFrom(config))
  const named: Record<string, Explanation<unknown>> = {}
  for (const [name, each] of Object.entries(found)) named[columnOf(of, name)] = each
  return explainColumns(columns, named)
}

function changed(state: State, fields: State[1]): State {
  return fields === state[1] ? state : [state[0], fields]
}
