import { strict as assert } from 'node:assert'
import { createHmac } from 'node:crypto'
import { BoundedCache } from '../bounded-cache.ts'
import type { IdentityDirectory } from '../events/codec.ts'
import type { SealedPart } from '../events/event.ts'
import type { IdentityId, StatedIdentity } from '../events/identity.ts'
import { contextBytes, decrypt, encrypt, randomId, randomKey, randomKeyId } from './aead.ts'
import { KeyStoreError } from './failure.ts'
import { LABELS } from './format.ts'
import type { FreshParts } from './fresh-parts.ts'
import type { DataKeyRow, IdentityRow, KeyTables } from './key-tables.ts'
import type { MacKey } from './macs.ts'
import { identityMac, newest, valueBytes, valueText } from './macs.ts'
import { LONGEST_CACHED_VALUE, NamesCache } from './names-cache.ts'
import type { Holdings, KeyClass, Opener, SealContext } from './privacy.ts'
import { RETENTION_CLASSES, SealBroken } from './privacy.ts'

/** A data key, unwrapped. */
export interface DataKey {
  readonly keyId: string
  readonly owner: IdentityId
  readonly retention: KeyClass
  readonly bytes: Buffer
}

/** What turns rows into names and keys. */
export interface VaultSecrets {
  readonly masterKey: Uint8Array
  /** Oldest first; identities are under the newest, marks of suppression under the one of their time. */
  readonly macKeys: readonly MacKey[]
}

/**
 * An identity takes some 150 bytes, a key 270, and twice that with what a heap lets gather between collections. Enough for
 * whoever is active at a time; of anybody else the first event costs a look-up.
 */
const DEFAULT_CACHE_ENTRIES = 100_000
/** A person is known by several, sealed under the key of one; and one that isn't found here costs a MAC and a row. */
const IDENTITIES_PER_KEY = 2

/**
 * Names are asked for again while nobody is known by them: who is new is looked for, looked for among the suppressed, and then
 * made; and with each person of a mail domain, its company.
 */
const MAX_MACS = 2_000

export interface VaultOptions {
  /** Most keys kept unwrapped in memory, and of identities by their values twice as many; default 100,000. */
  readonly cacheEntries?: number | undefined
  /** What this process sealed lately. */
  readonly fresh?: Pick<FreshParts, 'get'> | undefined
}

/** Rows of the key store as plain identities and keys, the recently used ones cached. One thread's. */
export class Vault implements IdentityDirectory, Opener {
  readonly #tables: KeyTables
  readonly #secrets: VaultSecrets
  readonly #ids: NamesCache<IdentityId>
  readonly #people: BoundedCache<IdentityId, StatedIdentity>
  readonly #keysById: BoundedCache<string, DataKey>
  /** Nobody with these values was erased: a new person's first events ask again and again. */
  readonly #unmarked: NamesCache<true>
  /** By class and owner, all classes together: most people have keys of one or two. */
  readonly #keysByOwner: NamesCache<DataKey>
  readonly #fresh: VaultOptions['fresh']
  readonly #macs = new NamesCache<Buffer>(MAX_MACS)

  constructor(tables: KeyTables, secrets: VaultSecrets, options: VaultOptions = {}) {
    const { cacheEntries = DEFAULT_CACHE_ENTRIES } = options
    this.#fresh = options.fresh
    this.#tables = tables
    this.#secrets = secrets
    this.#ids = new NamesCache(IDENTITIES_PER_KEY * cacheEntries)
    this.#people = new BoundedCache(cacheEntries)
    this.#keysById = new BoundedCache(cacheEntries)
    this.#unmarked = new NamesCache(cacheEntries)
    this.#keysByOwner = new NamesCache(cacheEntries)
  }

  find(namespace: string, value: string): IdentityId | undefined {
    const cached = this.#ids.get(namespace, value)
    if (cached !== undefined) return cached
    const row = this.#tables.identityByMac(this.#mac({ namespace, value }))
    if (row === undefined) return undefined
    this.#ids.set(namespace, value, row.id)
    return row.id
  }

  reveal(id: IdentityId): StatedIdentity | undefined {
    const cached = this.#people.get(id)
    if (cached !== undefined) return cached
    const row = this.#tables.identityById(id)
    if (row === undefined) return undefined
    const bytes = decrypt(this.#secrets.masterKey, row.sealedValue, identityLabel(id, row.namespace))
    if (bytes === undefined) throw damaged(`identity ${id}`)
    const stated = { namespace: row.namespace, value: valueText(bytes) }
    if (stated.value.length <= LONGEST_CACHED_VALUE) this.#people.set(id, stated)
    return stated
  }

  open(part: SealedPart, context: SealContext): Uint8Array | undefined {
    const associated = contextBytes(context)
    const fresh = this.#fresh?.get(part.blob, associated)
    if (fresh !== undefined) return fresh
    const key = this.#keyById(part.keyId)
    if (key === undefined) return undefined
    const plaintext = decrypt(key.bytes, part.blob, associated)
    if (plaintext === undefined) throw new SealBroken(part.keyId)
    return plaintext
  }

  dataKey(owner: IdentityId, retention: KeyClass): DataKey | undefined {
    const cached = this.#keysByOwner.get(retention, owner)
    if (cached !== undefined) return cached
    const row = this.#tables.dataKeyOf(owner, retention)
    if (row === undefined) return undefined
    const key = this.#unwrap(row)
    this.#keysByOwner.set(retention, owner, key)
    return key
  }

  suppressed(stated: StatedIdentity): boolean {
    const { namespace, value } = stated
    if (this.#unmarked.get(namespace, value) === true) return false
    // Who is known again has consented again: nothing else gets past the mark.
    if (this.find(namespace, value) !== undefined) return false
    if (this.#macsOfAllGenerations(stated).some((mac) => this.#tables.isSuppressed(mac))) return true
    this.#unmarked.set(namespace, value, true)
    return false
  }

  /** By the tables alone, whatever is cached. */
  holdings(ids: readonly IdentityId[]): Holdings {
    const keyIds: string[] = []
    let mappings = 0
    for (const id of ids) {
      if (this.#tables.identityById(id) !== undefined) mappings += 1
      for (const retention of RETENTION_CLASSES) {
        const row = this.#tables.dataKeyOf(id, retention)
        if (row !== undefined) keyIds.push(row.keyId)
      }
    }
    return { mappings, keyIds }
  }

  /** A row for an identity that isn't known. */
  newIdentity(stated: StatedIdentity): IdentityRow {
    const { namespace, value } = stated
    const id = randomId()
    const sealedValue = encrypt(this.#secrets.masterKey, valueBytes(value), identityLabel(id, namespace))
    this.#ids.set(namespace, value, id)
    return { mac: this.#mac(stated), id, namespace, sealedValue }
  }

  /** A new key and the row that keeps it. */
  newDataKey(owner: IdentityId, retention: KeyClass): { readonly key: DataKey; readonly row: DataKeyRow } {
    const key = { keyId: randomKeyId(), owner, retention, bytes: randomKey() }
    const wrapped = encrypt(this.#secrets.masterKey, key.bytes, dataKeyLabel(key))
    // Who opens it, if anybody does in this thread, finds its row: most are only sealed under.
    this.#keysByOwner.set(retention, owner, key)
    return { key, row: { keyId: key.keyId, owner, retention, wrapped } }
  }

  /** Drops what is cached of an owner, and overwrites its keys. */
  forget(owner: IdentityId, retention?: KeyClass): void {
    const wipe = (key: DataKey): boolean => {
      if (key.owner !== owner || (retention !== undefined && key.retention !== retention)) return false
      key.bytes.fill(0)
      return true
    }
    for (const [name, key] of this.#keysById.entries()) if (wipe(key)) this.#keysById.delete(name)
    this.#keysByOwner.drop(wipe)
    if (retention !== undefined) return
    this.#macs.clear()
    this.#unmarked.clear()
    this.#people.delete(owner)
    this.#ids.drop((id) => id === owner)
  }

  forgetEverything(): void {
    for (const [, key] of this.#keysById.entries()) key.bytes.fill(0)
    this.#keysByOwner.drop((key) => {
      key.bytes.fill(0)
      return true
    })
    for (const cache of [this.#ids, this.#people, this.#unmarked, this.#keysById, this.#keysByOwner])
      cache.clear()
    this.#macs.clear()
  }

  #mac(stated: StatedIdentity): Buffer {
    const { namespace, value } = stated
    const known = this.#macs.get(namespace, value)
    if (known !== undefined) return known
    const mac = identityMac(newest(this.#secrets.macKeys), stated)
    this.#macs.set(namespace, value, mac)
    return mac
  }

  #macsOfAllGenerations(stated: StatedIdentity): readonly Buffer[] {
    const { macKeys } = this.#secrets
    return macKeys.map((key, at) =>
      at === macKeys.length - 1 ? this.#mac(stated) : identityMac(key, stated),
    )
  }

  #keyById(keyId: string): DataKey | undefined {
    const cached = this.#keysById.get(keyId)
    if (cached !== undefined) return cached
    const row = this.#tables.dataKeyById(keyId)
    if (row === undefined) return undefined
    const key = this.#unwrap(row)
    this.#keysById.set(keyId, key)
    return key
  }

  #unwrap(row: DataKeyRow): DataKey {
    const bytes = decrypt(this.#secrets.masterKey, row.wrapped, dataKeyLabel(row))
    if (bytes === undefined) throw damaged(`data key ${row.keyId}`)
    return { keyId: row.keyId, owner: row.owner, retention: row.retention, bytes }
  }
}

/** HMAC-SHA256 under a key that is derived from the data key. */
export function macUnder(key: DataKey, bytes: Uint8Array): string {
  const derived = createHmac('sha256', key.bytes).update(LABELS.dataMac).digest()
  return createHmac('sha256', derived).update(bytes).digest('hex')
}

function damaged(what: string): KeyStoreError {
  return new KeyStoreError({ _tag: 'Damaged', cause: `${what} doesn't open under the master key` })
}

/** Associated data is used up before the next is asked for: both labels are made in this memory. */
let label = Buffer.allocUnsafeSlow(256)

/** Valid until the next label is made. */
export function identityLabel(id: IdentityId, namespace: string): Buffer {
  return labelOf(LABELS.identity, id, namespace)
}

/** Valid until the next label is made. */
export function dataKeyLabel(key: Pick<DataKeyRow, 'keyId' | 'owner' | 'retention'>): Buffer {
  return labelOf(LABELS.dataKey, key.keyId + key.owner, key.retention)
}

function labelOf(prefix: string, hex: string, text: string): Buffer {
  const textAt = prefix.length + hex.length / 2
  const most = textAt + 3 * text.length
  if (most > label.length) label = Buffer.allocUnsafeSlow(2 * most)
  label.write(prefix, 0, 'latin1')
  assert(label.write(hex, prefix.length, 'hex') * 2 === hex.length, 'ids are hexadecimal digits')
  return label.subarray(0, textAt + label.write(text, textAt))
}
