import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as t from 'io-ts'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { jsonSchema } from '../../engine/events/json-schema.ts'
import { personalProperties } from '../../engine/events/personal.ts'
import { registry } from '../../engine/events/registry.ts'
import { schemasSchema, typeSchema } from '../openapi-versions.ts'
import { Problem } from '../problem.ts'
import { etagOf, unchanged } from './answer.ts'
import { decodeQuery, queryPairs } from './query.ts'

const PATH = '/v1/schemas'

/** The schema registry: every type of event, what its data holds, what of it is sealed, and which versions are taken. */
export function registerSchemas(app: FastifyInstance): void {
  const read = (schema: ReturnType<typeof schemasSchema>) => ({ config: { access: 'read' }, schema }) as const
  app.get(PATH, read(schemasSchema()), async (request, reply) => {
    decodeQuery(queryPairs(request.url), {})
    const data = registry.types.flatMap((type) => {
      const definition = registry.find(type)
      return definition === undefined ? [] : [describe(type, definition)]
    })
    return unchanged(request, reply, etagOf(data)) ? reply.send() : { data }
  })
  app.get(`${PATH}/:type`, read(typeSchema(false)), async (request, reply) => {
    const { type, definition } = asked(request)
    const data = { ...describe(type, definition), json_schema: jsonSchema(definition.codec) }
    return unchanged(request, reply, etagOf(data)) ? reply.send() : { data }
  })
  app.get(`${PATH}/:type/:version`, read(typeSchema(true)), async (request, reply) => {
    const { type, definition, version } = asked(request)
    const isNewest = version === definition.schema
    // What was published of an older version is lifted before anybody reads it: only the newest has a codec.
    const json_schema = isNewest ? jsonSchema(definition.codec) : null
    const lifted_to = isNewest ? null : version + 1
    const data = { ...describe(type, definition), version, lifted_to, json_schema }
    return unchanged(request, reply, etagOf(data)) ? reply.send() : { data }
  })
}

function asked(request: FastifyRequest) {
  decodeQuery(queryPairs(request.url), {})
  const { type, version } = params.is(request.params) ? request.params : { type: '', version: undefined }
  const definition = registry.find(type)
  if (definition === undefined) throw new Problem('not_found', 'There is no such type in the catalogue.')
  if (version !== undefined && !versionsOf(definition).some((each) => String(each) === version))
    throw new Problem('not_found', `The newest version of this type is ${definition.schema}.`)
  return { type, definition, version: Number(version ?? definition.schema) }
}

const params = t.intersection([t.type({ type: t.string }), t.partial({ version: t.string })])

function describe(type: string, definition: EventDefinition) {
  const { schema, category, retention, record, identities, normalise } = definition
  return {
    type,
    schema,
    versions: versionsOf(definition),
    category,
    retention,
    record: record ?? null,
    identities: identities.map(([namespace, path]) => ({ namespace, path })),
    personal: [...personalProperties(definition).keys()],
    normalised: normalise,
  }
}

function versionsOf({ schema }: EventDefinition): readonly number[] {
  return Array.from({ length: schema }, (_, at) => at + 1)
}
