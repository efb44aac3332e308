import swagger from '@fastify/swagger'
import swaggerUi, { type FastifySwaggerUiOptions } from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { catalogue } from '../engine/events/catalogue.ts'
import type { EventDefinition } from '../engine/events/codec.ts'
import { jsonSchema } from '../engine/events/json-schema.ts'
import type { Configuration } from '../engine/projector/projection.ts'
import type { ApiDeps } from './deps.ts'
import { withDefined } from './documentation-defined.ts'
import { PROFILES } from './routes/profiles.ts'
import { RECORDS } from './routes/records.ts'
import type { JsonSchema } from './schemas.ts'
import { array, INSTANT, INTEGER, object, POSITION, PROBLEM, STRING } from './schemas.ts'
import { WRITE_KEY_HEADER } from './security.ts'

const SECURITY_SCHEMES = {
  writeKey: { type: 'http', scheme: 'bearer', description: 'The write key: sends events.' },
  writeKeyBasic: { type: 'http', scheme: 'basic', description: 'The write key as user name, no password.' },
  readToken: { type: 'http', scheme: 'bearer', description: 'The read token: reads.' },
  writeKeyBeside: {
    type: 'apiKey',
    in: 'header',
    name: WRITE_KEY_HEADER,
    description: 'The write key, beside the read token: what can’t be undone asks for both.',
  },
} as const

const UI_POLICY =
  "default-src 'none'; base-uri 'none'; connect-src 'self'; font-src 'self' data:; img-src 'self' data:; " +
  "script-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"

/**
 * OpenAPI 3.1 at `/docs/json`, made of the routes as they are registered after this, with what is defined when it is asked for, and a
 * page to try them at `/docs`.
 */
export async function registerDocumentation(app: FastifyInstance, deps: ApiDeps): Promise<void> {
  app.addSchema({ $id: 'Problem', ...PROBLEM })
  for (const [type, definition] of Object.entries<EventDefinition>(catalogue)) {
    app.addSchema({ $id: dataSchemaId(type), ...jsonSchema(definition.codec) })
  }
  app.addSchema({ $id: 'CloudEvent', ...eventSchema() })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Headwater',
        version: deps.version,
        description: 'One log of everything customers do, and the views that follow.',
      },
      components: { securitySchemes: SECURITY_SCHEMES },
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) => String(json.$id ?? `def-${index}`),
    },
  })
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'open' }
    })
    await docs.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: UI_POLICY,
      uiConfig: { validatorUrl: null },
      ...definedIn(deps),
    })
  })
}

const DOCUMENTED = [PROFILES, ...RECORDS]

/** What departments have defined is looked up for each request, and stands in a copy of the document. */
function definedIn(
  deps: ApiDeps,
): Pick<FastifySwaggerUiOptions, 'uiHooks' | 'transformSpecification' | 'transformSpecificationClone'> {
  const published = new WeakMap<FastifyRequest, Configuration>()
  return {
    uiHooks: {
      preHandler: async (request: FastifyRequest) => {
        if (!/\/(?:json|yaml)$/.test(request.routeOptions.url ?? '')) return
        await deps.serving?.refresh()
        published.set(request, await deps.publishedConfiguration())
      },
    },
    transformSpecification: (document, request) => {
      const config = published.get(request)
      return config === undefined ? document : withDefined(document, deps, DOCUMENTED, config)
    },
    // It copies what it changes itself, where there is anything to change.
    transformSpecificationClone: false,
  }
}

/** A component's name may hold letters, digits, `.`, `-` and `_` (OpenAPI 3.1, 4.8.7). */
function dataSchemaId(type: string): string {
  return `data.${type.replaceAll(/[^A-Za-z0-9._-]+/g, '_')}`
}

/** An event as senders write it; what `data` holds depends on its type. */
function eventSchema(): JsonSchema {
  const identity = { anyOf: [STRING, object({ namespace: STRING, value: STRING })] }
  const properties = {
    specversion: STRING,
    id: { ...STRING, description: 'With `source` the idempotency key, for the whole life of the log.' },
    source: STRING,
    type: { ...STRING, description: 'A type of the catalogue, or one of your own.' },
    schema: { ...INTEGER, minimum: 1, description: 'Version of `data`; default 1.' },
    subject: { ...STRING, description: 'Stream name; derived where absent.' },
    time: INSTANT,
    sent: INSTANT,
    sequence: { ...INTEGER, minimum: 0 },
    identities: {
      ...array(identity),
      description: 'Who, as namespace:value; derived from `data` where absent.',
    },
    actor: STRING,
    origin: STRING,
    causation: STRING,
    correlation: STRING,
    basedon: POSITION,
    expectedrevision: { ...INTEGER, minimum: -1 },
    expectedposition: POSITION,
    data: { type: 'object' },
  }
  const allOf = Object.keys(catalogue).map((type) => ({
    if: object({ type: { type: 'string', enum: [type] } }),
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; nobody awaits a schema.
    then: { type: 'object', properties: { data: { $ref: `${dataSchemaId(type)}#` } } },
  }))
  return { ...object(properties, ['id', 'source', 'type']), allOf }
}
