import type * as t from 'io-ts'
import { isObject } from './check.ts'
import { kindOf, unreachable } from './codec-kinds.ts'

/** Why data doesn't fit: where, and what was expected there. Never a value, nor a name that the codec doesn't know. */
export interface DataError {
  /** `lines.3.quantity`; `*` for a key that the sender chose; '' for the data itself. */
  readonly path: string
  readonly message: string
}

/** The first `limit` reasons why `value` isn't a `codec`, in the codec's order. */
export function explain(codec: t.Mixed, value: unknown, limit: number): readonly DataError[] {
  const errors: DataError[] = []
  visit(codec, value, '', { errors, limit })
  return errors
}

interface Found {
  readonly errors: DataError[]
  readonly limit: number
}

function visit(codec: t.Mixed, value: unknown, path: string, found: Found): void {
  if (found.errors.length >= found.limit || codec.is(value)) return
  const kind = kindOf(codec)
  switch (kind.kind) {
    case 'personal':
      visit(kind.codec.inner, value, path, found)
      return
    case 'intersection':
      visitParts(kind.parts, value, path, found)
      return
    case 'object':
      visitObject(kind.props, kind.required, value, path, found)
      return
    case 'array':
      visitArray(kind.element, value, path, found)
      return
    case 'dictionary':
      visitDictionary(kind.value, value, path, found)
      return
    case 'union':
      visitUnion(kind.members, value, path, found)
      return
    case 'field':
    case 'literal':
    case 'choice':
    case 'any_object':
    case 'any_array':
    case 'boolean':
    case 'null':
    case 'unknown':
      found.errors.push({ path, message: `expected ${expectation(codec)}` })
      return
    default:
      unreachable(kind)
  }
}

function visitParts(parts: readonly t.Mixed[], value: unknown, path: string, found: Found): void {
  if (!isObject(value)) {
    found.errors.push({ path, message: 'expected an object' })
    return
  }
  for (const part of parts) visit(part, value, path, found)
}

function visitObject(
  props: Readonly<Record<string, t.Mixed>>,
  required: boolean,
  value: unknown,
  path: string,
  found: Found,
): void {
  if (!isObject(value)) {
    found.errors.push({ path, message: 'expected an object' })
    return
  }
  for (const [name, property] of Object.entries(props)) {
    const inner = value[name]
    if (inner !== undefined) visit(property, inner, join(path, name), found)
    else if (required && found.errors.length < found.limit) {
      found.errors.push({ path: join(path, name), message: `missing; expected ${expectation(property)}` })
    }
  }
}

function visitArray(element: t.Mixed, value: unknown, path: string, found: Found): void {
  if (!Array.isArray(value)) {
    found.errors.push({ path, message: 'expected an array' })
    return
  }
  for (let i = 0; i < value.length && found.errors.length < found.limit; i++) {
    visit(element, value[i], join(path, String(i)), found)
  }
}

function visitDictionary(codomain: t.Mixed, value: unknown, path: string, found: Found): void {
  if (!isObject(value)) {
    found.errors.push({ path, message: 'expected an object' })
    return
  }
  for (const inner of Object.values(value)) {
    if (found.errors.length >= found.limit) return
    visit(codomain, inner, join(path, '*'), found)
  }
}

/** The first member that has the value's outer form is the usual one: its reasons say more than the list of members. */
function visitUnion(members: readonly t.Mixed[], value: unknown, path: string, found: Found): void {
  const usual = members.find((member) => sameForm(member, value))
  if (usual !== undefined) {
    visit(usual, value, path, found)
    return
  }
  found.errors.push({ path, message: `expected ${members.map(expectation).join(' or ')}` })
}

function sameForm(codec: t.Mixed, value: unknown): boolean {
  const { kind } = kindOf(codec)
  if (Array.isArray(value)) return kind === 'array' || kind === 'any_array'
  if (isObject(value)) return kind === 'object' || kind === 'intersection' || kind === 'dictionary'
  return false
}

function expectation(codec: t.Mixed): string {
  const kind = kindOf(codec)
  switch (kind.kind) {
    case 'personal':
      return expectation(kind.codec.inner)
    case 'union':
      return kind.members.map(expectation).join(' or ')
    case 'choice':
      return `one of ${kind.values.join(', ')}`
    case 'literal':
      return kind.value === '' ? 'a blank' : JSON.stringify(kind.value)
    case 'object':
    case 'intersection':
    case 'dictionary':
    case 'any_object':
      return 'an object'
    case 'array':
    case 'any_array':
      return 'an array'
    case 'field':
      return kind.codec.name
    case 'boolean':
    case 'null':
    case 'unknown':
      return codec.name
    default:
      return unreachable(kind)
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
