import type { Configuration } from '../../engine/projector/projection.ts'
import type { DecisionWrite } from '../../engine/reducers/decisions.ts'
import type { Column } from '../../engine/store/table.ts'
import { definedColumns, definedWrites } from '../custom-values.ts'
import { fieldsDefinedFor } from '../defined.ts'
import type { DefinedField } from '../definitions.ts'
import { perConfiguration, takenIn } from '../record-view.ts'
import { describesTraits, type ProfileEvent, statesRecord } from './profile-events.ts'
import { type GoldenWrites, golden, TRAIT } from './profile-fields.ts'

/** The golden record's fields with those that a workspace has defined. */
export interface Gold {
  readonly golden: typeof golden
  readonly columns: Readonly<Record<string, Column>>
  /** By name. */
  readonly defined: readonly DefinedField[]
  /** undefined: none are defined. Of a trait of such a name the field is the place. */
  readonly names: ReadonlySet<string> | undefined
}

/** What a profile's single row tells beside its columns: a field of such a name could never be read there. */
const BESIDE_COLUMNS = ['employer', 'people', 'identities']

/** Names that no defined field of profiles may have. */
export function takenInProfile(columns: Readonly<Record<string, Column>>): ReadonlySet<string> {
  return new Set([...takenIn({ columns, fields: golden }), ...BESIDE_COLUMNS])
}

/** `columns` are those that the profile shows in any case. */
export function goldUnder(columns: Readonly<Record<string, Column>>): (config: Configuration) => Gold {
  const taken = takenInProfile(columns)
  const base: Gold = { golden, columns, defined: [], names: undefined }
  return perConfiguration((config) => {
    const defined = fieldsDefinedFor(config, golden.view, taken)
    if (defined.length === 0) return base
    return {
      golden: golden.with(defined),
      columns: { ...columns, ...definedColumns(defined) },
      defined,
      names: new Set(defined.map(({ name }) => name)),
    }
  })
}

/** The writes themselves, with what the event says of defined fields: by traits, or as the record that it describes. */
export function withDefined({ defined }: Gold, event: ProfileEvent, writes: GoldenWrites): GoldenWrites {
  if (defined.length === 0) return writes
  if (event.type === 'cdp.identify' || describesTraits(event))
    return { ...writes, ...definedWrites(defined, event, 'traits') }
  return statesRecord(event) ? { ...writes, ...definedWrites(defined, event) } : writes
}

/** What was decided about a trait holds for the field that the trait has become. */
export function decidedIn({ names }: Gold, decision: DecisionWrite | undefined): DecisionWrite | undefined {
  if (decision === undefined || names === undefined || !decision.field.startsWith(TRAIT)) return decision
  const name = decision.field.slice(TRAIT.length)
  return names.has(name) ? { ...decision, field: name } : decision
}
