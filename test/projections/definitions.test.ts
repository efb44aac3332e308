// Theorem: whoever is about to define a field or an object hears everything that is wrong with it, and what passes defines
// exactly what it says: the same field is in the view's columns, in the rules' reach and in the list of fields. What fails,
// once published all the same, changes no view's columns, but where it only says too much of what is in use.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Configuration, DecodedEvent } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import { CHOICE_RULES } from '../../engine/reducers/named.ts'
import { projections } from '../../projections/catalog.ts'
import { checkDefinition, definedFields } from '../../projections/custom-fields.ts'
import { definedObjects } from '../../projections/defined.ts'
import { DEFINABLE_VIEWS, FIELD_TYPES } from '../../projections/definitions.ts'
import { GOVERNED_VIEWS, governedViews } from '../../projections/governed-views.ts'
import { checkSurvivorship } from '../../projections/survivorship.ts'
import { definitions } from './defined.ts'
import { configuration, event, NO_CONFIGURATION, onlyRow, rows } from './given.ts'

type Data = Readonly<Record<string, unknown>>

const field = (more: Data = {}): Data => ({
  ...{ field_id: 'f1', object: 'account', field: 'tier', type: 'text' },
  ...more,
})

const defined = (...data: readonly Data[]): Configuration =>
  configuration(...data.map((each) => event('field_id' in each ? 'field.defined' : 'object.defined', each)))

function problems(data: unknown, config = NO_CONFIGURATION): readonly string[] {
  return checkDefinition('field.defined', data, config).map(({ _tag, path }) => `${_tag} ${path}`)
}

function ofObject(data: unknown, config = NO_CONFIGURATION): readonly string[] {
  return checkDefinition('object.defined', data, config).map(({ _tag, path }) => `${_tag} ${path}`)
}

function many(count: number, more: (i: number) => Data): readonly Data[] {
  return Array.from({ length: count }, (_, i) => field({ field_id: `m${i}`, field: `m_${i}`, ...more(i) }))
}

describe('a field', () => {
  test.each<readonly [string, unknown, readonly string[]]>([
    ['sound', field(), []],
    ['with options', field({ options: ['gold', 'silver'] }), []],
    ['with a rule by sources', field({ rule: 'ranked', sources: ['erp', 'crm'] }), []],
    ['no object', [], ['IllFormed ']],
    ['without an id', field({ field_id: undefined }), ['IllFormed field_id']],
    ['of nothing', field({ object: 'spaceship' }), ['UnknownObject object']],
    ['of a view that has no fields of its own', field({ object: 'pipeline' }), ['UnknownObject object']],
    ['__proto__', field({ field: '__proto__' }), ['Name field']],
    ['in capitals', field({ field: 'Tier' }), ['Name field']],
    ['with the mark between object and field', field({ field: 'a__b' }), ['Name field']],
    ['a parameter', field({ field: 'cursor' }), ['Name field']],
    ['too long', field({ field: 'a'.repeat(64) }), ['Name field']],
    ['a column', field({ field: 'industry' }), ['Taken field']],
    ['a rule without a column', field({ object: 'lead', field: 'stated' }), ['Taken field']],
    ['of no type', field({ type: 'identity' }), ['Type type']],
    [
      'of everything wrong',
      field({ field: 'Q', type: 'colour', rule: 'loudest' }),
      ['Name field', 'Type type', 'Rule rule'],
    ],
    ['with options of a number', field({ type: 'integer', options: ['1'] }), ['Options options']],
    ['with options twice', field({ options: ['a', 'a'] }), ['Options options']],
    ['with sources that its rule ignores', field({ sources: ['erp'] }), ['Rule rule']],
    ['retired before it was there', field({ archived: true }), ['UnknownField field']],
  ])('%s', (_, data, expected) => expect(problems(data)).toEqual(expected))

  test('in use becomes narrower only on purpose', () => {
    const inUse = defined(field({ options: ['gold', 'silver'] }))
    expect(problems(field({ options: ['gold', 'silver', 'bronze'] }), inUse)).toEqual([])
    expect(problems(field(), inUse)).toEqual([])
    expect(problems(field({ archived: true }), inUse)).toEqual([])
    expect(problems(field({ options: ['gold'] }), inUse)).toEqual(['Narrower options'])
    expect(problems(field({ options: ['gold'], replace: true }), inUse)).toEqual([])
    expect(problems(field({ type: 'integer' }), inUse)).toEqual(['Narrower type'])
    expect(problems(field({ type: 'integer', replace: true }), inUse)).toEqual([])
    expect(problems(field({ field: 'grade' }), inUse)).toEqual(['Narrower field_id'])
    expect(problems(field({ options: ['gold'] }), defined(field()))).toEqual(['Narrower options'])
  })

  test('of one name is there once, and again when it is archived', () => {
    const inUse = defined(field())
    expect(problems(field({ field_id: 'f2' }), inUse)).toEqual(['Taken field'])
    expect(problems(field({ field_id: 'f2', object: 'lead' }), inUse)).toEqual([])
    expect(problems(field({ field_id: 'f2' }), defined(field({ archived: true })))).toEqual([])
  })

  test('is one of at most 100 of a view and 400 in all', () => {
    const full = defined(...many(100, () => ({})))
    expect(problems(field(), full)).toEqual(['TooMany '])
    expect(problems(field({ field_id: 'm7', field: 'm_7', rule: 'first' }), full)).toEqual([])
    const all = many(400, (i) => ({ object: DEFINABLE_VIEWS[Math.floor(i / 100)] }))
    expect(problems(field({ object: 'case' }), defined(...all))).toEqual(['TooMany '])
    const beyond = defined(...many(250, () => ({})))
    expect(definedFields(beyond, 'account')).toHaveLength(100)
  })
})

const visit = (more: Data = {}): Data => ({
  ...{ object: 'visit', fields: [{ field: 'notes', type: 'text' }] },
  ...more,
})

describe('an object', () => {
  test.each<readonly [string, unknown, readonly string[]]>([
    ['sound', visit(), []],
    ['without fields', { object: 'visit' }, []],
    ['a view', visit({ object: 'account' }), ['Name object']],
    ['a noun of the catalogue', visit({ object: 'order' }), ['Name object']],
    ['__proto__', visit({ object: '__proto__' }), ['Name object']],
    ['with no list of fields', visit({ fields: {} }), ['IllFormed fields']],
    ['with something else in it', visit({ fields: [5] }), ['IllFormed fields.0']],
    ['with a bad field', visit({ fields: [{ field: 'x', type: 'y' }] }), ['Type fields.0.type']],
    [
      'with one twice',
      visit({ fields: [...many(1, () => ({})), ...many(1, () => ({}))] }),
      ['Taken fields.1.field'],
    ],
    ['with what each record has', visit({ fields: [{ field: 'visit_id', type: 'text' }] }), ['Taken fields']],
    ['with too many fields', visit({ fields: many(101, () => ({})) }), ['TooMany ']],
    ['retired before it was there', { object: 'visit', archived: true }, ['UnknownObject object']],
  ])('%s', (_, data, expected) => expect(ofObject(data)).toEqual(expected))

  test.each(projections.map(({ name }) => [name]))('is not called like the view %s', (name) => {
    expect(ofObject({ object: name })).toEqual(['Name object'])
  })

  test('in use loses fields only on purpose; those defined for it stay', () => {
    const inUse = defined(visit(), field({ object: 'visit', field: 'mood' }))
    expect(definedFields(inUse, 'visit').map(({ name }) => name)).toEqual(['mood', 'notes'])
    expect(ofObject(visit({ fields: [] }), inUse)).toEqual(['Narrower fields'])
    expect(ofObject(visit({ fields: [], replace: true }), inUse)).toEqual([])
    expect(ofObject(visit({ label: 'Visits' }), inUse)).toEqual([])
    expect(ofObject(visit({ fields: [{ field: 'notes', type: 'json' }] }), inUse)).toEqual([
      'Narrower fields.type',
    ])
    expect(problems(field({ field_id: 'f2', object: 'visit', field: 'notes' }), inUse)).toEqual([
      'Taken field',
    ])
  })
})

const names = fc.oneof(
  fc.constantFrom('tier', 'seats'),
  fc.constantFrom('name', 'q', '__proto__', 'Tier', 'a__b', 'lead_id', 'decisions', ''),
)
const ruled = fc.constantFrom<Data>(
  ...CHOICE_RULES.map((rule) => ({ rule })),
  ...[{}, { rule: null }, { rule: 'loudest' }, { sources: ['erp'] }, { rule: 'ranked', sources: ['erp'] }],
  ...[['gold', true], ['x', 'x'], []].map((values) => ({ rule: 'mostRestrictive', values })),
)
const optional = fc.constantFrom<Data>(
  {},
  {},
  { options: ['gold'] },
  { options: ['a', 'a'] },
  { options: [] },
)
const said = fc
  .tuple(
    fc.record({
      field_id: fc.constantFrom('f1', 'f2', 'f3'),
      object: fc.constantFrom<string>(...DEFINABLE_VIEWS, 'visit', 'spaceship'),
      field: names,
      type: fc.constantFrom<string>(...FIELD_TYPES, 'identity', 'colour'),
    }),
    ruled,
    optional,
  )
  .map(([place, rule, options]) => ({ ...place, ...rule, ...options }))

function columnsOf(config: Configuration): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    projections.map((each) => [each.name, Object.keys(projectionUnder(each, config).table.columns)]),
  )
}

test('whatever is defined: what passes is there, what fails is not', () => {
  let [passed, failed] = [0, 0]
  fc.assert(
    fc.property(said, fc.boolean(), (data, withObject) => {
      const before = withObject ? [event('object.defined', visit())] : []
      const config = configuration(...before)
      const after = configuration(...before, event('field.defined', data))
      if (problems(data, config).length > 0) {
        failed += 1
        expect(columnsOf(after)).toEqual(columnsOf(config))
        return
      }
      passed += 1
      const { object, field: name } = data
      expect(definedFields(after, object)).toMatchObject([
        ...definedFields(config, object).filter((each) => each.name < name),
        {
          object,
          name,
          type: data.type,
          rule: Reflect.get(data, 'rule') ?? 'latest',
          fieldId: data.field_id,
        },
        ...definedFields(config, object).filter((each) => each.name > name),
      ])
      const column = object === 'visit' ? `visit__${name}` : name
      expect(columnsOf(after)[object === 'visit' ? 'custom_record' : object]).toContain(column)
      const rules = { [`${object}.${name}`]: { rule: 'first' } }
      expect(checkSurvivorship(rules, governedViews(after))).toEqual([])
      expect(checkSurvivorship(rules, GOVERNED_VIEWS)).not.toEqual([])
    }),
    { numRuns: 500 },
  )
  expect(Math.min(passed, failed)).toBeGreaterThan(30)
})

test('one configuration gives one object, and none without definitions', () => {
  const config = configuration(...definitions)
  for (const each of projections) {
    expect(projectionUnder(each, config)).toBe(projectionUnder(each, config))
    expect(projectionUnder(projectionUnder(each, config), config)).toBe(projectionUnder(each, config))
    expect(projectionUnder(each, NO_CONFIGURATION)).toBe(each)
  }
  expect(definedObjects(config).map(({ object, fields }) => [object, fields.length])).toEqual([['visit', 8]])
})

const STATING: Readonly<Record<string, (fields: Data) => DecodedEvent>> = {
  profile: (traits) => event('cdp.identify', { userId: 'u1', traits }),
  account: (fields) => event('account.updated', { account_id: 'A1', ...fields }),
  contact: (fields) => event('contact.updated', { contact_id: 'C1', ...fields }),
  lead: (fields) => event('lead.updated', { lead_id: 'L1', ...fields }),
  opportunity: (fields) => event('opportunity.updated', { opportunity_id: 'O1', ...fields }),
  case: (fields) => event('case.updated', { case_id: 'K1', ...fields }),
  campaign: (fields) => event('marketing.campaign_created', { campaign_id: 'M1', ...fields }),
}

test.each(DEFINABLE_VIEWS)('absent, removed and blank are three things in a defined field of %s', (view) => {
  const config = defined(field({ object: view, field: 'd_x' }))
  const projection = projectionUnder(
    projections.find(({ name }) => name === view) ?? expect.fail(view),
    config,
  )
  const stating = STATING[view] ?? expect.fail(view)
  const valueAfter = (fields: Data): unknown => {
    const [row] = rows(projection, [stating({ d_x: 'x' }), stating(fields)], config)
    return row?.['d_x']
  }
  expect(valueAfter({})).toBe('x')
  expect(valueAfter({ d_x: null })).toBeNull()
  expect(valueAfter({ d_x: '' })).toBe('')
  expect(valueAfter({ d_x: 'y' })).toBe('y')
  expect(valueAfter({ d_x: { not: 'a text' } })).toBe('x')
  const echo = { ...stating({ d_x: 'y' }), origin: 'headwater' }
  expect(onlyRow(projection, [stating({ d_x: 'x' }), echo], config)['d_x']).toBe('x')
  const explained = projection.explain?.(projection.initial('k'), config) ?? {}
  expect(Object.keys(explained)).not.toContain('d_x')
})

test.each(['profile', 'lead'])('a decision alone joins with nothing, whatever is defined: %s', (name) => {
  const config = configuration(...definitions)
  const base = projections.find((each) => each.name === name) ?? expect.fail(name)
  const projection = projectionUnder(base, config)
  const about = { view: name, key: 'k', field: 'd_text', steward: 'kim', reason: 'a call', value: 'gold' }
  const locked = { ...event('field.locked', about), identities: [{ id: 'k', namespace: 'user' }] }
  const state = projection.reduce(projection.initial('k'), locked, config, 'k')
  expect(projection.join(projection.initial('k'), state, config)).toEqual(state)
  expect(projection.join(state, projection.initial('k'), config)).toEqual(state)
})
