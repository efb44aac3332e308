/**
 * Theorem: a mapping document that says something impossible, misspelt or unsafe is refused as a whole before anything
 * is sent, with the path and the reason of each fault; the published JSON Schema is the codec's; and what a mapping
 * accepts, it means the same way every time.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { compileMapping } from '../../api/import/mapper.ts'
import { decodeMapping, mappingHash, parseMapping, problemText } from '../../api/import/mapping-codec.ts'
import { mappingSchema } from '../../api/import/mapping-schema.ts'
import { compile, mappingDocument, orThrow } from './support.ts'

const IMPORT = join(import.meta.dirname, '..', '..', 'api', 'import')

function problems(document: unknown): readonly string[] {
  const result = E.flatMap(compileMapping)(decodeMapping(document))
  return E.isLeft(result) ? result.left.map(problemText) : []
}

function event(changes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return mappingDocument({
    events: [
      {
        type: 'sample.seen',
        id: { template: '{a}:{#hash}', hash: ['b'] },
        data: { a: { $column: 'a' } },
        ...changes,
      },
    ],
  })
}

function input(changes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return mappingDocument({ input: { format: 'csv', columns: ['a', 'b'], zone: 'UTC', ...changes } })
}

describe('what is refused, and how it is said', () => {
  const cases: readonly (readonly [what: string, document: unknown, problem: string])[] = [
    ['no document', 7, 'expected an object (Mapping)'],
    ['another version', mappingDocument({ mapping: 2 }), 'mapping: expected 1'],
    ['a misspelt property', event({ wehn: {} }), 'events[0].wehn: unknown property'],
    ['a missing property', mappingDocument({ source: undefined, input: undefined }), 'input: is required'],
    ['no id', { ...mappingDocument(), events: [{ type: 'x', data: {} }] }, 'events[0].id: is required'],
    [
      'an unknown format',
      event({ time: { column: 'a', format: 'DD.MM' } }),
      'events[0].time.format: expected',
    ],
    [
      'an expression of two kinds',
      event({ data: { x: { $column: 'a', $const: 1 } } }),
      'events[0].data.x.$const: unknown property',
    ],
    [
      'an unknown expression',
      event({ data: { x: [{ $colum: 'a' }] } }),
      'events[0].data.x[0]: needs exactly one of $column',
    ],
    [
      'a condition of two kinds',
      event({ when: { column: 'a', equals: 'x', prefix: 'y' } }),
      'events[0].when: needs exactly one of equals',
    ],
    [
      'a forbidden key',
      JSON.parse(JSON.stringify(event({})).replace('"a":{"$column":"a"}', '"__proto__":1')),
      'events[0].data.__proto__: is a forbidden property name',
    ],
    [
      'an unknown column',
      event({ data: { x: { $column: 'c' } } }),
      'events[0].data.x.$column: column c is not among',
    ],
    [
      'an unknown column in a condition',
      event({ when: { not: { column: 'c', blank: true } } }),
      'events[0].when.not.column: column c',
    ],
    [
      'an unknown column in a template',
      event({ id: { template: '{c}' } }),
      'events[0].id.template: column c',
    ],
    [
      'an unknown look-up',
      event({ data: { x: { $lookup: 't', column: 'a' } } }),
      'events[0].data.x.$lookup: there is no look-up t',
    ],
    ['a lone brace', event({ id: { template: '{a' } }), 'events[0].id.template: has a lone {'],
    ['an unknown placeholder', event({ id: { template: '{#row}' } }), 'knows no placeholder {#row}'],
    [
      'the same id for all',
      event({ id: { template: 'x' } }),
      'events[0].id.template: is the same for every row',
    ],
    [
      'a hash of nothing',
      event({ id: { template: '{#hash}' } }),
      'events[0].id: uses {#hash} but lists no columns',
    ],
    [
      'a hash that is not used',
      event({ id: { template: '{a}', hash: ['b'] } }),
      'events[0].id: lists columns in hash',
    ],
    [
      'a zone that is not one',
      input({ zone: 'Europe/Londn' }),
      'input.zone: there is no time zone Europe/Londn',
    ],
    ['a column named twice', input({ optional: ['a'] }), 'input.columns: names a column twice'],
    [
      'a time that is not one',
      event({ time: { constant: 'yesterday' } }),
      'events[0].time.constant: is not an RFC 3339 time',
    ],
    [
      'a namespace that is not one',
      event({ identities: [{ namespace: 'E Mail', column: 'a' }] }),
      'events[0].identities[0].namespace: is not a namespace',
    ],
    ['nothing to send', mappingDocument({ events: [] }), 'events: is empty'],
  ]
  test.each(cases)('%s', (_, document, problem) => {
    expect(problems(document).join('\n')).toContain(problem)
  })

  test('every fault is told, not only the first', () => {
    const found = problems(event({ id: { template: '{c}{' }, when: { column: 'd', equals: '' } }))
    expect(found).toHaveLength(3)
  })

  test('text that is not JSON', () => {
    expect(parseMapping('{')).toMatchObject({ left: [{ path: '' }] })
  })

  test('deep nesting is refused without exhausting the stack', () => {
    let data: unknown = 'x'
    for (let i = 0; i < 50_000; i++) data = [data]
    expect(problems(event({ data: { x: data } })).join()).toContain('is nested too deeply')
  })
})

describe('what identifies someone stays out of ids and stream names', () => {
  const hashed = { template: '{#hash}', hash: ['a'] }
  const cases: readonly (readonly [what: string, document: unknown])[] = [
    [
      'a column declared personal, hashed',
      { ...input({ personal: ['a'] }), events: [{ type: 'x', id: hashed, data: {} }] },
    ],
    [
      'a column declared personal, in clear',
      { ...input({ personal: ['a'] }), events: [{ type: 'x', id: { template: '{a}' }, data: {} }] },
    ],
    ['a stated identity', event({ id: hashed, identities: [{ namespace: 'user', column: 'a' }] })],
    ['a templated identity', event({ id: hashed, identities: [{ namespace: 'user', template: 'x{a}' }] })],
    [
      'an identity of the catalogue',
      event({ type: 'lead.created', id: hashed, data: { lead_id: { $template: 'L{a}' } } }),
    ],
    [
      'a stream name',
      {
        ...input({ personal: ['a'] }),
        events: [{ type: 'x', id: { template: '{b}' }, subject: 'x-{a}', data: {} }],
      },
    ],
  ]
  test.each(cases)('%s', (_, document) => {
    expect(problems(document).join('\n')).toContain('column a identifies someone')
  })

  test('an unguessable value may be hashed, and a row where it is short is refused', () => {
    const document = {
      ...input({ personal: ['a'], unguessable: ['a'] }),
      events: [{ type: 'x', id: hashed, data: {} }],
    }
    const map = compile(document).createMapper().map
    expect(map({ row: 1, line: 2, cells: ['f'.repeat(32), ''] })._tag).toBe('Right')
    expect(map({ row: 2, line: 3, cells: ['17850', ''] })).toMatchObject({ left: { reason: 'guessable' } })
  })
})

test('the published schema is the codec', () => {
  expect(JSON.parse(readFileSync(join(IMPORT, 'mapping.schema.json'), 'utf8'))).toEqual(mappingSchema())
})

test('the prose names every property, format and expression', () => {
  const prose = readFileSync(join(IMPORT, 'MAPPING.md'), 'utf8')
  const names = new Set<string>()
  const collect = (schema: unknown): void => {
    if (typeof schema !== 'object' || schema === null) return
    const { properties, enum: values } = schema as { properties?: object; enum?: unknown[] }
    for (const name of [...Object.keys(properties ?? {}), ...(values ?? [])]) names.add(String(name))
    for (const inner of Object.values(schema)) collect(inner)
  }
  collect(mappingSchema())
  expect(names.size).toBeGreaterThan(50)
  expect([...names].filter((name) => !prose.includes(`\`${name}\``))).toEqual([])
})

test('any document is either refused or compiles; nothing throws', () => {
  const keys = ['$column', '$case', '$lookup', 'when', 'events', 'input', 'id', 'data', '__proto__', 'a']
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.integer(),
      fc.constant(null),
      tie('object'),
      tie('array'),
    ),
    array: fc.array(tie('value'), { maxLength: 3 }),
    object: fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 4 }),
  })).value
  fc.assert(
    fc.property(fc.constantFrom('events', 'input', 'prelude', 'lookups', 'source'), json, (key, value) => {
      const result = E.flatMap(compileMapping)(decodeMapping(mappingDocument({ [key]: value })))
      return E.isRight(result) || result.left.length > 0
    }),
    { numRuns: 500 },
  )
})

test('a hash names what a mapping does, not how it is laid out', () => {
  const document = mappingDocument()
  const again: unknown = JSON.parse(JSON.stringify(document, null, 4))
  const hash = (value: unknown) => mappingHash(orThrow(decodeMapping(value)))
  expect(hash(again)).toBe(hash(document))
  expect(hash(mappingDocument({ source: 'crm' }))).not.toBe(hash(document))
})
