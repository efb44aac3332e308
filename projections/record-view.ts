import type { EventType } from '../engine/events/catalogue.ts'
import type { AnyProjection, Configuration, Projection } from '../engine/projector/projection.ts'
import type { Rules } from '../engine/reducers/fields.ts'
import type { GovernedState } from '../engine/reducers/governed.ts'
import { type CellValue, oneRow, type Table } from '../engine/store/table.ts'
import { definedColumns, definedWrites } from './custom-values.ts'
import { concernsOf, fieldsDefinedFor } from './defined.ts'
import type { DefinedField } from './definitions.ts'
import { DEFINED_BY, type RecordDeclaration } from './governed.ts'
import { rankingFrom } from './ranking.ts'
import { explainColumns, rowOf } from './row.ts'

/** Views of records, with the fields that a workspace has defined for them. */

/** Each configuration's answer, made once. */
export function perConfiguration<V>(make: (config: Configuration) => V): (config: Configuration) => V {
  const known = new WeakMap<Configuration, { readonly made: V }>()
  return (config) => {
    const found = known.get(config) ?? { made: make(config) }
    known.set(config, found)
    return found.made
  }
}

interface Recorded<R extends Rules, T extends EventType> {
  readonly record: RecordDeclaration<R, T>
  readonly defined: readonly DefinedField[]
}

const NONE: readonly DefinedField[] = []

/** Names that a record's fields or columns have in any case. */
export function takenIn({ columns, fields }: Taking): ReadonlySet<string> {
  return new Set([...Object.keys(columns), ...Object.keys(fields.base.rules)])
}

interface Taking {
  readonly columns: Readonly<Record<string, unknown>>
  readonly fields: { readonly base: { readonly rules: Rules } }
}

/** A record's declaration with the fields that are defined for it; itself where none are. */
export function recordUnder<R extends Rules, T extends EventType>(
  record: RecordDeclaration<R, T>,
): (config: Configuration) => Recorded<R, T> {
  const { view } = record.fields
  const taken = takenIn(record)
  return perConfiguration((config) => {
    const defined = fieldsDefinedFor(config, view, taken)
    return defined.length === 0
      ? { record, defined: NONE }
      : { record: withDefined(record, defined), defined }
  })
}

function withDefined<R extends Rules, T extends EventType>(
  record: RecordDeclaration<R, T>,
  defined: readonly DefinedField[],
): RecordDeclaration<R, T> {
  return {
    ...record,
    fields: record.fields.with(defined),
    columns: { ...record.columns, ...definedColumns(defined) },
    writes: (event) => ({ ...record.writes(event), ...definedWrites(defined, event) }),
  }
}

/** What a view adds to `recordFold`: everything but what defined fields change about it. */
type RecordView<State, T extends EventType> = Omit<
  Projection<State, T>,
  'under' | 'concerns' | 'configuredBy'
>

/**
 * The read model that `view` makes of a record's declaration, without defined fields and with them. `others` configure it
 * too.
 */
export function recordView<R extends Rules, T extends EventType, State, H extends EventType>(
  declared: RecordDeclaration<R, T>,
  view: (record: RecordDeclaration<R, T>) => RecordView<State, H>,
  others: readonly EventType[] = [],
): Projection<State, H> {
  const name = declared.fields.view
  const concerns = concernsOf((each) => each === name)
  const configuredBy = [...DEFINED_BY, ...others]
  const under = recordUnder(declared)
  const base: Projection<State, H> = {
    ...view(declared),
    configuredBy,
    concerns,
    under: perConfiguration((config): AnyProjection => {
      const { record } = under(config)
      return record === declared ? base : { ...view(record), configuredBy, concerns }
    }),
  }
  return base
}

/** Of records that are shown as their fields stand: how they explain themselves, and their table. Without an event there is no row. */
export function shownAsKept<R extends Rules & Timed, T extends EventType>(
  { columns, fields }: RecordDeclaration<R, T>,
  { indexes, search }: Pick<Table<GovernedState<R>>, 'indexes' | 'search'>,
): Required<Pick<Projection<GovernedState<R>, T>, 'explain' | 'table'>> {
  return {
    explain: (state, config) =>
      explainColumns(columns, fields.in(config).explain(state, rankingFrom(config))),
    table: {
      grain: 'record',
      columns,
      indexes,
      search,
      rows(state, config) {
        // Each rule's values are of its column's type.
        const values = fields.in(config).values(state, rankingFrom(config)) as Shown
        if (values['updated_at'] === undefined) return oneRow(undefined)
        return oneRow(rowOf(columns, { ...values, archived: values['archived'] ?? false }))
      },
    },
  }
}

/** When its newest event was. */
interface Timed {
  readonly updated_at: Rules[string]
}

type Shown = Readonly<Record<string, CellValue | undefined>>
