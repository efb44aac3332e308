import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { randomKey } from './aead.ts'
import { KeyStoreError } from './failure.ts'
import { DATABASE_FILE, ID_BYTES, KEY_BYTES, KEY_FILE, LABELS } from './format.ts'

/** Base64 or base64url of 32 bytes, as in `HEADWATER_MASTER_KEY`. Throws `KeyStoreError` `MasterKeyMalformed`. */
export function decodeMasterKey(text: string): Uint8Array {
  const trimmed = text.trim()
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) {
    throw new KeyStoreError({ _tag: 'MasterKeyMalformed', why: 'expected 32 bytes in base64' })
  }
  return checked(Buffer.from(trimmed, 'base64'), 'the key handed in')
}

/** Names a master key without telling it: that of a store is compared before anything is opened with it. */
export function masterKeyId(masterKey: Uint8Array): Buffer {
  return createHash('sha256').update(LABELS.masterKeyId).update(masterKey).digest().subarray(0, ID_BYTES)
}

/**
 * The master key handed in, or that of the directory. A new one is made only where there is no key store yet; it
 * is durable before it is returned. Throws `KeyStoreError` `MasterKeyMissing` or `MasterKeyMalformed`.
 */
export function masterKeyFor(directory: string, handedIn: Uint8Array | undefined): Uint8Array {
  if (handedIn !== undefined) return checked(Buffer.from(handedIn), 'the key handed in')
  const path = join(directory, KEY_FILE)
  if (existsSync(join(directory, DATABASE_FILE))) return readMasterKey(path)
  // Made, but torn before it was durable: nothing was ever written under it.
  if (existsSync(path) && readFileSync(path).length < KEY_BYTES) rmSync(path)
  return existsSync(path) ? readMasterKey(path) : createMasterKey(directory, path)
}

function readMasterKey(path: string): Uint8Array {
  if (!existsSync(path)) throw new KeyStoreError({ _tag: 'MasterKeyMissing', path })
  return checked(readFileSync(path), path)
}

function checked(key: Buffer, what: string): Uint8Array {
  if (key.length === KEY_BYTES) return key
  throw new KeyStoreError({
    _tag: 'MasterKeyMalformed',
    why: `${what} has ${key.length} bytes, not ${KEY_BYTES}`,
  })
}

function createMasterKey(directory: string, path: string): Uint8Array {
  const key = randomKey()
  const file = openSync(path, 'wx', 0o600)
  try {
    // A short write reports no error.
    if (writeSync(file, key) !== KEY_BYTES) throw new Error(`short write to ${path}`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  syncDirectory(directory)
  return key
}

/** Makes the names of files in a directory durable. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
