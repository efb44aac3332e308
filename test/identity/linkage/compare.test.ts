/**
 * Theorem: comparing two records depends on what their values mean, not on how they are written, and is the same both ways
 * round; absent and blank values are told apart, and neither is evidence; values in each other's place count once.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compare, levelCounts, NO_EVIDENCE, patternCode } from '../../../engine/identity/linkage/compare.ts'
import { LEVELS } from '../../../engine/identity/linkage/levels.ts'
import { type FieldKind, type Fields, modelOf } from '../../../engine/identity/linkage/model.ts'
import { prepare } from '../../../engine/identity/linkage/prepare.ts'

const KINDS = Object.keys(LEVELS) as readonly FieldKind[]
const ALL: Fields = Object.fromEntries(
  [...KINDS, 'street'].map((kind, at) => [`${kind}_${at}`, kind as FieldKind]),
)

function levelBetween(kind: FieldKind, a: string, b: string): string | undefined {
  const model = modelOf({ field: kind })
  const [level = NO_EVIDENCE] = compare(
    prepare({ id: 'a', values: { field: a } }, model),
    prepare({ id: 'b', values: { field: b } }, model),
    model,
  )
  return LEVELS[kind][level]
}

describe('levels', () => {
  test.each<[FieldKind, string, string, string]>([
    ['given_name', 'José', 'JOSE ', 'same'],
    ['given_name', 'Harrison', 'Harrosin', 'close'],
    ['given_name', 'Rob', 'Robert', 'similar'],
    ['given_name', 'J.', 'Jane', 'similar'],
    ['surname', 'Jones', 'Johnson', 'similar'],
    ['surname', 'Jones', 'Miller', 'different'],
    ['full_name', 'Doe, Jane', 'Jane Doe', 'same'],
    ['full_name', 'Jane M. Doe', 'jane doe', 'contained'],
    ['birth_date', '1981-05-24', '24.5.1981', 'same'],
    ['birth_date', '19810524', '1981-05-24T00:00:00Z', 'same'],
    ['birth_date', '1981-05-04', '1981-04-05', 'day and month swapped'],
    ['birth_date', '1981-05-24', '1981-06-24', 'one slip'],
    ['birth_date', '1981-05-24', '1918-05-24', 'one slip'],
    ['birth_date', '1981-05-24', '1982-05-25', 'two slips'],
    ['birth_date', '1981-05-24', '1999-12-31', 'different'],
    ['phone', '310/246-1501', '(310) 246 1501', 'same'],
    ['phone', '+44 20 7946 0018', '020 7946 0018', 'same ending'],
    ['phone', '310 246 1501', '310 246 1051', 'one slip'],
    ['email', 'Jane@Example.com ', 'jane@example.com', 'same'],
    ['email', 'jane.doe@example.com', 'jane.doe@other.org', 'same before @'],
    ['email', 'jane.doe@example.com', 'jnae.doe@example.com', 'close'],
    ['street', 'Ramsay Place', 'ramsayplace', 'close'],
    ['street', 'Ramsay Street', 'ramsay st.', 'same'],
    ['street', 'Green Hill Rd', 'greenhill road', 'same'],
    ['house_number', '12 A', '12a', 'same'],
    ['house_number', '112', '121', 'one slip'],
    ['house_number', '1', '7', 'different'],
    ['address', '435 S. La Cienega Blvd.', '435 south la cienega boulevard', 'same'],
    ['address', '20 e. 76th st. near park ave.', '20 e. 76th st.', 'same number, street alike'],
    ['address', '20 e. 76th st.', '22 e. 76th st.', 'street alike'],
    ['address', '20 e. 76th st.', '20 broadway', 'same number'],
    ['postcode', 'SW1A 1AA', 'sw1a1aa', 'same'],
    ['postcode', '4011', '4101', 'one slip'],
    ['place', 'Liverpool', 'Liverpol', 'close'],
    ['region', 'NSW', 'nws', 'one slip'],
    ['company', 'Acme Ltd.', 'ACME Limited', 'same'],
    ['company', 'hotel bel-air', 'Bel Air Hotel', 'same'],
    ['company', 'four seasons grill room', 'Four Seasons', 'contained'],
    ['category', 'french (new)', 'French bistro', 'shared words'],
  ])('%s: %s and %s: %s', (kind, a, b, level) => {
    expect(levelBetween(kind, a, b)).toBe(level)
  })

  test('a value that holds nothing of its kind is blank', () => {
    const model = modelOf({ phone: 'phone', born: 'birth_date', name: 'surname' })
    expect(prepare({ id: 'a', values: { phone: 'n/a', born: '', name: '-' } }, model).values).toEqual([
      'blank',
      'blank',
      'blank',
    ])
    expect(prepare({ id: 'a', values: { phone: null } }, model).values).toEqual([
      'absent',
      'absent',
      'absent',
    ])
  })
})

describe('swapped values', () => {
  const model = modelOf({ first: 'given_name', last: 'surname' })
  const person = (first: string | undefined, last: string | undefined) =>
    prepare({ id: `${first} ${last}`, values: { first, last } }, model)
  const swapped = LEVELS.given_name.indexOf('swapped')

  test('count once', () => {
    expect(compare(person('Graham', 'Allen'), person('Allen', 'Graham'), model)).toEqual([
      swapped,
      NO_EVIDENCE,
    ])
    expect(compare(person('Graham', 'Allen'), person('Alen', 'Graham'), model)).toEqual([
      swapped,
      NO_EVIDENCE,
    ])
  })

  test('need both', () => {
    const last = LEVELS.given_name.length - 1
    expect(compare(person('Graham', 'Allen'), person('Allen', 'Smith'), model)).toEqual([last, last])
    expect(compare(person('Graham', undefined), person('Allen', 'Graham'), model)).toEqual([
      last,
      NO_EVIDENCE,
    ])
  })

  test('names that are the same in either place are the same', () => {
    expect(compare(person('Lee', 'Lee'), person('Lee', 'Lee'), model)).toEqual([0, 0])
  })
})

describe('any two records', () => {
  const model = modelOf(ALL)
  const text = fc.oneof(
    fc.constantFrom('', '1981-05-24', '1981-24-05', '12 main st', 'main street 12', 'jane@x.com', 'Ünal'),
    fc.string({ unit: fc.constantFrom('a', 'b', ' ', '1', '2', '@', 'é'), maxLength: 10 }),
  )
  const record = fc.record(
    Object.fromEntries(Object.keys(ALL).map((field) => [field, fc.option(text, { nil: undefined })])),
  )

  test('compare the same both ways round, and each with itself as the same', () => {
    fc.assert(
      fc.property(record, record, (one, other) => {
        const a = prepare({ id: 'a', values: one }, model)
        const b = prepare({ id: 'b', values: other }, model)
        const pattern = compare(a, b, model)
        expect(compare(b, a, model)).toEqual(pattern)
        expect(compare(a, a, model).every((level) => level <= 0)).toBe(true)
      }),
      { numRuns: 400 },
    )
  })

  test('have one code for one pattern', () => {
    const counts = levelCounts(modelOf({ a: 'surname', b: 'phone', c: 'region' }))
    const codes = new Set<number>()
    let patterns = 0
    for (let a = NO_EVIDENCE; a < (counts[0] ?? 0); a++)
      for (let b = NO_EVIDENCE; b < (counts[1] ?? 0); b++)
        for (let c = NO_EVIDENCE; c < (counts[2] ?? 0); c++) {
          codes.add(patternCode([a, b, c], counts))
          patterns++
        }
    expect(codes.size).toBe(patterns)
  })
})
