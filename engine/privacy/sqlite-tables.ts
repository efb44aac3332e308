import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { IdentityId } from '../events/identity.ts'
import { decrypt, encrypt, randomKey } from './aead.ts'
import { KeyStoreError } from './failure.ts'
import { DATABASE_FILE, FORMAT_VERSION, ID_BYTES, LABELS, SCHEMA } from './format.ts'
import type { DataKeyRow, IdentityRow, Presence, StoredTables } from './key-tables.ts'
import type { MacKey } from './macs.ts'
import { macKey } from './macs.ts'
import { masterKeyFor, masterKeyId, syncDirectory } from './master-key.ts'
import type { KeyClass } from './privacy.ts'
import * as sql from './sqlite-file.ts'

/** Associated data of a wrapped MAC key. */
export function macKeyLabel(generation: number): Buffer {
  const label = Buffer.from(`${LABELS.macKey}0000`)
  label.writeUInt32BE(generation, label.length - 4)
  return label
}

/** The master key of a directory's store, the store being created where it is missing and `create` allows it. */
export function prepareDirectory(
  directory: string,
  handedIn: Uint8Array | undefined,
  create: boolean,
): Uint8Array {
  const path = join(directory, DATABASE_FILE)
  if (!existsSync(path) && !create) throw new KeyStoreError({ _tag: 'KeyStoreMissing', path })
  const masterKey = masterKeyFor(directory, handedIn)
  // A store that exists is not touched before it is known to be ours.
  if (!existsSync(path) || sql.reporting(() => isEmpty(path))) {
    createSchema(path, masterKey)
    syncDirectory(directory)
  }
  return masterKey
}

/**
 * A crash before the first transaction leaves a file without tables; one while it is made a write-ahead log leaves a
 * journal, and the file can't be read before a writer has rolled that back.
 */
function isEmpty(path: string): boolean {
  try {
    return hasNoTables(sql.openForReading(path))
  } catch (error) {
    if (!sql.needsRollback(error)) throw error
    return hasNoTables(sql.openForWriting(path))
  }
}

function hasNoTables(database: DatabaseSync): boolean {
  try {
    const row = sql.columns(sql.arrays(database, 'SELECT count(*) FROM sqlite_schema').get())
    return sql.asInteger(row?.[0]) === 0
  } finally {
    database.close()
  }
}

function createSchema(path: string, masterKey: Uint8Array): void {
  const database = sql.openForWriting(path)
  try {
    fill(database, masterKey)
  } finally {
    database.close()
  }
}

function fill(database: DatabaseSync, masterKey: Uint8Array): void {
  database.exec('BEGIN IMMEDIATE')
  database.exec(SCHEMA)
  const meta = database.prepare('INSERT INTO meta(name, value) VALUES (?, ?)')
  meta.run('format', Buffer.of(FORMAT_VERSION))
  meta.run('master_key_id', masterKeyId(masterKey))
  meta.run('writer', Buffer.alloc(16))
  const wrapped = encrypt(masterKey, randomKey(), macKeyLabel(1))
  database.prepare('INSERT INTO mac_key(generation, wrapped) VALUES (1, ?)').run(wrapped)
  database.exec('COMMIT')
}

/** The tables of `keys.sqlite`, read by one thread. */
export class SqliteTables implements StoredTables {
  readonly #database: DatabaseSync
  readonly #identityByMac: StatementSync
  readonly #identityById: StatementSync
  readonly #dataKeyById: StatementSync
  readonly #dataKeysBetween: StatementSync
  readonly #dataKeyOf: StatementSync
  readonly #suppressed: StatementSync

  /** Throws `KeyStoreError`: `KeyStoreMissing`, `FormatNewer`, `Damaged`. */
  constructor(directory: string) {
    const path = join(directory, DATABASE_FILE)
    if (!existsSync(path)) throw new KeyStoreError({ _tag: 'KeyStoreMissing', path })
    const database = sql.reporting(() => sql.openForReading(path))
    try {
      checkFormat(database)
    } catch (error) {
      database.close()
      throw error
    }
    const identity = 'SELECT mac, id, namespace, sealed_value FROM identity'
    const dataKey = 'SELECT key_id, owner, retention, wrapped FROM data_key'
    this.#database = database
    this.#identityByMac = sql.arrays(database, `${identity} WHERE mac = ?`)
    this.#identityById = sql.arrays(database, `${identity} WHERE id = ?`)
    this.#dataKeyById = sql.arrays(database, `${dataKey} WHERE key_id = ?`)
    // As text: a row of blobs costs three times as much, and few of many rows are looked at twice.
    this.#dataKeysBetween = sql.arrays(
      database,
      `SELECT lower(hex(key_id)), lower(hex(owner)), retention, hex(wrapped) FROM data_key
       WHERE key_id BETWEEN ? AND ?`,
    )
    this.#dataKeyOf = sql.arrays(database, `${dataKey} WHERE owner = ? AND retention = ?`)
    this.#suppressed = sql.arrays(database, 'SELECT 1 FROM suppressed WHERE mac = ?')
  }

  /** Oldest first. Throws `KeyStoreError`: `WrongMasterKey`, `Damaged`. */
  macKeys(masterKey: Uint8Array): readonly MacKey[] {
    return sql.reporting(() => {
      const stored = metaValue(this.#database, 'master_key_id')
      if (stored === undefined || !masterKeyId(masterKey).equals(stored)) {
        throw new KeyStoreError({ _tag: 'WrongMasterKey' })
      }
      const rows = sql
        .arrays(this.#database, 'SELECT generation, wrapped FROM mac_key ORDER BY generation')
        .all()
      const keys = rows.map((row) => unwrapMacKey(sql.columns(row), masterKey))
      if (keys.length === 0) throw new KeyStoreError({ _tag: 'Damaged', cause: 'it has no MAC key' })
      return keys
    })
  }

  identityByMac(mac: Uint8Array): IdentityRow | undefined {
    return sql.reporting(() => identityRow(this.#identityByMac.get(mac)))
  }

  identityById(id: IdentityId): IdentityRow | undefined {
    return sql.reporting(() => identityRow(this.#identityById.get(sql.hexBlob(id))))
  }

  dataKeyById(keyId: string): DataKeyRow | undefined {
    return sql.reporting(() => dataKeyRow(this.#dataKeyById.get(sql.hexBlob(keyId))))
  }

  dataKeyOf(owner: IdentityId, retention: KeyClass): DataKeyRow | undefined {
    return sql.reporting(() => dataKeyRow(this.#dataKeyOf.get(sql.hexBlob(owner), retention)))
  }

  /** All keys whose ids begin with these digits, an even number of them. */
  dataKeysBeginning(digits: string): readonly DataKeyRow[] {
    const from = sql.hexBlob(digits.padEnd(2 * ID_BYTES, '0'))
    const to = sql.hexBlob(digits.padEnd(2 * ID_BYTES, 'f'))
    return sql.reporting(() => this.#dataKeysBetween.all(from, to).map(dataKeyRowOfText))
  }

  isSuppressed(mac: Uint8Array): boolean {
    return sql.reporting(() => this.#suppressed.get(mac) !== undefined)
  }

  *present(): Iterable<Presence> {
    for (const row of this.#rows('SELECT mac FROM identity'))
      yield { kind: 'identity', mac: sql.asBlob(row[0]) }
    for (const row of this.#rows('SELECT mac FROM suppressed'))
      yield { kind: 'mark', mac: sql.asBlob(row[0]) }
    for (const [owner, retention] of this.#rows('SELECT owner, retention FROM data_key')) {
      yield {
        kind: 'data_key',
        owner: sql.blobHex(sql.asBlob(owner)),
        retention: asKeyClass(sql.asText(retention)),
      }
    }
  }

  *#rows(query: string): Iterable<readonly unknown[]> {
    for (const row of sql.arrays(this.#database, query).iterate()) yield sql.columns(row) ?? []
  }

  close(): void {
    this.#database.close()
  }
}

function unwrapMacKey(row: readonly unknown[] | undefined, masterKey: Uint8Array): MacKey {
  const generation = sql.asInteger(row?.[0])
  const bytes = decrypt(masterKey, sql.asBlob(row?.[1]), macKeyLabel(generation))
  if (bytes === undefined) {
    throw new KeyStoreError({ _tag: 'Damaged', cause: `MAC key ${generation} doesn't unwrap` })
  }
  return macKey(generation, bytes)
}

function checkFormat(database: DatabaseSync): void {
  const found = sql.reporting(() =>
    tableExists(database, 'meta') ? metaValue(database, 'format')?.at(0) : undefined,
  )
  if (found === undefined) {
    throw new KeyStoreError({ _tag: 'Damaged', cause: 'it is a database, but no key store' })
  }
  if (found > FORMAT_VERSION) {
    throw new KeyStoreError({ _tag: 'FormatNewer', found, known: FORMAT_VERSION })
  }
  if (found !== FORMAT_VERSION)
    throw new KeyStoreError({ _tag: 'Damaged', cause: `it states the format ${found}` })
}

function tableExists(database: DatabaseSync, name: string): boolean {
  return sql.arrays(database, 'SELECT 1 FROM sqlite_schema WHERE name = ?').get(name) !== undefined
}

function metaValue(database: DatabaseSync, name: string): Uint8Array | undefined {
  const row = sql.columns(sql.arrays(database, 'SELECT value FROM meta WHERE name = ?').get(name))
  return row === undefined ? undefined : sql.asBlob(row[0])
}

function identityRow(found: unknown): IdentityRow | undefined {
  const row = sql.columns(found)
  if (row === undefined) return undefined
  return {
    mac: sql.asBlob(row[0]),
    id: sql.blobHex(sql.asBlob(row[1])),
    namespace: sql.asText(row[2]),
    sealedValue: sql.asBlob(row[3]),
  }
}

function dataKeyRow(found: unknown): DataKeyRow | undefined {
  const row = sql.columns(found)
  if (row === undefined) return undefined
  return {
    keyId: sql.blobHex(sql.asBlob(row[0])),
    owner: sql.blobHex(sql.asBlob(row[1])),
    retention: asKeyClass(sql.asText(row[2])),
    wrapped: sql.asBlob(row[3]),
  }
}

function dataKeyRowOfText(found: unknown): DataKeyRow {
  const row = sql.columns(found)
  const wrapped = sql.hexBlob(sql.asText(row?.[3]))
  const retention = asKeyClass(sql.asText(row?.[2]))
  return { keyId: sql.asText(row?.[0]), owner: sql.asText(row?.[1]), retention, wrapped }
}

export function asKeyClass(text: string): KeyClass {
  switch (text) {
    case 'profile':
    case 'behaviour':
    case 'transaction':
    case 'service':
    case 'governance':
      return text
    default:
      if (!text.startsWith('quarantine:')) return sql.malformed('an unknown retention class')
      return `quarantine:${text.slice('quarantine:'.length)}`
  }
}
