import assert from 'node:assert/strict'
import type * as t from 'io-ts'
import type { EventDefinition } from './codec.ts'
import { PersonalType } from './codec.ts'
import { kindOf, unreachable } from './codec-kinds.ts'
import { NAMESPACE_PATTERN } from './identity.ts'
import { declaredProperties, personalProperties, propertyCodecs, requiredProperties } from './personal.ts'

/** What every definition must keep so that nothing personal stands in the log in clear; asserted at start-up. */
export function assertDefinition(type: string, definition: EventDefinition): void {
  assert(type.length > 0 && type.length <= 256, 'a type has a name of bounded length')
  assertUpcasters(type, definition)
  assertPersonal(type, definition)
  assertIdentities(type, definition)
  assertNames(type, definition)
}

function assertUpcasters(type: string, { schema, upcasters }: EventDefinition): void {
  assert(Number.isSafeInteger(schema) && schema >= 1, `${type}: schema versions count from 1`)
  const given = Object.keys(upcasters ?? {}).map(Number)
  const needed = Array.from({ length: schema - 1 }, (_, index) => index + 1)
  assert.deepEqual(given, needed, `${type}: there is one upcaster for every version below ${schema}`)
}

/** Erasure makes personal properties absent, so data without them must be valid. */
function assertPersonal(type: string, definition: EventDefinition): void {
  const names = [...propertyCodecs(definition.codec)].map(({ name }) => name)
  assert(new Set(names).size === names.length, `${type}: every property is declared once`)
  for (const name of requiredProperties(definition)) {
    assert(!personalProperties(definition).has(name), `${type}: ${name} is personal, so it must be optional`)
  }
  for (const { name, codec } of propertyCodecs(definition.codec)) {
    const inner = codec instanceof PersonalType ? codec.inner : codec
    assert(
      !containsPersonal(inner),
      `${type}: ${name} hides a personal part; only a whole property can be sealed`,
    )
  }
}

function assertIdentities(type: string, definition: EventDefinition): void {
  for (const [namespace, path] of definition.identities) {
    const [top = ''] = path.split('.')
    assert(namespace === '*' || NAMESPACE_PATTERN.test(namespace), `${type}: ${namespace} is no namespace`)
    assert(
      personalProperties(definition).has(top),
      `${type}: identity ${path} must be inside a personal property`,
    )
    if (namespace === 'email' || namespace === 'phone') {
      assert(definition.normalise[path] === namespace, `${type}: identity ${path} must be normalised`)
    }
  }
  const { streamNamespace } = definition
  if (streamNamespace === undefined) return
  const stated = definition.identities.some(([namespace]) => namespace === streamNamespace)
  assert(stated, `${type}: no identity of namespace ${streamNamespace} can name the stream`)
  assert(definition.record === undefined, `${type}: a record or an identity names the stream, not both`)
}

function assertNames(type: string, definition: EventDefinition): void {
  assert(/^[a-z][a-z0-9_]*$/.test(definition.category), `${type}: a category is a word without hyphens`)
  const { record } = definition
  if (record !== undefined) {
    assert(declaredProperties(definition).has(record), `${type}: record ${record} is declared`)
    assert(
      !personalProperties(definition).has(record),
      `${type}: record ${record} stands in the stream's name`,
    )
  }
  for (const path of Object.keys(definition.normalise)) {
    const [top = ''] = path.split('.')
    assert(declaredProperties(definition).has(top), `${type}: normalised path ${path} is declared`)
  }
}

function containsPersonal(codec: t.Mixed): boolean {
  const kind = kindOf(codec)
  switch (kind.kind) {
    case 'personal':
      return true
    case 'object':
      return Object.values(kind.props).some(containsPersonal)
    case 'intersection':
      return kind.parts.some(containsPersonal)
    case 'union':
      return kind.members.some(containsPersonal)
    case 'array':
      return containsPersonal(kind.element)
    case 'dictionary':
      return containsPersonal(kind.value)
    case 'field':
    case 'literal':
    case 'choice':
    case 'any_object':
    case 'any_array':
    case 'boolean':
    case 'null':
    case 'unknown':
      return false
    default:
      return unreachable(kind)
  }
}
