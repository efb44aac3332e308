import * as t from 'io-ts'
import type { EventDefinition } from './codec.ts'
import { PersonalType } from './codec.ts'

/** What a definition's codec says about the top-level properties of its data. */

interface Properties {
  readonly personal: ReadonlyMap<string, PersonalType<t.Mixed>>
  readonly declared: ReadonlySet<string>
  readonly required: ReadonlySet<string>
}

const memo = new WeakMap<EventDefinition, Properties>()

/** The properties that are sealed. A property that isn't declared at all is sealed likewise. */
export function personalProperties(definition: EventDefinition): ReadonlyMap<string, PersonalType<t.Mixed>> {
  return propertiesOf(definition).personal
}

export function declaredProperties(definition: EventDefinition): ReadonlySet<string> {
  return propertiesOf(definition).declared
}

export function requiredProperties(definition: EventDefinition): ReadonlySet<string> {
  return propertiesOf(definition).required
}

/** Every property of an object's codec with its own codec; a property of several parts comes several times. */
export function* propertyCodecs(
  codec: t.Mixed,
): Generator<{ readonly name: string; readonly codec: t.Mixed; readonly required: boolean }> {
  if (codec instanceof t.IntersectionType) {
    for (const part of codec.types) yield* propertyCodecs(part)
  } else if (codec instanceof t.InterfaceType || codec instanceof t.PartialType) {
    const required = codec instanceof t.InterfaceType
    const props: Readonly<Record<string, t.Mixed>> = codec.props
    for (const [name, property] of Object.entries(props)) yield { name, codec: property, required }
  }
}

function propertiesOf(definition: EventDefinition): Properties {
  const known = memo.get(definition)
  if (known !== undefined) return known
  const personal = new Map<string, PersonalType<t.Mixed>>()
  const declared = new Set<string>()
  const required = new Set<string>()
  for (const property of propertyCodecs(definition.codec)) {
    declared.add(property.name)
    if (property.codec instanceof PersonalType) personal.set(property.name, property.codec)
    if (property.required) required.add(property.name)
  }
  const properties = { personal, declared, required }
  memo.set(definition, properties)
  return properties
}
