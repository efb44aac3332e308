import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as t from 'io-ts'
import type { Configuration } from '../../engine/projector/projection.ts'
import { definedObjects } from '../../projections/defined.ts'
import type { DefinedObject } from '../../projections/definitions.ts'
import { ignoredObjects } from '../../projections/ignored-definitions.ts'
import type { ApiDeps } from '../deps.ts'
import { publish } from '../fields/publish.ts'
import { archiveObjectSchema, defineObjectSchema, objectsSchema } from '../openapi-fields.ts'
import { Problem } from '../problem.ts'
import { awaitPosition, standing } from './answer.ts'
import { BY_WHOM, bodyOf, showDefinedBy, showField, showIgnored } from './fields.ts'
import { registerObjectRecords } from './object-records.ts'
import { CUSTOM_RECORDS } from './object-rows.ts'
import { decodeQuery, flag, position, queryPairs } from './query.ts'
import { ask } from './rows.ts'
import { servedBy } from './served.ts'

/** Objects that departments define: which there are, defining others, taking them back, and their records. */

export const OBJECTS_PATH = '/v1/objects'
const OBJECT_PROPERTIES = ['object', 'label', 'description', 'department', 'fields', 'by', 'replace']

export function registerObjects(app: FastifyInstance, deps: ApiDeps): void {
  if (!deps.projections.has(CUSTOM_RECORDS)) return
  app.get(OBJECTS_PATH, { config: { access: 'read' }, schema: objectsSchema() }, async (request, reply) => {
    const { after } = decodeQuery(queryPairs(request.url), { after: position })
    await awaitPosition(deps, after)
    const config = await deps.publishedConfiguration()
    const { counts, ...at } = await countsOf(deps)
    const served = await servedObjects(deps)
    const data = definedObjects(config).map((object) => ({
      ...showObject(deps, object),
      records: counts.get(object.object) ?? 0,
      served: served.has(object.object),
    }))
    return { ...standing(reply, at), data, ignored: ignoredObjects(config).map(showIgnored) }
  })
  const define = { config: { access: 'admin' }, schema: defineObjectSchema() } as const
  app.post(OBJECTS_PATH, define, async (request, reply) => {
    const { dryRun = false } = decodeQuery(queryPairs(request.url), { dryRun: flag })
    const data = bodyOf(request, OBJECT_PROPERTIES)
    return answer(deps, reply, data, dryRun)
  })
  const archive = { config: { access: 'admin' }, schema: archiveObjectSchema() } as const
  app.delete(`${OBJECTS_PATH}/:object`, archive, async (request, reply) => {
    const { dryRun = false, by } = decodeQuery(queryPairs(request.url), { dryRun: flag, by: BY_WHOM })
    const data = archived(await deps.publishedConfiguration(), request, by)
    return answer(deps, reply, data, dryRun)
  })
  registerObjectRecords(app, deps, OBJECTS_PATH)
}

async function answer(
  deps: ApiDeps,
  reply: FastifyReply,
  data: Readonly<Record<string, unknown>>,
  dryRun: boolean,
): Promise<unknown> {
  const published = await publish(deps, 'object.defined', data, dryRun)
  const { event } = published
  if (event !== null) deps.logger.info({ type: event.type, position: event.position }, 'an object is defined')
  return { ...standing(reply, deps.log.head()), data: published }
}

async function servedObjects(deps: ApiDeps): Promise<ReadonlySet<string>> {
  const served = await servedBy(deps, CUSTOM_RECORDS, undefined)
  return new Set(served === undefined ? [] : definedObjects(served.config).map(({ object }) => object))
}

/** How many records each object has. */
async function countsOf(deps: ApiDeps) {
  const answered = await ask(() =>
    deps.store.aggregate({
      projection: CUSTOM_RECORDS,
      by: [{ column: 'object' }],
      figures: [{ name: 'records', of: 'count' }],
      limit: 1_000,
    }),
  )
  const counts = answered.value.map((row) => [String(row['object']), Number(row['records'])] as const)
  return { position: answered.position, received: answered.received, counts: new Map(counts) }
}

export function showObject(deps: Pick<ApiDeps, 'projections'>, defined: DefinedObject) {
  const { object, label, about, department, fields, definedBy } = defined
  return {
    ...{ object, label, description: about, department: department ?? null },
    fields: fields.map((field) => {
      const { object: _, ...shown } = showField(deps, field)
      return shown
    }),
    defined: showDefinedBy(definedBy),
  }
}

const objectParameter = t.type({ object: t.string })

/** The definition as it was published, marked as archived. */
function archived(
  config: Configuration,
  { params }: FastifyRequest,
  by: string | undefined,
): Readonly<Record<string, unknown>> {
  const decoded = objectParameter.decode(params)
  const object = decoded._tag === 'Right' ? decoded.right.object : ''
  const stated = config.all('object.defined').find(({ data }) => data.object === object)
  if (stated === undefined || !definedObjects(config).some((each) => each.object === object)) {
    throw new Problem('not_found', 'No such object is defined.')
  }
  const { by: _, replace: __, ...data } = stated.data
  return { ...data, archived: true, ...(by === undefined ? {} : { by }) }
}
