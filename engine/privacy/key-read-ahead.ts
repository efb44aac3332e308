import { BoundedCache } from '../bounded-cache.ts'
import type { IdentityId } from '../events/identity.ts'
import { SHARED_BYTES } from './aead.ts'
import type { DataKeyRow, IdentityRow, KeyTables } from './key-tables.ts'
import type { KeyClass } from './privacy.ts'

/** Tables that can read the rows of many keys at once. */
export interface RangedTables extends KeyTables {
  /** All keys whose ids begin with these digits. */
  dataKeysBeginning(digits: string): Iterable<DataKeyRow>
}

/** Of hexadecimal ids. */
const GROUP_DIGITS = 2 * SHARED_BYTES
/** So many keys that were made together must be asked for, one by one, before the rest of them is read. */
const ASKED_BEFORE = 3
/** Groups of keys made together that are remembered: how often they were asked for, or all their rows (some 400 KiB). */
const MAX_COUNTED = 256
const MAX_READ = 8

/**
 * Tables whose keys are read a group at a time where several of a group are asked for: keys that were made together begin
 * alike, and whoever reads a log meets them together. A row of a group costs a fifteenth of one that is looked up. Rows stay
 * wrapped. For readers only: they must be told of erasures, as of keys in any cache.
 */
export class KeyReadAhead implements KeyTables {
  readonly #tables: RangedTables
  readonly #asked = new BoundedCache<string, number>(MAX_COUNTED)
  readonly #read = new BoundedCache<string, Map<string, DataKeyRow>>(MAX_READ)

  constructor(tables: RangedTables) {
    this.#tables = tables
  }

  dataKeyById(keyId: string): DataKeyRow | undefined {
    const group = keyId.slice(0, GROUP_DIGITS)
    const rows = this.#read.get(group)
    // One that was made since isn't among them.
    if (rows !== undefined) return rows.get(keyId) ?? this.#tables.dataKeyById(keyId)
    const asked = (this.#asked.get(group) ?? 0) + 1
    this.#asked.set(group, asked % ASKED_BEFORE)
    return asked < ASKED_BEFORE ? this.#tables.dataKeyById(keyId) : this.#readGroup(group).get(keyId)
  }

  /** Drops what was read of an owner's keys. */
  forget(owner: IdentityId): void {
    for (const [, rows] of this.#read.entries()) {
      for (const row of rows.values()) if (row.owner === owner) rows.delete(row.keyId)
    }
  }

  #readGroup(group: string): ReadonlyMap<string, DataKeyRow> {
    const rows = new Map<string, DataKeyRow>()
    for (const row of this.#tables.dataKeysBeginning(group)) rows.set(row.keyId, row)
    this.#read.set(group, rows)
    return rows
  }

  dataKeyOf(owner: IdentityId, retention: KeyClass): DataKeyRow | undefined {
    return this.#tables.dataKeyOf(owner, retention)
  }

  identityByMac(mac: Uint8Array): IdentityRow | undefined {
    return this.#tables.identityByMac(mac)
  }

  identityById(id: IdentityId): IdentityRow | undefined {
    return this.#tables.identityById(id)
  }

  isSuppressed(mac: Uint8Array): boolean {
    return this.#tables.isSuppressed(mac)
  }
}
