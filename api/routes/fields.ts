import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as t from 'io-ts'
import type { Configuration } from '../../engine/projector/projection.ts'
import { definedFields } from '../../projections/custom-fields.ts'
import { definedObjects, fieldsSaidOf } from '../../projections/defined.ts'
import { DEFINABLE_VIEWS, type DefinedBy, type DefinedField } from '../../projections/definitions.ts'
import { type Ignored, ignoredFields } from '../../projections/ignored-definitions.ts'
import type { ApiDeps } from '../deps.ts'
import { publish } from '../fields/publish.ts'
import { archiveFieldSchema, defineFieldSchema, fieldsSchema } from '../openapi-fields.ts'
import { invalidBody, invalidQuery, Problem } from '../problem.ts'
import { awaitPosition, standing } from './answer.ts'
import { formatInstant } from './cells.ts'
import { decodeQuery, flag, parsed, position, queryPairs } from './query.ts'

/** Fields that departments define: which there are, defining others, taking them back. */

const PATH = '/v1/fields'
/** Who decides, by a name of the operator's own staff. */
export const BY_WHOM = parsed('a text of 1 to 200 characters', t.string.is, (text) =>
  text !== '' && text.length <= 200 && text.isWellFormed() ? text : undefined,
)

export function registerFields(app: FastifyInstance, deps: ApiDeps): void {
  app.get(PATH, { config: { access: 'read' }, schema: fieldsSchema() }, async (request, reply) => {
    const { object, after } = decodeQuery(queryPairs(request.url), { object: t.string, after: position })
    await awaitPosition(deps, after)
    const config = await deps.publishedConfiguration()
    const known = placesOf(config)
    const isSaid = object !== undefined && fieldsSaidOf(config, object).length > 0
    if (object !== undefined && !known.includes(object) && !isSaid) {
      throw invalidQuery([{ parameter: 'object', message: `is one of ${known.join(', ')}` }])
    }
    const fields = (object === undefined ? known : [object]).flatMap((each) => definedFields(config, each))
    const ignored = ignoredFields(config).filter((each) => object === undefined || each.object === object)
    const data = fields.map((field) => showField(deps, field))
    return { ...standing(reply, deps.log.head()), data, ignored: ignored.map(showIgnored) }
  })
  const define = { config: { access: 'admin' }, schema: defineFieldSchema() } as const
  app.post(PATH, define, async (request, reply) => {
    const { dryRun = false } = decodeQuery(queryPairs(request.url), { dryRun: flag })
    const data = bodyOf(request, FIELD_PROPERTIES)
    const stated = {
      ...data,
      field_id: data['field_id'] ?? fieldIdOf(await deps.publishedConfiguration(), data),
    }
    const answer = await publish(deps, 'field.defined', stated, dryRun)
    if (!dryRun)
      deps.logger.info({ type: 'field.defined', position: answer.event?.position }, 'a field is defined')
    return { ...standing(reply, deps.log.head()), data: { ...answer, field_id: stated.field_id } }
  })
  const archive = { config: { access: 'admin' }, schema: archiveFieldSchema() } as const
  app.delete(`${PATH}/:object/:field`, archive, async (request, reply) => {
    const { dryRun = false, by } = decodeQuery(queryPairs(request.url), { dryRun: flag, by: BY_WHOM })
    const data = archived(await deps.publishedConfiguration(), request, by)
    const answer = await publish(deps, 'field.defined', data, dryRun)
    if (!dryRun)
      deps.logger.info({ type: 'field.defined', position: answer.event?.position }, 'a field is archived')
    return { ...standing(reply, deps.log.head()), data: { ...answer, field_id: data['field_id'] } }
  })
}

function placesOf(config: Configuration): readonly string[] {
  return [...DEFINABLE_VIEWS, ...definedObjects(config).map(({ object }) => object)]
}

/** The name of the field's column, as the store has it. */
export function columnNameOf({ object, name }: Pick<DefinedField, 'object' | 'name'>): string {
  return isView(object) ? name : `${object}__${name}`
}

export function isView(object: string): boolean {
  return DEFINABLE_VIEWS.some((view) => view === object)
}

export function showField(deps: Pick<ApiDeps, 'projections'>, field: DefinedField) {
  const { object, name, type, rule, about, department, sources, values, options, fieldId, definedBy } = field
  const served = deps.projections.get(isView(object) ? object : 'custom_record')?.table.columns
  const column = columnNameOf(field)
  return {
    ...{ object, field: name, type, rule, description: about, department: department ?? null },
    ...{ sources: sources ?? null, values: values ?? null, options: options ?? null },
    /** Absent: the object's own definition has it. */
    ...(fieldId === undefined ? {} : { field_id: fieldId }),
    // A build that is being made, or that waits to be switched to, will have it.
    served: served !== undefined && Object.hasOwn(served, column) && served[column]?.type === type,
    defined: showDefinedBy(definedBy),
  }
}

export function showDefinedBy({ id, source, position: at, time, by }: DefinedBy) {
  return { event: id, source, position: at, time: formatInstant(time), by: by ?? null }
}

/** What was published and has no effect. */
export function showIgnored({ object, field, message, definedBy }: Ignored) {
  return { object, field: field ?? null, message, defined: showDefinedBy(definedBy) }
}

const FIELD_PROPERTIES = [
  ...['field_id', 'object', 'field', 'type', 'rule', 'sources', 'values', 'options'],
  ...['name', 'description', 'department', 'by', 'replace'],
]

/** Misspelt, a property would be taken for one that was left out. */
export function bodyOf(
  { body }: FastifyRequest,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  if (!t.UnknownRecord.is(body) || Array.isArray(body)) throw invalidBody('', 'The body is an object.')
  const foreign = Object.keys(body).findIndex((name) => !known.includes(name))
  if (foreign !== -1) throw invalidBody('', `The body knows ${known.join(', ')}.`)
  return body
}

/** What the field is defined by so far, so that defining it again changes it; else its name. */
function fieldIdOf(config: Configuration, { object, field }: Readonly<Record<string, unknown>>): string {
  const [place, name] = [String(object), String(field)]
  const known = definedFields(config, place).find((each) => each.name === name)
  return known?.fieldId ?? `${place}.${name}`
}

const place = t.type({ object: t.string, field: t.string })

/** The definition as it was published, marked as archived: whoever reads the log sees what went. */
function archived(
  config: Configuration,
  { params }: FastifyRequest,
  by: string | undefined,
): Readonly<Record<string, unknown>> {
  const decoded = place.decode(params)
  const { object, field } = decoded._tag === 'Right' ? decoded.right : { object: '', field: '' }
  const fields = [...definedFields(config, object), ...fieldsSaidOf(config, object)]
  const found = fields.find(({ name }) => name === field)
  if (found === undefined) throw new Problem('not_found', 'No such field is defined.')
  if (found.fieldId === undefined) {
    throw invalidBody('', 'The object’s own definition has the field: define the object without it.')
  }
  const stated = config.all('field.defined').find(({ data }) => data.field_id === found.fieldId)
  const {
    by: _,
    replace: __,
    ...data
  } = stated?.data ?? {
    ...{ field_id: found.fieldId, object, field, type: found.type },
  }
  return { ...data, archived: true, ...(by === undefined ? {} : { by }) }
}
