import assert from 'node:assert/strict'
import * as t from 'io-ts'
import { expressionNode, mappingCodec, ObjectNodeType, ValueNodeType, valueNode } from './mapping-codec.ts'
import { ClosedType, KeyedType, PatternType, ScalarType, WordOrType } from './shapes.ts'

/** `mapping.schema.json`: the codec of mappings as JSON Schema 2020-12, so that editors complete and check them. */

type Schema = Readonly<Record<string, unknown>>

export function mappingSchema(): Schema {
  const definitions = new Map<string, Schema>()
  const root = schemaOf(mappingCodec, definitions)
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Headwater import mapping',
    description: 'How the rows of a CSV or NDJSON file become events; told in prose in MAPPING.md.',
    ...root,
    $defs: Object.fromEntries([...definitions].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

function schemaOf(codec: t.Mixed, definitions: Map<string, Schema>): Schema {
  if (codec instanceof ClosedType) return closedSchema(codec, definitions)
  if (codec instanceof KeyedType) {
    const members: t.Props = codec.members
    return { oneOf: Object.values(members).map((member) => schemaOf(member, definitions)) }
  }
  if (codec instanceof PatternType) return { type: 'string', pattern: codec.pattern.source }
  if (codec instanceof ScalarType) return { type: ['string', 'number', 'boolean', 'null'] }
  if (codec instanceof ValueNodeType) return defined('Value', definitions, () => valueSchema(definitions))
  if (codec instanceof ObjectNodeType) return objectSchema(schemaOf(valueNode, definitions))
  if (codec instanceof t.RecursiveType) {
    const recursive: t.RecursiveType<t.Mixed> = codec
    return defined(recursive.name, definitions, () => schemaOf(recursive.runDefinition(), definitions))
  }
  if (codec instanceof t.ReadonlyArrayType || codec instanceof t.ArrayType) {
    return { type: 'array', items: schemaOf(codec.type, definitions) }
  }
  if (codec instanceof t.ReadonlyType) return schemaOf(codec.type, definitions)
  if (codec instanceof t.DictionaryType) {
    return { type: 'object', additionalProperties: schemaOf(codec.codomain, definitions) }
  }
  if (codec instanceof WordOrType) {
    const members: readonly t.Mixed[] = [codec.word, codec.object]
    return { anyOf: members.map((member) => schemaOf(member, definitions)) }
  }
  if (codec instanceof t.KeyofType) return { enum: Object.keys(codec.keys) }
  if (codec instanceof t.LiteralType) return { const: codec.value }
  return plainSchema(codec)
}

function plainSchema(codec: t.Mixed): Schema {
  if (codec instanceof t.StringType) return { type: 'string' }
  if (codec instanceof t.NumberType) return { type: 'number' }
  if (codec instanceof t.BooleanType) return { type: 'boolean' }
  if (codec instanceof t.AnyDictionaryType) return { type: 'object' }
  assert(codec instanceof t.UnknownType, `no JSON Schema is known for the codec ${codec.name}`)
  return {}
}

function closedSchema(codec: ClosedType<t.Props, t.Props>, definitions: Map<string, Schema>): Schema {
  const properties = { ...codec.required, ...codec.optional }
  return {
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(properties).map(([key, member]) => [key, schemaOf(member, definitions)]),
    ),
    required: Object.keys(codec.required),
    additionalProperties: false,
  }
}

/** Put in place before it is worked out, because it refers to itself. */
function defined(name: string, definitions: Map<string, Schema>, make: () => Schema): Schema {
  if (!definitions.has(name)) {
    definitions.set(name, {})
    definitions.set(name, make())
  }
  return { $ref: `#/$defs/${name}` }
}

/** An object with a `$` key is an expression, any other an object of values. */
function valueSchema(definitions: Map<string, Schema>): Schema {
  const value = { $ref: '#/$defs/Value' }
  return {
    anyOf: [
      { type: ['string', 'number', 'boolean', 'null'] },
      { type: 'array', items: value },
      schemaOf(expressionNode, definitions),
      objectSchema(value),
    ],
  }
}

function objectSchema(value: Schema): Schema {
  return { type: 'object', propertyNames: { pattern: '^(?!\\$)' }, additionalProperties: value }
}
