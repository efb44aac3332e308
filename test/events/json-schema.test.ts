// The JSON Schema of every event type accepts all data that its codec accepts, marks exactly the personal properties,
// and stays within the keywords that OpenAPI 3.1 takes.

import fc from 'fast-check'
import * as t from 'io-ts'
import { describe, expect, test } from 'vitest'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { personal } from '../../engine/events/codec.ts'
import { amount, id, orBlank, orNull, shape, text } from '../../engine/events/fields.ts'
import type { JsonSchema } from '../../engine/events/json-schema.ts'
import { jsonSchema } from '../../engine/events/json-schema.ts'
import { personalProperties, requiredProperties } from '../../engine/events/personal.ts'
import { registry } from '../../engine/events/registry.ts'
import { arbitraryData } from '../support/arbitrary.ts'

const all: readonly (readonly [string, EventDefinition])[] = registry.types.flatMap((type) => {
  const definition = registry.find(type)
  return definition === undefined ? [] : [[type, definition] as const]
})

describe.each(all)('%s', (_, definition) => {
  const schema = jsonSchema(definition.codec)

  test('accepts what the codec accepts', () => {
    fc.assert(
      fc.property(arbitraryData(definition), (data) => {
        expect(faults(schema, data, 'data')).toEqual([])
      }),
      { numRuns: 10 },
    )
  })

  test('shows one object with what is required and what is personal', () => {
    const properties = schema.properties as Readonly<Record<string, JsonSchema>>
    const marked = Object.keys(properties).filter((name) => properties[name]?.['x-personal'] === true)
    expect(marked.sort()).toEqual([...personalProperties(definition).keys()].sort())
    expect(new Set((schema.required ?? []) as string[])).toEqual(requiredProperties(definition))
  })
})

test('the forms that schemas take', () => {
  expect(jsonSchema(orNull(id))).toEqual({ type: ['string', 'null'], minLength: 1, maxLength: 256 })
  expect(jsonSchema(orBlank(amount))).toEqual({
    anyOf: [jsonSchema(amount), { type: 'null' }, { const: '' }],
  })
  expect(jsonSchema(t.record(t.string, t.boolean))).toEqual({
    type: 'object',
    additionalProperties: { type: 'boolean' },
  })
  expect(jsonSchema(t.keyof({ won: null, lost: null }))).toEqual({ type: 'string', enum: ['won', 'lost'] })
  expect(jsonSchema(personal(text))).toMatchObject({ type: 'string', 'x-personal': true })
  expect(jsonSchema(shape({ a: text }, { b: text }))).toEqual({
    type: 'object',
    properties: { a: jsonSchema(text), b: jsonSchema(text) },
    required: ['a'],
  })
  expect(jsonSchema(t.intersection([t.type({ a: text }), t.type({ a: id })]))).toEqual({
    allOf: [jsonSchema(t.type({ a: text })), jsonSchema(t.type({ a: id }))],
  })
})

test('an io-ts type that isn’t in use is an error, not an empty schema', () => {
  expect(() => jsonSchema(t.bigint)).toThrow(/bigint/)
  expect(() => jsonSchema(t.type({ a: t.tuple([t.string]) }))).toThrow()
})

/** Refuses keywords that it doesn't know, so that none goes unchecked. */
function faults(schema: JsonSchema, value: unknown, path: string): readonly string[] {
  return Object.entries(schema).flatMap(([keyword, expected]) => fault(keyword, expected, value, path))
}

function fault(keyword: string, expected: unknown, value: unknown, path: string): readonly string[] {
  const wrong = (ok: boolean): readonly string[] => (ok ? [] : [`${path}: ${keyword}`])
  const each = (schemas: unknown) =>
    (schemas as JsonSchema[]).filter((s) => faults(s, value, path).length === 0)
  switch (keyword) {
    case 'type':
      return wrong([expected].flat().some((type) => isOfType(type, value)))
    case 'properties':
      return Object.entries(expected as Record<string, JsonSchema>).flatMap(([name, inner]) =>
        isRecord(value) && Object.hasOwn(value, name) ? faults(inner, value[name], `${path}.${name}`) : [],
      )
    case 'required':
      return wrong((expected as string[]).every((name) => isRecord(value) && Object.hasOwn(value, name)))
    case 'items':
      return Array.isArray(value)
        ? value.flatMap((v, i) => faults(expected as JsonSchema, v, `${path}.${i}`))
        : []
    case 'additionalProperties':
      return isRecord(value)
        ? Object.values(value).flatMap((v) => faults(expected as JsonSchema, v, `${path}.*`))
        : []
    case 'anyOf':
      return wrong(each(expected).length > 0)
    case 'oneOf':
      return wrong(each(expected).length === 1)
    case 'const':
      return wrong(value === expected)
    case 'enum':
      return wrong((expected as unknown[]).includes(value))
    case 'pattern':
      return wrong(typeof value !== 'string' || new RegExp(expected as string, 'u').test(value))
    case 'minLength':
      return wrong(typeof value !== 'string' || [...value].length >= (expected as number))
    case 'maxLength':
      return wrong(typeof value !== 'string' || [...value].length <= (expected as number))
    case 'minimum':
      return wrong(typeof value !== 'number' || value >= (expected as number))
    case 'maximum':
      return wrong(typeof value !== 'number' || value <= (expected as number))
    case 'format':
    case 'examples':
    case 'x-personal':
    case 'x-owner':
      return []
    default:
      return [`${path}: unknown keyword ${keyword}`]
  }
}

function isOfType(type: unknown, value: unknown): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isRecord(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
