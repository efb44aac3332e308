import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { decrypt, encrypt, randomKey } from './aead.ts'
import { KeyStoreError } from './failure.ts'
import { DATABASE_FILE } from './format.ts'
import { identityMac, macKey, valueText } from './macs.ts'
import { masterKeyId, storedMasterKeyId } from './master-key.ts'
import { countRows, type OnRows, rewriteStore, tallying, visitRows } from './rewriting.ts'
import * as sql from './sqlite-file.ts'
import { macKeyLabel } from './sqlite-tables.ts'
import { identityLabel } from './vault.ts'

/** Where a crash may come in between; before `committed` the old MAC key is in use, from then on the new one. */
export type RekeyStep = 'rekeyed' | 'committed'

export interface Rekeying {
  readonly directory: string
  readonly masterKey: Uint8Array
  readonly onRows: OnRows
  readonly onStep?: ((step: RekeyStep) => void) | undefined
}

/**
 * Makes a new MAC key and puts every identity under it, in one transaction; ids, and so the log, stay as they are.
 * Marks of suppression stay under the key of their time, which is kept for them. Answers the new generation. Nobody may
 * have the store open. Throws `KeyStoreError`: `WrongMasterKey`, `DiskFull`, `Damaged`, `NotPurged`.
 */
export function rekey({ directory, masterKey, onRows, onStep }: Rekeying): number {
  if (masterKeyId(masterKey).toString('hex') !== storedMasterKeyId(directory))
    throw new KeyStoreError({ _tag: 'WrongMasterKey' })
  let generation = 0
  const work = (database: DatabaseSync): void => {
    const bytes = randomKey()
    generation = nextGeneration(database)
    const wrapped = encrypt(masterKey, bytes, macKeyLabel(generation))
    database.prepare('INSERT INTO mac_key(generation, wrapped) VALUES (?, ?)').run(generation, wrapped)
    const key = macKey(generation, bytes)
    const tally = tallying(countRows(database, 'identity'), onRows)
    // By id: the MACs, which are the table's key, change under way.
    const update = database.prepare('UPDATE identity SET mac = ? WHERE mac = ?')
    const query = { table: 'identity', key: 'id', columns: 'mac, namespace, sealed_value' }
    visitRows(database, query, ([id, mac, name, sealed]) => {
      const namespace = sql.asText(name)
      const value = revealed(masterKey, sql.blobHex(sql.asBlob(id)), namespace, sql.asBlob(sealed))
      update.run(identityMac(key, { namespace, value }), sql.asBlob(mac))
      tally()
    })
    onStep?.('rekeyed')
  }
  rewriteStore(join(directory, DATABASE_FILE), work, () => onStep?.('committed'))
  return generation
}

function nextGeneration(database: DatabaseSync): number {
  const row = sql.columns(sql.arrays(database, 'SELECT max(generation) FROM mac_key').get())
  return sql.asInteger(row?.[0]) + 1
}

function revealed(masterKey: Uint8Array, id: string, namespace: string, sealed: Uint8Array): string {
  const bytes = decrypt(masterKey, sealed, identityLabel(id, namespace))
  if (bytes === undefined)
    throw new KeyStoreError({ _tag: 'Damaged', cause: `identity ${id} doesn't open under the master key` })
  return valueText(bytes)
}
