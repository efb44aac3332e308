import assert from 'node:assert/strict'

/** Nesting of data that a log stores, far beyond what the intake lets through. */
export const MAX_DEPTH = 500

/** Decoders of the world treat this key specially; the intake refuses it. */
export function assertKey(key: string): void {
  if (key === '__proto__') assert.fail('the key __proto__ is never stored')
  if (!key.isWellFormed()) assert.fail('a key has a lone surrogate')
}

export function assertPlain(value: object): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) assert.fail('only plain objects can be stored')
}

export function assertText(value: string): void {
  assert.ok(value.isWellFormed(), 'a string has a lone surrogate')
}

/**
 * A deep copy as a log would give it back: null, booleans, numbers, well-formed strings, bytes, arrays and plain objects; a
 * property whose value is undefined is absent. Anything else is a bug of the caller.
 */
function copyPlain(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      assertText(value)
      return value
    case 'number':
    case 'boolean':
      return value
    case 'object':
      return value === null ? null : copyObject(value, depth)
    case 'undefined':
    case 'bigint':
    case 'symbol':
    case 'function':
      assert.fail(`a ${typeof value} can't be stored`)
  }
}

function copyObject(value: object, depth: number): unknown {
  assert.ok(depth < MAX_DEPTH, 'data is nested too deeply')
  if (Array.isArray(value)) return Array.from(value, (element) => copyPlain(element, depth + 1))
  if (value instanceof Uint8Array) return new Uint8Array(value)
  return copyFields(value as Readonly<Record<string, unknown>>, depth)
}

export function copyFields(
  fields: Readonly<Record<string, unknown>>,
  depth = 0,
): Readonly<Record<string, unknown>> {
  assertPlain(fields)
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(fields)) {
    if (fields[key] === undefined) continue
    assertKey(key)
    copy[key] = copyPlain(fields[key], depth + 1)
  }
  return copy
}
