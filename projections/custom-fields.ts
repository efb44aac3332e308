import * as E from 'fp-ts/lib/Either.js'
import type { Configuration } from '../engine/projector/projection.ts'
import { goldIn, TAKEN_IN_PROFILE } from './cdp/profile.ts'
import { accountRecord } from './crm/account.ts'
import { contactRecord } from './crm/contact.ts'
import { dealRecord } from './crm/deal.ts'
import { leadRecord } from './crm/lead.ts'
import { definedObjects, fieldsSaidOf, takenInObject } from './defined.ts'
import {
  type DefinedField,
  type DefinedObject,
  ill,
  lengthProblem,
  MAX_FIELDS,
  MAX_FIELDS_IN_ALL,
  type Problem,
  parseField,
  parseObject,
  type StatedField,
  textIn,
} from './definitions.ts'
import { campaignRecord } from './marketing/campaign.ts'
import { recordUnder, takenIn } from './record-view.ts'
import { caseRecord } from './service/case.ts'
import { isRecord, own } from './values.ts'

/** Fields and objects that a workspace has defined, and whether it may define another. */

interface DefinableView {
  /** Names that the view has without definitions. */
  readonly taken: ReadonlySet<string>
  defined(config: Configuration): readonly DefinedField[]
}

const VIEWS: ReadonlyMap<string, DefinableView> = new Map([
  ['profile', { taken: TAKEN_IN_PROFILE, defined: (config: Configuration) => goldIn(config).defined }],
  ['account', definable(accountRecord, recordUnder(accountRecord))],
  ['contact', definable(contactRecord, recordUnder(contactRecord))],
  ['lead', definable(leadRecord, recordUnder(leadRecord))],
  ['opportunity', definable(dealRecord, recordUnder(dealRecord))],
  ['case', definable(caseRecord, recordUnder(caseRecord))],
  ['campaign', definable(campaignRecord, recordUnder(campaignRecord))],
])

function definable(
  record: Parameters<typeof takenIn>[0],
  under: (config: Configuration) => { readonly defined: readonly DefinedField[] },
): DefinableView {
  return { taken: takenIn(record), defined: (config) => under(config).defined }
}

/** Of a view or a defined object, by name; of anything else none. */
export function definedFields(config: Configuration, object: string): readonly DefinedField[] {
  const view = VIEWS.get(object)
  if (view !== undefined) return view.defined(config)
  return definedObjects(config).find((each) => each.object === object)?.fields ?? []
}

/**
 * Everything that is wrong with a definition that somebody is about to publish; empty: it may be. What is in use may become
 * narrower (another type, fewer options, another field under the same id, a field less of an object) only where the data say
 * `replace: true`; a field or an object is retired by `archived: true`.
 */
export function checkDefinition(
  type: 'field.defined' | 'object.defined',
  data: unknown,
  config: Configuration,
): readonly Problem[] {
  if (!isRecord(data)) return [ill('', 'must be an object')]
  switch (type) {
    case 'field.defined':
      return checkField(data, config)
    case 'object.defined':
      return checkObject(data, config)
  }
}

type Document = Readonly<Record<string, unknown>>

function checkField(data: Document, config: Configuration): readonly Problem[] {
  const fieldId = textIn(data, 'field_id')
  const object = textIn(data, 'object')
  const problems: Problem[] = []
  if (fieldId === undefined) problems.push(ill('field_id', 'field_id is a text'))
  if (own(data, 'archived') === true) return [...problems, ...checkRetired(data, object, config)]
  const place = object === undefined ? undefined : placeOf(object, config)
  if (object === undefined || place === undefined) {
    const names = [...VIEWS.keys(), ...definedObjects(config).map((each) => each.object)].join(', ')
    problems.push({ _tag: 'UnknownObject', path: 'object', message: `fields can be defined for ${names}` })
    return problems
  }
  const { defined } = place
  const before = allDefined(config).find((each) => each.fieldId === fieldId)
  const parsed = parseField(data)
  if (E.isLeft(parsed)) return [...problems, ...parsed.left]
  const field = parsed.right
  const tooLong = VIEWS.has(object) ? undefined : lengthProblem(object, field.name)
  if (tooLong !== undefined) problems.push({ _tag: 'Name', path: 'field', message: tooLong })
  const namesake = defined.find(({ name }) => name === field.name)
  if (place.taken.has(field.name) || (namesake !== undefined && namesake.fieldId !== fieldId)) {
    const message = `${object} has a field ${field.name} already${idOf(namesake)}`
    problems.push({ _tag: 'Taken', path: 'field', message })
  }
  if (before !== undefined && own(data, 'replace') !== true)
    problems.push(...movedFrom(before, object, field))
  const others = (fields: readonly DefinedField[]) =>
    fields.filter((each) => each.fieldId !== fieldId || fieldId === undefined)
  problems.push(...tooMany(others(defined).length + 1, others(allDefined(config)).length + 1))
  return problems
}

/** A field may be retired where it isn't in force either: of an object that is gone, or behind another of its name. */
function checkRetired(data: Document, object: string | undefined, config: Configuration): readonly Problem[] {
  const name = own(data, 'field')
  const said = object === undefined ? [] : fieldsSaidOf(config, object)
  if (said.some((each) => each.fieldId === own(data, 'field_id') && each.name === name)) return []
  const message = `no field ${String(name)} of ${object ?? 'an object'} is defined under this id`
  return [{ _tag: 'UnknownField', path: 'field', message }]
}

function idOf(field: DefinedField | undefined): string {
  return field?.fieldId === undefined ? '' : `, defined as ${field.fieldId}`
}

/** Where a field may stand: what is there, and what is defined. undefined: no such view or object. */
export function placeOf(
  object: string,
  config: Configuration,
): { readonly taken: ReadonlySet<string>; readonly defined: readonly DefinedField[] } | undefined {
  const view = VIEWS.get(object)
  if (view !== undefined) return { taken: view.taken, defined: view.defined(config) }
  const found = definedObjects(config).find((each) => each.object === object)
  return found && { taken: takenInObject(object), defined: found.fields }
}

function allDefined(config: Configuration): readonly DefinedField[] {
  const ofViews = [...VIEWS.values()].flatMap((view) => view.defined(config))
  return [...ofViews, ...definedObjects(config).flatMap(({ fields }) => fields)]
}

function movedFrom(before: DefinedField, object: string, field: StatedField): readonly Problem[] {
  if (before.object === object && before.name === field.name) return narrower(before, field, '')
  const message = `the id is that of ${before.object}.${before.name}, which would be gone; with replace: true it goes`
  return [{ _tag: 'Narrower', path: 'field_id', message }]
}

/** What values of before couldn't be held any more. */
function narrower(before: StatedField, after: StatedField, at: string): readonly Problem[] {
  if (before.type !== after.type) {
    const message = `${after.name} is of the type ${before.type}; with replace: true it becomes ${after.type}`
    return [{ _tag: 'Narrower', path: `${at}type`, message }]
  }
  const gone =
    after.options === undefined
      ? []
      : (before.options?.filter((option) => after.options?.includes(option) !== true) ?? ['other texts'])
  if (gone.length === 0) return []
  const message = `${after.name} would lose ${gone.join(', ')}; with replace: true it does`
  return [{ _tag: 'Narrower', path: `${at}options`, message }]
}

function tooMany(ofObject: number, inAll: number): readonly Problem[] {
  const problems: Problem[] = []
  if (ofObject > MAX_FIELDS) {
    problems.push({ _tag: 'TooMany', path: '', message: `at most ${MAX_FIELDS} fields of one object` })
  }
  if (inAll > MAX_FIELDS_IN_ALL) {
    problems.push({ _tag: 'TooMany', path: '', message: `at most ${MAX_FIELDS_IN_ALL} fields in all` })
  }
  return problems
}

function checkObject(data: Document, config: Configuration): readonly Problem[] {
  const before = definedObjects(config).find((each) => each.object === own(data, 'object'))
  if (own(data, 'archived') === true) {
    if (before !== undefined) return []
    return [{ _tag: 'UnknownObject', path: 'object', message: 'no such object is defined' }]
  }
  const { stated, problems } = parseObject(data)
  if (stated === undefined) return problems
  const taken = takenInObject(stated.object)
  const found = [...problems]
  for (const { name } of stated.fields) {
    if (!taken.has(name)) continue
    found.push({ _tag: 'Taken', path: 'fields', message: `every record has ${name} already` })
  }
  if (before !== undefined && own(data, 'replace') !== true) found.push(...lessThan(before, stated.fields))
  const names = new Set(stated.fields.map(({ name }) => name))
  const added = (before?.fields ?? []).filter(
    ({ fieldId, name }) => fieldId !== undefined && !names.has(name),
  )
  const others = allDefined(config).filter((each) => each.object !== stated.object)
  const count = names.size + added.length
  return [...found, ...tooMany(count, others.length + count)]
}

/** Fields that an object would lose or that would hold less; those of `field.defined` stay. */
function lessThan(before: DefinedObject, fields: readonly StatedField[]): readonly Problem[] {
  return before.fields.flatMap((field): readonly Problem[] => {
    const after = fields.find(({ name }) => name === field.name)
    if (after !== undefined) return narrower(field, after, 'fields.')
    if (field.fieldId !== undefined) return []
    const message = `${field.name} would be gone; with replace: true it goes`
    return [{ _tag: 'Narrower', path: 'fields', message }]
  })
}
