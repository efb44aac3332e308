import fc from 'fast-check'
import type * as t from 'io-ts'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { kindOf, unreachable } from '../../engine/events/codec-kinds.ts'
import type { FieldKind } from '../../engine/events/fields.ts'

/** Arbitrary data of codecs: what a well-behaved sender might send. */

export type Data = Record<string, unknown>

/** Valid data of a definition's newest version, personal properties and a few that it doesn't know included. */
export function arbitraryData(definition: EventDefinition): fc.Arbitrary<Data> {
  const unknown = fc.dictionary(
    fc.constantFrom('x_colour', 'x_size', 'x_score', 'x_nested'),
    arbitraryJson(),
    {
      maxKeys: 3,
      noNullPrototype: true,
    },
  )
  return fc
    .tuple(arbitraryOf(definition.codec), unknown)
    .map(([data, extra]) => ({ ...asData(data), ...extra }))
}

/** Valid values of a codec. */
export function arbitraryOf(codec: t.Mixed): fc.Arbitrary<unknown> {
  const kind = kindOf(codec)
  switch (kind.kind) {
    case 'personal':
      return arbitraryOf(kind.codec.inner)
    case 'field':
      return arbitraryField(kind.codec.kind)
    case 'object':
      return arbitraryObject(kind.props, kind.required)
    case 'intersection':
      return fc.tuple(...kind.parts.map(arbitraryOf)).map((parts) => Object.assign({}, ...parts) as Data)
    case 'union':
      return fc.oneof(...kind.members.map(arbitraryOf))
    case 'array':
      return fc.array(arbitraryOf(kind.element), { maxLength: 4 })
    case 'dictionary':
      return fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), arbitraryOf(kind.value), { maxKeys: 4 })
    case 'literal':
      return fc.constant(kind.value)
    case 'choice':
      return fc.constantFrom(...kind.values)
    case 'any_object':
      return fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), arbitraryJson(), { maxKeys: 4 })
    case 'any_array':
      return fc.array(arbitraryJson(), { maxLength: 4 })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'unknown':
      return arbitraryJson()
    default:
      return unreachable(kind)
  }
}

/** Plain decimal strings with a bounded number of digits. */
export const decimalText = fc
  .tuple(fc.constantFrom('', '-', '+'), fc.nat({ max: 99_999_999 }), fc.stringMatching(/^[0-9]{0,7}$/))
  .map(([sign, whole, fraction]) => `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`)

export const instantText = fc
  .date({ min: new Date('1971-01-01T00:00:00Z'), max: new Date('2100-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString())

function arbitraryField(kind: FieldKind): fc.Arbitrary<unknown> {
  switch (kind) {
    case 'text':
      return fc.string({ unit: 'grapheme', maxLength: 30 })
    case 'id':
      return fc.string({ minLength: 1, maxLength: 30 }).filter((value) => value.trim() !== '')
    case 'amount':
      return fc.oneof(
        fc.integer(),
        fc.double({ min: -1e10, max: 1e10, noNaN: true }),
        fc.double({ min: -1e-7, max: 1e-7, noNaN: true }),
        decimalText,
      )
    case 'finite':
      return fc.double({ noNaN: true, noDefaultInfinity: true })
    case 'integer':
      return fc.maxSafeInteger()
    case 'instant':
      return fc.oneof(
        instantText,
        instantText.map((text) => `${text.slice(0, 19)}+05:30`),
        instantText.map((text) => text.slice(0, 19).replace('T', ' ')),
        instantText.map((text) => text.slice(0, 10)),
      )
    case 'day':
      return instantText.map((text) => text.slice(0, 10))
    case 'time_zone':
      return fc.constantFrom('UTC', 'Europe/London', 'America/Sao_Paulo', 'Asia/Kathmandu')
    case 'currency':
      return fc.constantFrom('EUR', 'GBP', 'JPY', 'USD')
    case 'country':
      return fc.constantFrom('AU', 'BR', 'DE', 'GB')
    default:
      return unreachable(kind)
  }
}

function arbitraryObject(props: Readonly<Record<string, t.Mixed>>, required: boolean): fc.Arbitrary<Data> {
  const model = Object.fromEntries(Object.entries(props).map(([name, inner]) => [name, arbitraryOf(inner)]))
  const options = { noNullPrototype: true, ...(required ? {} : { requiredKeys: [] }) }
  return fc.record<Data>(model, options) as fc.Arbitrary<Data>
}

/** JSON values that survive JSON: no -0. */
function arbitraryJson(): fc.Arbitrary<unknown> {
  return fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)
}

function asData(value: unknown): Data {
  if (typeof value !== 'object' || value === null) throw new Error('data of an event is an object')
  return value as Data
}
