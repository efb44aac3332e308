import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { decrypt } from './aead.ts'
import { KeyStoreError } from './failure.ts'
import { DATABASE_FILE } from './format.ts'
import { identityMac, type MacKey, newest, valueText } from './macs.ts'
import { WORKSPACE_OWNER } from './privacy.ts'
import { countRows, type OnRows, tallying, visitRows } from './rewriting.ts'
import * as sql from './sqlite-file.ts'
import { asKeyClass, SqliteTables } from './sqlite-tables.ts'
import { dataKeyLabel, identityLabel } from './vault.ts'

/** What a whole key store was found to hold. */
export interface KeyStoreCheck {
  readonly identities: number
  readonly keys: number
  /** Identities that were erased, and not collected again since. */
  readonly marks: number
  /** Ids of identities whose value doesn't open, or isn't looked up by its own MAC. */
  readonly brokenIdentities: readonly string[]
  /** Ids of keys that don't unwrap. */
  readonly brokenKeys: readonly string[]
  /** Keys of nobody who is known: an erasure should have destroyed them. */
  readonly ownerless: number
}

/** Enough to go by; the numbers say how bad it is. */
const MOST_NAMED = 100

/**
 * Reads every row of a key store and opens it. Throws `KeyStoreError` where it can't be read at all: `WrongMasterKey`,
 * `KeyStoreMissing`, `FormatNewer`, `Damaged`.
 */
export function checkKeyStore(directory: string, masterKey: Uint8Array, onRows: OnRows): KeyStoreCheck {
  const tables = new SqliteTables(directory)
  const database = sql.reporting(() => sql.openForReading(join(directory, DATABASE_FILE)))
  try {
    const macKeys = tables.macKeys(masterKey)
    return sql.reporting(() => {
      // One snapshot, whoever writes meanwhile.
      database.exec('BEGIN')
      return new Check(database, masterKey, newest(macKeys), onRows).run()
    })
  } finally {
    database.close()
    tables.close()
  }
}

/** When the newest of the erasures was that a key store has marks of, ms since 1970 UTC; 0: there was none. */
export function lastErasure(directory: string): number {
  const database = sql.reporting(() => sql.openForReading(join(directory, DATABASE_FILE)))
  try {
    return sql.reporting(() => {
      const row = sql.arrays(database, 'SELECT coalesce(max(since), 0) FROM suppressed').get()
      return sql.asInteger(sql.columns(row)?.[0])
    })
  } finally {
    database.close()
  }
}

class Check {
  readonly #database: DatabaseSync
  readonly #masterKey: Uint8Array
  readonly #macKey: MacKey
  readonly #onRows: OnRows
  readonly #brokenIdentities: string[] = []
  readonly #brokenKeys: string[] = []

  constructor(database: DatabaseSync, masterKey: Uint8Array, macKey: MacKey, onRows: OnRows) {
    this.#database = database
    this.#masterKey = masterKey
    this.#macKey = macKey
    this.#onRows = onRows
  }

  run(): KeyStoreCheck {
    const database = this.#database
    const damage = sql
      .arrays(database, `PRAGMA integrity_check(${MOST_NAMED})`)
      .all()
      .map((row) => sql.asText(sql.columns(row)?.[0]))
    if (damage.length > 1 || damage[0] !== 'ok')
      throw new KeyStoreError({ _tag: 'Damaged', cause: damage.join('; ') })
    const identities = countRows(database, 'identity')
    const keys = countRows(database, 'data_key')
    const tally = tallying(identities + keys, this.#onRows)
    this.#identities(tally)
    this.#keys(tally)
    return {
      identities,
      keys,
      marks: countRows(database, 'suppressed'),
      brokenIdentities: this.#brokenIdentities,
      brokenKeys: this.#brokenKeys,
      ownerless: this.#ownerless(),
    }
  }

  #identities(tally: () => void): void {
    const query = { table: 'identity', key: 'mac', columns: 'id, namespace, sealed_value' }
    visitRows(this.#database, query, ([mac, blob, name, sealed]) => {
      tally()
      const id = sql.blobHex(sql.asBlob(blob))
      const namespace = sql.asText(name)
      const value = decrypt(this.#masterKey, sql.asBlob(sealed), identityLabel(id, namespace))
      const stated = value === undefined ? undefined : { namespace, value: valueText(value) }
      if (stated !== undefined && identityMac(this.#macKey, stated).equals(sql.asBlob(mac))) return
      if (this.#brokenIdentities.length < MOST_NAMED) this.#brokenIdentities.push(id)
    })
  }

  #keys(tally: () => void): void {
    const query = { table: 'data_key', key: 'key_id', columns: 'owner, retention, wrapped' }
    visitRows(this.#database, query, ([key, owner, retention, wrapped]) => {
      tally()
      const keyId = sql.blobHex(sql.asBlob(key))
      const row = {
        keyId,
        owner: sql.blobHex(sql.asBlob(owner)),
        retention: asKeyClass(sql.asText(retention)),
      }
      const opened = decrypt(this.#masterKey, sql.asBlob(wrapped), dataKeyLabel(row))
      if (opened === undefined && this.#brokenKeys.length < MOST_NAMED) this.#brokenKeys.push(keyId)
    })
  }

  #ownerless(): number {
    const query = 'SELECT count(*) FROM data_key WHERE owner <> ? AND owner NOT IN (SELECT id FROM identity)'
    const row = sql.arrays(this.#database, query).get(sql.hexBlob(WORKSPACE_OWNER))
    return sql.asInteger(sql.columns(row)?.[0])
  }
}
