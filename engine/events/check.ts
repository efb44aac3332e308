import type * as t from 'io-ts'
import { kindOf, unreachable } from './codec-kinds.ts'

export type Check = (value: unknown) => boolean

/**
 * Says of plain data what `codec.is` says, at a third of its cost: it goes through the properties that a value has,
 * not through all that it might have, and nothing is looked up or made while it runs.
 */
export function compileCheck(codec: t.Mixed): Check {
  const kind = kindOf(codec)
  switch (kind.kind) {
    case 'personal':
      return compileCheck(kind.codec.inner)
    case 'field':
      return kind.codec.is
    case 'object':
      return objectCheck(propertiesOf([codec]))
    case 'intersection':
      return intersectionCheck(kind.parts)
    case 'union':
      return unionCheck(kind.members)
    case 'array':
      return arrayCheck(compileCheck(kind.element))
    case 'dictionary':
      return dictionaryCheck(compileCheck(kind.value))
    case 'literal':
    case 'choice':
    case 'any_object':
    case 'any_array':
    case 'boolean':
    case 'null':
    case 'unknown':
      return codec.is
    default:
      return unreachable(kind)
  }
}

type Values = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

interface Property {
  readonly check: Check
  readonly required: boolean
}

/** Of object codecs that all hold at once; a property of several of them is checked by each. */
function propertiesOf(codecs: readonly t.Mixed[]): ReadonlyMap<string, Property> {
  const properties = new Map<string, Property>()
  for (const codec of codecs) {
    const kind = kindOf(codec)
    if (kind.kind !== 'object') continue
    for (const [name, property] of Object.entries(kind.props)) {
      const own = { check: compileCheck(property), required: kind.required }
      const other = properties.get(name)
      properties.set(name, other === undefined ? own : both(own, other))
    }
  }
  return properties
}

function both(a: Property, b: Property): Property {
  return {
    check: (value) => checkProperty(a, value) && checkProperty(b, value),
    required: a.required || b.required,
  }
}

function checkProperty({ check, required }: Property, value: unknown): boolean {
  return (value === undefined && !required) || check(value)
}

function objectCheck(properties: ReadonlyMap<string, Property>): Check {
  let needed = 0
  for (const { required } of properties.values()) if (required) needed += 1
  return (value) => {
    if (!isObject(value)) return false
    let found = 0
    for (const name in value) {
      const property = properties.get(name)
      if (property === undefined) continue
      if (property.required) found += 1
      if (!checkProperty(property, value[name])) return false
    }
    return found === needed
  }
}

function intersectionCheck(parts: readonly t.Mixed[]): Check {
  if (parts.every((part) => kindOf(part).kind === 'object')) return objectCheck(propertiesOf(parts))
  const checks = parts.map(compileCheck)
  return (value) => checks.every((check) => check(value))
}

function unionCheck(members: readonly t.Mixed[]): Check {
  const checks = members.map(compileCheck)
  return (value) => {
    for (const check of checks) if (check(value)) return true
    return false
  }
}

function arrayCheck(element: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return false
    for (const each of value) if (!element(each)) return false
    return true
  }
}

function dictionaryCheck(codomain: Check): Check {
  return (value) => {
    if (!isObject(value)) return false
    for (const name in value) if (!codomain(value[name])) return false
    return true
  }
}
