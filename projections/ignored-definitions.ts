import * as E from 'fp-ts/lib/Either.js'
import type { EventOf } from '../engine/events/catalogue.ts'
import type { Configuration } from '../engine/projector/projection.ts'
import { definedFields, placeOf } from './custom-fields.ts'
import { definedBy, definedObjects } from './defined.ts'
import { type DefinedBy, MAX_FIELDS, MAX_FIELDS_IN_ALL, parseField, parseObject } from './definitions.ts'

/**
 * What was published and defines nothing, with the reason. Definitions are checked where they are published by the routes; an
 * event that somebody sends as it is may say anything, and whoever sent it must be able to see that it has no effect.
 */

export interface Ignored {
  readonly object: string
  /** undefined: all that is said of the object. */
  readonly field: string | undefined
  readonly message: string
  readonly definedBy: DefinedBy
}

/** Of `field.defined`, in the order of the streams' names. */
export function ignoredFields(config: Configuration): readonly Ignored[] {
  return config.all('field.defined').flatMap((event): readonly Ignored[] => {
    const { archived, object, field, field_id: fieldId } = event.data
    if (archived === true) return []
    const message = fieldProblem(event, config)
    const isInForce = definedFields(config, object).some((each) => each.fieldId === fieldId)
    return isInForce ? [] : [{ object, field, message, definedBy: definedBy(event) }]
  })
}

function fieldProblem({ data }: EventOf<'field.defined'>, config: Configuration): string {
  const parsed = parseField(data)
  if (E.isLeft(parsed)) return parsed.left.map(({ message }) => message).join('; ')
  const place = placeOf(data.object, config)
  if (place === undefined) return `there is no view or object ${data.object}, or it is archived`
  return nameProblem(parsed.right.name, data.object, place)
}

type Place = NonNullable<ReturnType<typeof placeOf>>

function nameProblem(name: string, object: string, { taken, defined }: Place): string {
  const namesake = defined.find((each) => each.name === name)
  if (taken.has(name)) return `${object} has a field ${name} already`
  if (namesake !== undefined)
    return `${name} is defined already, as ${namesake.fieldId ?? 'a field of the object'}`
  return `too many are defined: at most ${MAX_FIELDS} fields of one object, ${MAX_FIELDS_IN_ALL} of objects in all`
}

/** Of `object.defined`: whole ones, and fields of ones that are in force. */
export function ignoredObjects(config: Configuration): readonly Ignored[] {
  return config.all('object.defined').flatMap((event): readonly Ignored[] => {
    if (event.data.archived === true) return []
    const { object } = event.data
    const by = definedBy(event)
    const { stated, problems } = parseObject(event.data)
    const found = problems.map(({ path, message }) => ({
      ...{ object, field: undefined, definedBy: by },
      message: path === '' ? message : `${path}: ${message}`,
    }))
    if (stated === undefined) return found
    const inForce = definedObjects(config).find((each) => each.object === object)
    const place = placeOf(object, config)
    if (inForce === undefined || place === undefined) return found
    const names = new Set(inForce.fields.filter((each) => each.fieldId === undefined).map(({ name }) => name))
    const missing = stated.fields.filter(({ name }) => !names.has(name))
    return [
      ...found,
      ...missing.map(({ name }) => ({
        ...{ object, field: name, definedBy: by },
        message: nameProblem(name, object, place),
      })),
    ]
  })
}
