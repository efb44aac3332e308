import { strict as assert } from 'node:assert'
import { existsSync, linkSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { decrypt, encrypt, randomKey } from './aead.ts'
import { KeyStoreError } from './failure.ts'
import { DATABASE_FILE, KEY_BYTES, KEY_FILE, NEXT_KEY_FILE } from './format.ts'
import { masterKeyId, nextMasterKey, storedMasterKeyId, syncDirectory, writeKeyFile } from './master-key.ts'
import { countRows, type OnRows, rewriteStore, tallying, visitRows } from './rewriting.ts'
import * as sql from './sqlite-file.ts'
import { asKeyClass, macKeyLabel } from './sqlite-tables.ts'
import { dataKeyLabel, identityLabel } from './vault.ts'

/** Where a crash may come in between; whatever the step, the store opens with the old key or with the new one. */
export type RotationStep = 'key_durable' | 'rewrapped' | 'committed' | 'old_kept' | 'named'

export interface Rotation {
  readonly directory: string
  /** The key that the store is under. */
  readonly oldKey: Uint8Array
  readonly onRows: OnRows
  readonly onStep?: ((step: RotationStep) => void) | undefined
}

/**
 * Puts a store that keeps its master key beside it under a new one. The new key is durable before the transaction; the
 * old one stays as `master.key.<first eight digits of its id>`, since backups of its time need it. Answers that file's
 * path. Nobody may have the store open. Throws `KeyStoreError`: `WrongMasterKey`, `DiskFull`, `Damaged`, `NotPurged`.
 */
export function rotateKeptKey(rotation: Rotation): { readonly oldKeyFile: string } {
  const { directory, onStep } = rotation
  settleRotation(directory)
  const newKey = randomKey()
  writeKeyFile(join(directory, NEXT_KEY_FILE), newKey)
  syncDirectory(directory)
  onStep?.('key_durable')
  try {
    rewrap(rotation, newKey)
  } finally {
    // Whichever key the store is under now has its name afterwards, whatever went wrong.
    settleRotation(directory, onStep)
  }
  return { oldKeyFile: oldKeyPath(directory, rotation.oldKey) }
}

/**
 * Puts a store under a master key that its owner keeps elsewhere, and has made durable. A key that was kept beside the
 * store stays under its other name, as in `rotateKeptKey`.
 */
export function rotateHandedIn(rotation: Rotation, newKey: Uint8Array): void {
  const { directory, onStep } = rotation
  settleRotation(directory)
  rewrap(rotation, newKey)
  const kept = join(directory, KEY_FILE)
  if (!existsSync(kept)) return
  keepOld(directory, kept)
  onStep?.('old_kept')
  rmSync(kept)
  syncDirectory(directory)
  onStep?.('named')
}

function oldKeyPath(directory: string, key: Uint8Array): string {
  return join(directory, `${KEY_FILE}.${masterKeyId(key).toString('hex').slice(0, 8)}`)
}

/**
 * Finishes, or takes back, what a crash left of a rotation: the key that the store is under becomes `master.key`. Nobody
 * may be rotating meanwhile.
 */
export function settleRotation(directory: string, onStep?: Rotation['onStep']): void {
  const next = join(directory, NEXT_KEY_FILE)
  if (!existsSync(next)) return
  const kept = join(directory, KEY_FILE)
  if (nextMasterKey(directory) === undefined) {
    // Never used, so whatever it says opens nothing. Kept where the other key doesn't fit either: people must look.
    if (isStoredKey(directory, kept)) rmSync(next)
  } else {
    if (existsSync(kept)) keepOld(directory, kept)
    onStep?.('old_kept')
    renameSync(next, kept)
    onStep?.('named')
  }
  syncDirectory(directory)
}

function isStoredKey(directory: string, path: string): boolean {
  if (!existsSync(path)) return false
  return masterKeyId(readFileSync(path)).toString('hex') === storedMasterKeyId(directory)
}

function keepOld(directory: string, kept: string): void {
  const key = readFileSync(kept)
  assert.equal(key.length, KEY_BYTES)
  const old = oldKeyPath(directory, key)
  if (!existsSync(old)) linkSync(kept, old)
  syncDirectory(directory)
}

/** Unwraps everything with the old key and wraps it with the new one, in one transaction. */
function rewrap({ directory, oldKey, onRows, onStep }: Rotation, newKey: Uint8Array): void {
  assert.equal(newKey.length, KEY_BYTES)
  if (masterKeyId(oldKey).toString('hex') !== storedMasterKeyId(directory))
    throw new KeyStoreError({ _tag: 'WrongMasterKey' })
  const again = (blob: unknown, associated: Uint8Array, what: string): Buffer => {
    const plaintext = decrypt(oldKey, sql.asBlob(blob), associated)
    if (plaintext === undefined)
      throw new KeyStoreError({ _tag: 'Damaged', cause: `${what} doesn't open under the master key` })
    return encrypt(newKey, plaintext, associated)
  }
  const work = (database: DatabaseSync): void => {
    const tally = tallying(countRows(database, 'identity') + countRows(database, 'data_key'), onRows)
    rewrapMacKeys(database, again)
    rewrapIdentities(database, again, tally)
    rewrapDataKeys(database, again, tally)
    const id = masterKeyId(newKey)
    database.prepare(`UPDATE meta SET value = ? WHERE name = 'master_key_id'`).run(id)
    onStep?.('rewrapped')
  }
  rewriteStore(join(directory, DATABASE_FILE), work, () => onStep?.('committed'))
}

type Again = (blob: unknown, associated: Uint8Array, what: string) => Buffer

function rewrapMacKeys(database: DatabaseSync, again: Again): void {
  const update = database.prepare('UPDATE mac_key SET wrapped = ? WHERE generation = ?')
  for (const row of sql.arrays(database, 'SELECT generation, wrapped FROM mac_key').all()) {
    const [number, wrapped] = sql.columns(row) ?? []
    const generation = sql.asInteger(number)
    update.run(again(wrapped, macKeyLabel(generation), `MAC key ${generation}`), generation)
  }
}

function rewrapIdentities(database: DatabaseSync, again: Again, tally: () => void): void {
  const update = database.prepare('UPDATE identity SET sealed_value = ? WHERE mac = ?')
  const query = { table: 'identity', key: 'mac', columns: 'id, namespace, sealed_value' }
  visitRows(database, query, ([mac, blob, namespace, sealed]) => {
    const id = sql.blobHex(sql.asBlob(blob))
    const label = identityLabel(id, sql.asText(namespace))
    update.run(again(sealed, label, `identity ${id}`), sql.asBlob(mac))
    tally()
  })
}

function rewrapDataKeys(database: DatabaseSync, again: Again, tally: () => void): void {
  const update = database.prepare('UPDATE data_key SET wrapped = ? WHERE key_id = ?')
  const query = { table: 'data_key', key: 'key_id', columns: 'owner, retention, wrapped' }
  visitRows(database, query, ([key, owner, retention, wrapped]) => {
    const keyId = sql.blobHex(sql.asBlob(key))
    const row = { keyId, owner: sql.blobHex(sql.asBlob(owner)), retention: asKeyClass(sql.asText(retention)) }
    update.run(again(wrapped, dataKeyLabel(row), `data key ${keyId}`), sql.asBlob(key))
    tally()
  })
}
