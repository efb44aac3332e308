import { strict as assert } from 'node:assert'
import type { KeyObject } from 'node:crypto'
import { createHmac, createSecretKey } from 'node:crypto'
import type { StatedIdentity } from '../events/identity.ts'

/** A secret that turns identity values into the MACs that the key store is searched by. */
export interface MacKey {
  readonly generation: number
  readonly key: KeyObject
}

export function macKey(generation: number, bytes: Uint8Array): MacKey {
  return { generation, key: createSecretKey(bytes) }
}

/** HMAC-SHA256 of: length of the namespace in bytes (u32, big-endian), namespace, value. */
export function identityMac(macKey: MacKey, stated: StatedIdentity): Buffer {
  const namespace = Buffer.from(stated.namespace)
  const head = Buffer.allocUnsafe(4)
  head.writeUInt32BE(namespace.length)
  const input = Buffer.concat([head, namespace, valueBytes(stated.value)])
  return createHmac('sha256', macKey.key).update(input).digest()
}

/** No UTF-8 text begins with this byte. */
const ILL_FORMED = 0xff

/**
 * UTF-8. A value with lone surrogates, which UTF-8 can't tell apart, is 0xff and its UTF-16 (little-endian): two
 * people must never share an identity because of an encoding.
 */
export function valueBytes(value: string): Buffer {
  if (value.isWellFormed()) return Buffer.from(value)
  return Buffer.concat([Buffer.of(ILL_FORMED), Buffer.from(value, 'utf16le')])
}

export function valueText(bytes: Buffer): string {
  return bytes[0] === ILL_FORMED ? bytes.toString('utf16le', 1) : bytes.toString('utf8')
}

/** The generation that identities are under. */
export function newest(macKeys: readonly MacKey[]): MacKey {
  const last = macKeys.at(-1)
  assert(last !== undefined, 'a key store has at least one MAC key')
  return last
}
