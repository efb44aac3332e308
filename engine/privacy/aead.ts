import { strict as assert } from 'node:assert'
import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto'
import { ID_BYTES, KEY_BYTES, NONCE_BYTES, OVERHEAD_BYTES, TAG_BYTES } from './format.ts'
import type { SealContext } from './privacy.ts'

/**
 * AES-256-GCM as everything here uses it: nonce (12 random bytes) ‖ ciphertext ‖ tag (16). With random nonces
 * a key is good for 2^32 seals (NIST SP 800-38D, 8.3).
 */

const ALGORITHM = 'aes-256-gcm'
const TAG = { authTagLength: TAG_BYTES } as const

const POOL_BYTES = 16_384
const pool = Buffer.alloc(POOL_BYTES)
let poolUsed = POOL_BYTES

/**
 * Hands each random byte out once: asking the system for 12 at a time costs more than encrypting. Byte by byte, because
 * a dozen bytes take less than a call that copies them.
 */
function takeRandom(target: Uint8Array, count: number): void {
  assert(count <= POOL_BYTES)
  if (poolUsed + count > POOL_BYTES) {
    randomFillSync(pool)
    poolUsed = 0
  }
  for (let at = 0; at < count; at++) {
    target[at] = pool[poolUsed] ?? 0
    pool[poolUsed++] = 0
  }
}

/** Many keys share a block of memory, which holds nothing else. */
const KEYS_A_BLOCK = 128
let keyBlock = Buffer.alloc(0)

export function randomKey(): Buffer {
  if (keyBlock.length === 0) keyBlock = Buffer.allocUnsafeSlow(KEYS_A_BLOCK * KEY_BYTES)
  const key = keyBlock.subarray(0, KEY_BYTES)
  keyBlock = keyBlock.subarray(KEY_BYTES)
  takeRandom(key, KEY_BYTES)
  return key
}

const id = Buffer.allocUnsafeSlow(ID_BYTES)

/** 128 random bits as 32 hexadecimal digits. */
export function randomId(): string {
  takeRandom(id, ID_BYTES)
  return id.toString('hex')
}

/** So many keys begin alike, with this many bytes. */
const NEIGHBOURS = 1_024
export const SHARED_BYTES = 3
const keyId = Buffer.allocUnsafeSlow(ID_BYTES)
let neighboursLeft = 0

/**
 * A key's id, likewise random, but that keys made together begin alike: their rows then lie on a few pages of a tree
 * that is ordered by it, instead of each on one of its own. That two keys were made about the same time is nothing new to
 * whoever reads the log.
 */
export function randomKeyId(): string {
  if (neighboursLeft === 0) {
    takeRandom(keyId, SHARED_BYTES)
    neighboursLeft = NEIGHBOURS
  }
  neighboursLeft -= 1
  takeRandom(id, ID_BYTES)
  keyId.copy(id, 0, 0, SHARED_BYTES)
  return id.toString('hex')
}

/** A cipher copies both when it gets them: views of the blob would cost more. */
const nonce = Buffer.allocUnsafeSlow(NONCE_BYTES)
const tag = Buffer.allocUnsafeSlow(TAG_BYTES)

function copyPart(from: Uint8Array, start: number, into: Uint8Array): void {
  for (let i = 0; i < into.length; i++) into[i] = from[start + i] as number
}

export function encrypt(key: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Buffer {
  assert(key.length === KEY_BYTES)
  takeRandom(nonce, NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce)
  cipher.setAAD(associated)
  const blob = Buffer.allocUnsafe(plaintext.length + OVERHEAD_BYTES)
  blob.set(nonce)
  blob.set(cipher.update(plaintext), NONCE_BYTES)
  cipher.final()
  blob.set(cipher.getAuthTag(), blob.length - TAG_BYTES)
  return blob
}

/** undefined: the blob was changed, or was made under another key or with other associated data. */
export function decrypt(key: Uint8Array, blob: Uint8Array, associated: Uint8Array): Buffer | undefined {
  assert(key.length === KEY_BYTES)
  if (blob.length < OVERHEAD_BYTES) return undefined
  const end = blob.length - TAG_BYTES
  copyPart(blob, 0, nonce)
  copyPart(blob, end, tag)
  const decipher = createDecipheriv(ALGORITHM, key, nonce, TAG)
  decipher.setAAD(associated)
  decipher.setAuthTag(tag)
  const plaintext = decipher.update(blob.subarray(NONCE_BYTES, end))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plaintext
}

let scratch = Buffer.allocUnsafeSlow(4_096)

/**
 * Source, id and type, each as its length in bytes (u32, big-endian) and its UTF-8. The answer is valid until the
 * next call.
 */
export function contextBytes(context: SealContext): Uint8Array {
  const { source, id, type } = context
  const most = 12 + 3 * (source.length + id.length + type.length)
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(most * 2)
  return scratch.subarray(0, writePrefixed(type, writePrefixed(id, writePrefixed(source, 0))))
}

function writePrefixed(text: string, at: number): number {
  const length = isShortAscii(text, at + 4) ? text.length : scratch.write(text, at + 4)
  scratch[at] = length >>> 24
  scratch[at + 1] = length >>> 16
  scratch[at + 2] = length >>> 8
  scratch[at + 3] = length
  return at + 4 + length
}

/** Up to this length a loop beats the call into the runtime. */
const SHORT_TEXT = 48

/** Writes it on the way; what was written of a text that isn't is written over. */
function isShortAscii(text: string, at: number): boolean {
  if (text.length > SHORT_TEXT) return false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x80) return false
    scratch[at + i] = unit
  }
  return true
}
