import { strict as assert } from 'node:assert'
import { Packr } from 'msgpackr'

/**
 * What one sealed part says, as MessagePack: a map of up to three maps.
 * `data`: whole top-level properties. `normalised`: entries of the event's `normalised` that follow from what is
 * sealed here. `people`: property → index in its array (decimal) → element. Of a negative zero the sign is lost.
 */
export interface PartContents {
  data?: Record<string, unknown>
  normalised?: Record<string, unknown>
  people?: Record<string, Record<string, unknown>>
}

type Section = keyof PartContents

const packr = new Packr({ useRecords: false, variableMapSize: true })

/** The bytes are valid until the next call. */
export function packContents(contents: PartContents): Uint8Array {
  return packr.pack(contents)
}

/** The bytes are authenticated, so anything but a map is our own mistake. */
export function unpackContents(
  bytes: Uint8Array,
): Readonly<Record<Section, Readonly<Record<string, unknown>>>> {
  const contents: unknown = packr.unpack(bytes)
  assert(isRecord(contents), 'a sealed part holds a map')
  return {
    data: section(contents, 'data'),
    normalised: section(contents, 'normalised'),
    people: section(contents, 'people'),
  }
}

const NOTHING: Readonly<Record<string, unknown>> = Object.freeze({})

function section(
  contents: Readonly<Record<string, unknown>>,
  name: Section,
): Readonly<Record<string, unknown>> {
  const found = contents[name]
  if (found === undefined) return NOTHING
  assert(isRecord(found), `a sealed part's ${name} is a map`)
  return found
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Plain assignment of `__proto__` would change what the object inherits. */
export function setOwn(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
  } else target[name] = value
}
