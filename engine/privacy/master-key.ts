import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { randomKey } from './aead.ts'
import { KeyStoreError } from './failure.ts'
import { DATABASE_FILE, ID_BYTES, KEY_BYTES, KEY_FILE, LABELS, NEXT_KEY_FILE } from './format.ts'
import * as sql from './sqlite-file.ts'

/**
 * Base64, base64url or hexadecimal of 32 bytes, as in `HEADWATER_MASTER_KEY`. Throws `KeyStoreError`
 * `MasterKeyMalformed`.
 */
export function decodeMasterKey(text: string): Uint8Array {
  const trimmed = text.trim()
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return Buffer.from(trimmed, 'hex')
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) {
    throw new KeyStoreError({
      _tag: 'MasterKeyMalformed',
      why: 'expected 32 bytes in base64, or as 64 hexadecimal digits',
    })
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
  if (existsSync(join(directory, DATABASE_FILE))) return nextMasterKey(directory) ?? readMasterKey(path)
  // Made, but torn before it was durable: nothing was ever written under it.
  if (existsSync(path) && readFileSync(path).length < KEY_BYTES) rmSync(path)
  return existsSync(path) ? readMasterKey(path) : createMasterKey(directory, path)
}

/** Names the master key that a directory's store is under, in hexadecimal. Throws `KeyStoreError` `Damaged`. */
export function storedMasterKeyId(directory: string): string {
  return sql.reporting(() => {
    const database = sql.openForReading(join(directory, DATABASE_FILE))
    try {
      const query = `SELECT value FROM meta WHERE name = 'master_key_id'`
      const row = sql.columns(sql.arrays(database, query).get())
      if (row === undefined) throw new KeyStoreError({ _tag: 'Damaged', cause: 'it names no master key' })
      return sql.blobHex(sql.asBlob(row[0]))
    } finally {
      database.close()
    }
  })
}

/**
 * The key that a rotation wrote beside the old one, where the store is under it already: a crash may have come before
 * it was given its name.
 */
export function nextMasterKey(directory: string): Uint8Array | undefined {
  const path = join(directory, NEXT_KEY_FILE)
  if (!existsSync(path)) return undefined
  const key = readFileSync(path)
  if (key.length !== KEY_BYTES) return undefined
  return masterKeyId(key).toString('hex') === storedMasterKeyId(directory) ? key : undefined
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
  writeKeyFile(path, key)
  syncDirectory(directory)
  return key
}

/** A new file for its owner only; its name is durable after `syncDirectory`. */
export function writeKeyFile(path: string, content: Uint8Array): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    // A short write reports no error.
    if (writeSync(file, content) !== content.length) throw new Error(`short write to ${path}`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
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
