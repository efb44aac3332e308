import type * as t from 'io-ts'
import type { PersonalType } from './codec.ts'
import { kindOf, unreachable } from './codec-kinds.ts'

/** A JSON Schema (2020-12), as OpenAPI 3.1 embeds it. */
export type JsonSchema = Readonly<Record<string, unknown>>

/**
 * The schema of what a codec accepts. Properties that are sealed carry `x-personal: true`, and `x-owner` where each
 * element belongs to a person of its own. Unknown properties are kept, so no object is closed.
 */
export function jsonSchema(codec: t.Mixed): JsonSchema {
  const kind = kindOf(codec)
  switch (kind.kind) {
    case 'personal':
      return personalSchema(kind.codec)
    case 'field':
      return kind.codec.schema
    case 'object':
      return objectSchema(kind.props, kind.required)
    case 'intersection':
      return intersectionSchema(kind.parts.map(jsonSchema))
    case 'union':
      return unionSchema(kind.members.map(jsonSchema))
    case 'array':
      return { type: 'array', items: jsonSchema(kind.element) }
    case 'dictionary':
      return { type: 'object', additionalProperties: jsonSchema(kind.value) }
    case 'literal':
      return { const: kind.value }
    case 'choice':
      return { type: 'string', enum: kind.values }
    case 'any_object':
      return { type: 'object' }
    case 'any_array':
      return { type: 'array' }
    case 'boolean':
      return { type: 'boolean' }
    case 'null':
      return { type: 'null' }
    case 'unknown':
      return {}
    default:
      return unreachable(kind)
  }
}

function personalSchema(codec: PersonalType<t.Mixed>): JsonSchema {
  const owner = codec.owner === undefined ? {} : { 'x-owner': codec.owner }
  return { ...jsonSchema(codec.inner), 'x-personal': true, ...owner }
}

function objectSchema(props: Readonly<Record<string, t.Mixed>>, required: boolean): JsonSchema {
  const properties = Object.fromEntries(
    Object.entries(props).map(([name, inner]) => [name, jsonSchema(inner)]),
  )
  const names = Object.keys(props)
  return { type: 'object', properties, ...(required && names.length > 0 ? { required: names } : {}) }
}

/** Parts of one object are shown as one object; anything else as `allOf`. */
function intersectionSchema(parts: readonly JsonSchema[]): JsonSchema {
  const properties: Record<string, unknown> = {}
  const required: unknown[] = []
  for (const part of parts) {
    const own = part.properties
    const names = Object.keys(own ?? {})
    if (typeof own !== 'object' || names.some((name) => Object.hasOwn(properties, name)))
      return { allOf: parts }
    Object.assign(properties, own)
    if (Array.isArray(part.required)) required.push(...part.required)
  }
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}) }
}

/** A value or null is shown as OpenAPI 3.1 readers expect it: `type: ['string', 'null']`. */
function unionSchema(members: readonly JsonSchema[]): JsonSchema {
  const [first, second] = members
  const nullable = members.length === 2 && second?.type === 'null' && typeof first?.type === 'string'
  if (nullable && first.enum === undefined) return { ...first, type: [first.type, 'null'] }
  return { anyOf: members }
}
