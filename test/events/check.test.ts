// A compiled check says of plain data exactly what its codec says.

import fc from 'fast-check'
import * as t from 'io-ts'
import { expect, test } from 'vitest'
import { catalogue } from '../../engine/events/catalogue.ts'
import { compileCheck } from '../../engine/events/check.ts'
import type { EventDefinition } from '../../engine/events/codec.ts'
import { personal } from '../../engine/events/codec.ts'
import { id, orBlank, orNull, shape, text } from '../../engine/events/fields.ts'
import { propertyCodecs } from '../../engine/events/personal.ts'
import { arbitraryData } from '../support/arbitrary.ts'

const all: readonly [string, EventDefinition][] = Object.entries(catalogue)

const VALUES = ['x', '', 'EUR', '2026-03-01', '12.50', null, 0, -1, 1.5, true, {}, [], [null], [{}], { a: 1 }]
const value = fc.oneof(fc.constantFrom(undefined, ...VALUES), fc.jsonValue({ maxDepth: 3 }))

test.each(all)('%s: valid data, with any property of it changed or taken away', (_, definition) => {
  const check = compileCheck(definition.codec)
  const names = ['unknown', ...[...propertyCodecs(definition.codec)].map(({ name }) => name)]
  const changed = fc
    .tuple(arbitraryData(definition), fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 2 }))
    .map(([data, changes]) => ({ ...data, ...changes }))
  const cut = fc.tuple(arbitraryData(definition), fc.constantFrom(...names)).map(([data, name]) => {
    const { [name]: _cut, ...rest } = data
    return rest
  })
  fc.assert(
    fc.property(fc.oneof(changed, cut, value), (data) => {
      expect(check(data)).toBe(definition.codec.is(data))
    }),
    { numRuns: 25 },
  )
})

const NESTED: readonly t.Mixed[] = [
  t.intersection([shape({ a: id }, { b: text }), t.UnknownRecord]),
  t.intersection([t.type({ a: orNull(text), c: t.unknown }), t.partial({ a: id, b: orBlank(text) })]),
  t.record(t.string, orNull(id)),
  t.array(shape({ a: id }, { b: t.array(t.partial({ c: t.boolean })) })),
  t.partial({ a: personal(t.union([t.literal('x'), t.keyof({ y: null }), t.UnknownArray])) }),
]

test.each(NESTED.map((codec) => [codec.name, codec] as const))('%s', (_, codec) => {
  const check = compileCheck(codec)
  const object = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'toString'), value, { maxKeys: 4 })
  fc.assert(
    fc.property(fc.oneof(object, fc.array(object, { maxLength: 3 }), value), (data) => {
      expect(check(data)).toBe(codec.is(data))
    }),
    { numRuns: 300 },
  )
})
