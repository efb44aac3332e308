/**
 * Theorem: whoever sends by a published schema may go on doing so. Nothing that `published-schemas.jsonl` holds is removed,
 * narrowed or no longer sealed within its version; what is older than the newest version is lifted to it.
 *
 * Publishing what is new, at a release: HEADWATER_UPDATE_SCHEMAS=1 npx vitest run test/events/compatibility.test.ts. It
 * adds; it never takes anything away.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as t from 'io-ts'
import { describe, expect, test } from 'vitest'
import { catalogue } from '../../engine/events/catalogue.ts'
import { type EventDefinition, personal } from '../../engine/events/codec.ts'
import { finite, text } from '../../engine/events/fields.ts'
import { jsonSchema } from '../../engine/events/json-schema.ts'
import { narrowings, type Schema } from './schema-compatibility.ts'

const FILE = join(import.meta.dirname, 'published-schemas.jsonl')

/** Type → version → what was published of it. Category and record name streams, which last for ever. */
interface Published {
  readonly category: string
  readonly record: string | null
  readonly data: Schema
}
type Book = Record<string, Record<string, Published>>

const book = read(readFileSync(FILE, 'utf8'))
const definitions = Object.entries<EventDefinition>(catalogue)

function published({ category, record, codec }: EventDefinition): Published {
  return { category, record: record ?? null, data: plain(jsonSchema(codec)) }
}

function plain(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema))
}

/** A version of a type a line, so that a change shows where it is. */
function lines(of: Book): string {
  const all = Object.entries(of).flatMap(([type, versions]) =>
    Object.entries(versions).map(([version, each]) => JSON.stringify({ type, version, ...each })),
  )
  return `${all.sort().join('\n')}\n`
}

function read(text: string): Book {
  const found: Book = {}
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const { type, version, ...each }: Published & { type: string; version: string } = JSON.parse(line)
    found[type] = { ...found[type], [version]: each }
  }
  return found
}

/** Everything that the catalogue of today breaks. */
function broken(of: Book, all: readonly (readonly [string, EventDefinition])[]): readonly string[] {
  return Object.entries(of).flatMap(([type, versions]) => {
    const definition = all.find(([name]) => name === type)?.[1]
    if (definition === undefined) return [`${type}: was removed from the catalogue`]
    return Object.entries(versions).flatMap(([version, before]) => {
      if (Number(version) > definition.schema)
        return [`${type}: version ${version} was published, and the newest is ${definition.schema}`]
      const now = published(definition)
      const renamed = (['category', 'record'] as const)
        .filter((name) => now[name] !== before[name])
        .map(
          (name) =>
            `${type}: ${name} was ${before[name]}, and is ${now[name]}: its streams would change names`,
        )
      if (Number(version) === definition.schema)
        return [...renamed, ...narrowings(before.data, now.data).map((each) => `${type}: ${each}`)]
      const lifts = definition.upcasters?.[Number(version)] !== undefined
      return lifts ? renamed : [...renamed, `${type}: nothing lifts version ${version}`]
    })
  })
}

const ADVICE =
  'A published schema was narrowed. Keep what it took, or raise `schema` of the type and add an upcaster from the version before.'

test('nothing that was published is taken back', () => {
  if (process.env['HEADWATER_UPDATE_SCHEMAS'] !== undefined && broken(book, definitions).length === 0) {
    const next: Book = { ...book }
    for (const [type, definition] of definitions)
      next[type] = { ...next[type], [String(definition.schema)]: published(definition) }
    writeFileSync(FILE, lines(next))
  }
  expect(broken(book, definitions), ADVICE).toEqual([])
  expect(Object.keys(book).length).toBeGreaterThan(100)
})

describe('the rule bites', () => {
  const base: Omit<EventDefinition, 'codec'> = {
    ...{ schema: 1, category: 'thing', record: 'thing_id' },
    ...{ retention: 'transaction', identities: [], normalise: {} },
  }
  const shape = t.intersection([
    t.type({ thing_id: text }),
    t.partial({
      name: personal(text),
      size: t.union([finite, t.null]),
      kind: t.keyof({ a: null, b: null }),
      parts: t.array(t.partial({ id: text })),
    }),
  ])
  const before: Book = { 'thing.done': { '1': published({ ...base, codec: shape }) } }
  const breaks = (codec: t.Mixed, change: Partial<EventDefinition> = {}) =>
    broken(before, [['thing.done', { ...base, codec, ...change }]])
  const withPart = (required: t.Props, optional: t.Props) =>
    t.intersection([t.type({ thing_id: text, ...required }), t.partial(optional)])
  const [, { props: optional }] = shape.types

  test('the same, and more that is optional, passes', () => {
    expect(breaks(shape)).toEqual([])
    expect(breaks(withPart({}, { ...optional, colour: text }))).toEqual([])
    expect(breaks(withPart({}, { ...optional, size: t.unknown }))).toEqual([])
    expect(breaks(withPart({}, { ...optional, kind: t.keyof({ a: null, b: null, c: null }) }))).toEqual([])
    expect(breaks(withPart({}, { ...optional, parts: t.array(t.partial({ id: text, n: finite })) }))).toEqual(
      [],
    )
  })

  const { name: _, ...nameless } = optional
  const { kind, ...kindless } = optional
  test.each<readonly [string, t.Mixed, Partial<EventDefinition>, RegExp]>([
    ['a removed property', withPart({}, nameless), {}, /data\.name: was removed/],
    ['one that is no longer sealed', withPart({}, { ...optional, name: text }), {}, /no longer is/],
    [
      'a type that is no longer taken',
      withPart({}, { ...optional, size: finite }),
      {},
      /no longer takes null/,
    ],
    ['a choice less', withPart({}, { ...optional, kind: t.keyof({ a: null }) }), {}, /no longer takes "b"/],
    ['one that is required now', withPart({ kind }, kindless), {}, /data\.kind: is required now/],
    [
      'a part of an array’s elements',
      withPart({}, { ...optional, parts: t.array(t.partial({})) }),
      {},
      /parts\[\]\.id: was removed/,
    ],
    ['another stream', shape, { record: undefined }, /its streams would change names/],
    ['a new version that nothing lifts to', shape, { schema: 2 }, /nothing lifts version 1/],
  ])('%s is told', (_name, codec, change, message) => {
    expect(breaks(codec, change).join('\n')).toMatch(message)
  })

  test('a new version with an upcaster passes whatever it holds', () => {
    expect(breaks(t.type({ other: finite }), { schema: 2, upcasters: { 1: () => ({ other: 1 }) } })).toEqual(
      [],
    )
  })

  test('a type that is gone is told', () => {
    expect(broken(before, [])).toEqual(['thing.done: was removed from the catalogue'])
  })
})
