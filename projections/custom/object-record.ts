import type { AnyEvent, EventOf, EventType } from '../../engine/events/catalogue.ts'
import type { Configuration } from '../../engine/projector/projection.ts'
import { max, min } from '../../engine/reducers/extreme.ts'
import { latest } from '../../engine/reducers/latest.ts'
import type { Column } from '../../engine/store/table.ts'
import { definedColumns, definedWrites } from '../custom-values.ts'
import { definedObjects } from '../defined.ts'
import type { DefinedObject } from '../definitions.ts'
import { governedFields, RECORD_WINDOW_MS, type RecordDeclaration } from '../governed.ts'
import { perConfiguration } from '../record-view.ts'
import { type Fields, leadingOf, own, textAt, textOf } from '../values.ts'

/** Records of objects that departments define: `<object>.created`, `.updated` and `.archived` events write them. */

const rules = {
  record_id: latest<string>(),
  owner: latest<string>(),
  identity: latest<string>(),
  archived: latest<boolean>(),
  created_at: min(),
  updated_at: max(),
}

export type ObjectRules = typeof rules

/** What every record of an object has in the view. */
export const OBJECT_COLUMNS = {
  object: { type: 'text', about: 'The object that it is a record of.' },
  record_id: { type: 'text', about: 'Id in the sending system.' },
  owner: { type: 'text', about: 'Who looks after it.' },
  identity: { type: 'identity', about: 'Person or company that its newest event is about.' },
  archived: { type: 'boolean', about: 'True once archived, until created again.' },
  created_at: { type: 'instant', about: 'When it was created.' },
  updated_at: { type: 'instant', about: 'Time of its newest event.' },
} as const satisfies Readonly<Record<string, Column>>

export interface ObjectRecord {
  readonly object: DefinedObject
  /** Its fields go by their own names; the view's columns have the object's before them. Its `handles` are empty: */
  readonly record: RecordDeclaration<ObjectRules, EventType>
  /** Types outside the catalogue. */
  readonly handles: readonly string[]
  /** Of the defined fields. */
  readonly names: ReadonlySet<string>
}

/** By the objects' names. */
export const objectRecords: (config: Configuration) => readonly ObjectRecord[] = perConfiguration((config) =>
  definedObjects(config).map(recordOf),
)

function recordOf(object: DefinedObject): ObjectRecord {
  const name = object.object
  const record: ObjectRecord['record'] = {
    fields: governedFields(
      { view: name, rules, stewarded: { owner: 'text' }, windowMs: RECORD_WINDOW_MS },
      object.fields,
    ),
    columns: { ...OBJECT_COLUMNS, ...definedColumns(object.fields, `${name}__`) },
    handles: [],
    presence: ['record_id', 'created_at', 'updated_at'],
    keys(event) {
      const id = idIn(event, name)
      return id === undefined ? [] : [`${name}:${id}`]
    },
    writes: (event) => ({
      ...definedWrites(object.fields, event),
      record_id: idIn(event, name),
      owner: textAt(event, 'owner'),
      identity: leadingOf(event)?.id,
      ...stepOf(event),
      updated_at: event.time,
    }),
  }
  return {
    object,
    record,
    handles: ['created', 'updated', 'archived'].map((step) => `${name}.${step}`),
    names: new Set(object.fields.map((field) => field.name)),
  }
}

/** The object that a key is of. */
export function objectOf(key: string): string {
  return key.slice(0, key.indexOf(':'))
}

export function isKeyOf({ object }: ObjectRecord, key: string): boolean {
  return key.startsWith(`${object.object}:`) && key.length > object.object.length + 1
}

/** The view's column for a field of an object's records. */
export function columnOf({ object, names }: ObjectRecord, field: string): string {
  return names.has(field) ? `${object.object}__${field}` : field
}

const MAX_ID_LENGTH = 256

/** `<object>_id`, else `id`; undefined: the event names no record. */
function idIn(event: Fields, object: string): string | undefined {
  const id = textOf(own(event.data, `${object}_id`)) || textOf(own(event.data, 'id'))
  return id && id.length <= MAX_ID_LENGTH && id.isWellFormed() ? id : undefined
}

function stepOf({ type, time }: Pick<EventOf<EventType>, 'time'> & Pick<AnyEvent, 'type'>) {
  if (type.endsWith('.created')) return { archived: false, created_at: time }
  return type.endsWith('.archived') ? { archived: true } : {}
}
