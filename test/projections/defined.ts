import fc from 'fast-check'
import type { DecodedEvent } from '../../engine/projector/projection.ts'
import { DEFINABLE_VIEWS, FIELD_TYPES } from '../../projections/definitions.ts'
import { event } from './given.ts'

/** A workspace that has defined a field of every type, under different rules, for every view, and an object that has them. */

const RULES: Readonly<Record<(typeof FIELD_TYPES)[number], Readonly<Record<string, unknown>>>> = {
  text: { rule: 'mostRestrictive', values: ['gold', 'none'] },
  integer: { rule: 'max' },
  real: { rule: 'min' },
  boolean: { rule: 'first' },
  instant: { rule: 'latest' },
  day: { rule: 'review' },
  money: { rule: 'ranked', sources: ['erp', 'web'] },
  json: { rule: 'rankedUnlessBlank' },
}

export const FIELDS = FIELD_TYPES.map((type) => ({ field: `d_${type}`, type, ...RULES[type] }))

export const definitions: readonly DecodedEvent[] = [
  ...DEFINABLE_VIEWS.flatMap((object) =>
    FIELDS.map((field) => event('field.defined', { field_id: `${object}-${field.field}`, object, ...field })),
  ),
  event('object.defined', { object: 'visit', label: 'Visits', fields: FIELDS }),
]

/** Values that such fields can hold, and some that they can't; absent, null and blank too. */
const VALUES: Readonly<Record<(typeof FIELD_TYPES)[number], readonly unknown[]>> = {
  text: ['gold', 'none', 'other', 7, '\ud800', { no: 'text' }],
  integer: [1, -0, '12', 1.5, 2 ** 60, 'many', [1]],
  real: [0.5, '-2.25', 1e300, 'many', true],
  boolean: [true, false, 'true', 'perhaps', 1],
  instant: ['2026-03-01T12:00:00Z', 1_772_366_400_000, 'yesterday', {}],
  day: ['2026-03-01', '2026-02-30', '2026-03-02', 5],
  money: ['12.50', 3, '1e5', 'much', -1],
  json: [{ a: [1, 2] }, [], 'text', 5, true],
}

/** Some of the fields. */
export const statedFields: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc.record(
  Object.fromEntries(
    FIELD_TYPES.map((type) => [`d_${type}`, fc.constantFrom<unknown>(...VALUES[type], null, '')]),
  ),
  { requiredKeys: [] },
)

/** Which record an event of the object is about. */
export const VISITS: readonly Readonly<Record<string, unknown>>[] = [
  { visit_id: 'V1' },
  { id: 'V1', owner: 'kim' },
  { visit_id: 2, id: 'V1' },
  { visit_id: '' },
  {},
]
