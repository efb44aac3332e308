import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto'
import * as E from 'fp-ts/lib/Either.js'
import type { Cell } from './cells.ts'

/**
 * A cursor is where a walk through a list stands: the sort values of the last row given. They may be personal and a
 * cursor travels in URLs, so it is sealed under a key that lives and dies with the store; that also tells a truncated,
 * altered or foreign one. Form: base64url of version (1 byte) ‖ nonce (12) ‖ tag (16) ‖ AES-256-GCM of a JSON array, with
 * the fingerprint of the query as associated data. The nonce follows from both by a keyed hash (as in RFC 5297): one place of
 * one query has one cursor, so that pages which haven't changed are equal, and no nonce seals two contents.
 */
const VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 1 + NONCE_BYTES + TAG_BYTES

export const CURSOR_KEY_BYTES = 32

/** Longer ones are refused unread. */
const MAX_CURSOR_LENGTH = 1 << 21

/** Names a query, its limit and cursor left out: a cursor may go on with another page size. */
export function fingerprint(parts: unknown): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest()
}

export function sealCursor(key: Uint8Array, query: Buffer, cells: readonly Cell[]): string {
  const plaintext = JSON.stringify(cells)
  const nonce = nonceOf(key, query, plaintext)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(query)
  const sealed = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()])
  return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), sealed]).toString('base64url')
}

/** The fingerprint's length is fixed, so no two pairs are hashed alike. */
function nonceOf(key: Uint8Array, query: Buffer, plaintext: string): Buffer {
  const hash = createHmac('sha256', key).update('headwater cursor nonce').update(query).update(plaintext)
  return hash.digest().subarray(0, NONCE_BYTES)
}

/** `count` values, or why there are none. */
export function openCursor(
  key: Uint8Array,
  query: Buffer,
  cursor: string,
  count: number,
): E.Either<string, readonly Cell[]> {
  if (cursor.length > MAX_CURSOR_LENGTH) return E.left('too long')
  const bytes = Buffer.from(cursor, 'base64url')
  // Decoding skips what it doesn't know; only the one spelling that we give is ours.
  if (bytes.toString('base64url') !== cursor || bytes.length < HEADER_BYTES) return E.left('not a cursor')
  if (bytes[0] !== VERSION) return E.left('of another version')
  const plaintext = decrypt(key, query, bytes)
  if (plaintext === undefined) return E.left('altered, or of another query or store')
  const cells: readonly Cell[] = JSON.parse(plaintext)
  // Sorting by a column that has since been dropped is another query, so the count can't differ.
  return cells.length === count ? E.right(cells) : E.left('of another query')
}

function decrypt(key: Uint8Array, query: Buffer, bytes: Buffer): string | undefined {
  const nonce = bytes.subarray(1, 1 + NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(query)
  decipher.setAuthTag(bytes.subarray(1 + NONCE_BYTES, HEADER_BYTES))
  try {
    return decipher.update(bytes.subarray(HEADER_BYTES), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    return undefined
  }
}
