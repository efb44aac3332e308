import type { SealedPart } from '../../events/event.ts'
import { assertKey } from '../plain-data.ts'
import { BIN16, BIN32, KEY_ID_BYTES } from './format.ts'
import { MalformedError, type Unpacker } from './unpack.ts'

type Fields = Readonly<Record<string, unknown>>

/** The keys whose values a payload holds, in this order. */
export interface Shape {
  readonly data: readonly string[]
  readonly normalised: readonly string[]
}

export interface Payload {
  readonly data: Fields
  readonly normalised: Fields
  readonly sealed: readonly SealedPart[]
}

const NO_SEALED: readonly SealedPart[] = []

export function readShapes(unpacker: Unpacker): Shape[] {
  const shapes: Shape[] = []
  for (let left = unpacker.arrayHead(); left > 0; left--) {
    if (unpacker.arrayHead() !== 2) throw new MalformedError('a shape', unpacker.position)
    shapes.push({ data: readKeys(unpacker), normalised: readKeys(unpacker) })
  }
  return shapes
}

function readKeys(unpacker: Unpacker): string[] {
  const keys: string[] = []
  for (let left = unpacker.arrayHead(); left > 0; left--) {
    const key = unpacker.string()
    assertKey(key)
    keys.push(key)
  }
  return keys
}

/** The size of a bin's head, by its first byte. */
export function binHeadBytes(code: number | undefined): number {
  if (code === BIN16) return 3
  return code === BIN32 ? 5 : 2
}

/** Reads what stands in a payload's bin. */
export function readPayload(unpacker: Unpacker, shape: Shape): Payload {
  const values = shape.data.length + shape.normalised.length
  const elements = unpacker.arrayHead()
  if (elements !== values && elements !== values + 1) throw new MalformedError('a payload', unpacker.position)
  const data = readFields(unpacker, shape.data)
  const normalised = readFields(unpacker, shape.normalised)
  return { data, normalised, sealed: elements > values ? readSealed(unpacker) : NO_SEALED }
}

function readFields(unpacker: Unpacker, keys: readonly string[]): Fields {
  const fields: Record<string, unknown> = {}
  for (const key of keys) fields[key] = unpacker.value()
  return fields
}

function readSealed(unpacker: Unpacker): SealedPart[] {
  const parts: SealedPart[] = []
  for (let left = unpacker.arrayHead(); left > 0; left--) {
    if (unpacker.arrayHead() !== 2) throw new MalformedError('a sealed part', unpacker.position)
    const keyId = unpacker.binary()
    if (keyId.length !== KEY_ID_BYTES) throw new MalformedError('a key id', unpacker.position)
    parts.push({ keyId: keyId.toString('hex'), blob: new Uint8Array(unpacker.binary()) })
  }
  return parts
}
