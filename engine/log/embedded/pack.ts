import assert from 'node:assert/strict'
import { assertKey, assertPlain, MAX_DEPTH } from '../plain-data.ts'
import type { ByteSink } from './byte-sink.ts'
import { FALSE, NIL, TRUE } from './format.ts'

/**
 * Writes plain data (null, booleans, numbers, strings, bytes, arrays, plain objects) as standard MessagePack, without
 * extensions. Numbers keep their value exactly: safe integers as the shortest integer, all others, -0 too, as
 * float 64. A property whose value is undefined is absent. Anything else is a bug of the caller.
 */
export function packValue(sink: ByteSink, value: unknown, depth = 0): void {
  switch (typeof value) {
    case 'string':
      sink.string(value)
      return
    case 'number':
      sink.number(value)
      return
    case 'boolean':
      sink.byte(value ? TRUE : FALSE)
      return
    case 'object':
      if (value === null) sink.byte(NIL)
      else packObject(sink, value, depth)
      return
    case 'undefined':
    case 'bigint':
    case 'symbol':
    case 'function':
      assert.fail(`a ${typeof value} can't be stored`)
  }
}

function packObject(sink: ByteSink, value: object, depth: number): void {
  assert.ok(depth < MAX_DEPTH, 'data is nested too deeply')
  if (Array.isArray(value)) {
    sink.array(value.length)
    for (let i = 0; i < value.length; i++) packValue(sink, value[i], depth + 1)
  } else if (value instanceof Uint8Array) {
    sink.bin(value)
  } else {
    packMap(sink, value, depth)
  }
}

function packMap(sink: ByteSink, value: object, depth: number): void {
  assertPlain(value)
  const record = value as Readonly<Record<string, unknown>>
  const keys = Object.keys(record)
  let count = keys.length
  for (const key of keys) if (record[key] === undefined) count--
  sink.map(count)
  for (const key of keys) {
    const member = record[key]
    if (member === undefined) continue
    assertKey(key)
    sink.string(key)
    packValue(sink, member, depth + 1)
  }
}
