import * as E from 'fp-ts/lib/Either.js'
import type { EventOf } from '../engine/events/catalogue.ts'
import type { Configuration, DecodedEvent } from '../engine/projector/projection.ts'
import {
  type DefinedBy,
  type DefinedField,
  type DefinedObject,
  lengthProblem,
  MAX_FIELDS,
  MAX_FIELDS_IN_ALL,
  parseField,
  parseObject,
  type StatedField,
  type StatedObject,
} from './definitions.ts'
import { viewOf } from './survivorship.ts'
import { isRecord, own } from './values.ts'

/**
 * The definitions in force under a configuration. What makes no sense, and what is archived, defines nothing. Where several
 * define a field of one name the first of their streams by name keeps it: so it follows from what is published, and not
 * from when.
 */

interface Said {
  /** Object → fields of `field.defined` about it, in the order of the streams' names. */
  readonly fields: ReadonlyMap<string, readonly DefinedField[]>
  readonly objects: readonly DefinedObject[]
}

const known = new WeakMap<Configuration, Said>()

function saidIn(config: Configuration): Said {
  const cached = known.get(config)
  if (cached !== undefined) return cached
  const fields = new Map<string, DefinedField[]>()
  for (const event of config.all('field.defined')) {
    const parsed = event.data.archived === true ? undefined : parseField(event.data)
    if (parsed === undefined || E.isLeft(parsed)) continue
    const { object, field_id: fieldId } = event.data
    const defined = { ...parsed.right, object, fieldId, definedBy: definedBy(event) }
    fields.set(object, [...(fields.get(object) ?? []), defined])
  }
  const said = { fields, objects: objectsIn(config, fields) }
  known.set(config, said)
  return said
}

export function definedBy({
  id,
  source,
  position,
  time,
  data,
}: EventOf<'field.defined' | 'object.defined'>): DefinedBy {
  return { id, source, position, time, by: data.by ?? undefined }
}

/** What an object's own rows have, whatever is defined. */
export const OBJECT_FIELDS = ['owner', 'identity', 'archived', 'created_at', 'updated_at'] as const

function takenBy(object: string): ReadonlySet<string> {
  return new Set([...OBJECT_FIELDS, 'object', 'record_id', `${object}_id`])
}

function objectsIn(
  config: Configuration,
  fieldsOf: ReadonlyMap<string, readonly DefinedField[]>,
): readonly DefinedObject[] {
  const objects = new Map<string, DefinedObject>()
  for (const event of config.all('object.defined')) {
    const stated = event.data.archived === true ? undefined : parseObject(event.data).stated
    if (stated === undefined || objects.has(stated.object)) continue
    objects.set(stated.object, objectOf(stated, definedBy(event), fieldsOf.get(stated.object) ?? []))
  }
  let left = MAX_FIELDS_IN_ALL
  const inOrder = [...objects.values()].sort((a, b) => (a.object < b.object ? -1 : 1))
  return inOrder.map((each) => {
    const fields = each.fields.slice(0, left)
    left -= fields.length
    return fields.length === each.fields.length ? each : { ...each, fields }
  })
}

function objectOf(stated: StatedObject, by: DefinedBy, others: readonly DefinedField[]): DefinedObject {
  const { object } = stated
  const own = stated.fields.map((field) => ({ ...field, object, definedBy: by }))
  const fitting = others.filter(({ name }) => lengthProblem(object, name) === undefined)
  return { ...stated, fields: chosen([...own, ...fitting], takenBy(object)), definedBy: by }
}

/** Each name once, sorted. */
function chosen(fields: readonly DefinedField[], taken: ReadonlySet<string>): readonly DefinedField[] {
  const byName = new Map<string, DefinedField>()
  for (const field of fields) {
    if (byName.size >= MAX_FIELDS) break
    if (!taken.has(field.name) && !byName.has(field.name)) byName.set(field.name, field)
  }
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** By name; `taken` are the names that the view has already. */
export function fieldsDefinedFor(
  config: Configuration,
  view: string,
  taken: ReadonlySet<string>,
): readonly DefinedField[] {
  return chosen(saidIn(config).fields.get(view) ?? [], taken)
}

/** What `field.defined` says of it, in force or not, archived or not being there itself; retired fields aren't among them. */
export function fieldsSaidOf(config: Configuration, object: string): readonly DefinedField[] {
  return saidIn(config).fields.get(object) ?? []
}

/** By name. */
export function definedObjects(config: Configuration): readonly DefinedObject[] {
  return saidIn(config).objects
}

/** Names that a defined object's own rows use. */
export function takenInObject(object: string): ReadonlySet<string> {
  return takenBy(object)
}

/**
 * For `concerns` of a projection that shows governed fields: what of a published event is about a view for which `isShown`,
 * and of a source what rules look at. Words for the documentation aren't among it.
 */
export function concernsOf(isShown: (view: string) => boolean): (event: DecodedEvent) => unknown {
  return ({ type, data }) => {
    switch (type) {
      case 'source.registered':
        return { source: data['source'], priority: data['priority'] ?? null }
      case 'rules.published':
        return data['kind'] === 'survivorship' ? rulesAbout(data['rules'], isShown) : undefined
      case 'field.defined':
        return fieldAbout(data, isShown)
      case 'object.defined':
        return objectAbout(data, isShown)
      default:
        return data
    }
  }
}

function rulesAbout(rules: unknown, isShown: (view: string) => boolean): unknown {
  if (!isRecord(rules)) return undefined
  const about = Object.entries(rules).filter(([entry]) => isShown(viewOf(entry)))
  return about.length === 0 ? undefined : about.sort(([a], [b]) => (a < b ? -1 : 1))
}

function fieldAbout(data: DecodedEvent['data'], isShown: (view: string) => boolean): unknown {
  const object = own(data, 'object')
  if (typeof object !== 'string' || !isShown(object) || own(data, 'archived') === true) return undefined
  const parsed = parseField(data)
  return E.isLeft(parsed) ? undefined : [object, ...meaningOf(parsed.right)]
}

function objectAbout(data: DecodedEvent['data'], isShown: (view: string) => boolean): unknown {
  const { stated } = parseObject(data)
  if (stated === undefined || !isShown(stated.object) || own(data, 'archived') === true) return undefined
  return [stated.object, stated.fields.map(meaningOf)]
}

function meaningOf({ name, type, rule, sources, values, options }: StatedField): readonly unknown[] {
  return [name, type, rule, sources ?? null, values ?? null, options ?? null]
}
