import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import type { IdentityId } from '../events/identity.ts'
import { randomKey } from './aead.ts'
import type {
  DataKeyRow,
  IdentityRow,
  KeyOperation,
  KeyWriter,
  Presence,
  StoredTables,
} from './key-tables.ts'
import { blobKey, ownerKey } from './key-tables.ts'
import { macKey } from './macs.ts'
import type { ErasingKeyStore, KeyClass } from './privacy.ts'
import { type SealingOptions, WritingStore } from './writing-store.ts'

interface MemoryKeyStoreOptions extends SealingOptions {
  readonly clock?: Clock | undefined
  /** Stands between the store and its tables, for tests of failing writes. */
  readonly writer?: ((tables: KeyWriter) => KeyWriter) | undefined
}

/** A key store that lasts as long as the process. */
export function createMemoryKeyStore(options: MemoryKeyStoreOptions = {}): ErasingKeyStore {
  const tables = new MemoryTables()
  return new WritingStore({
    tables,
    writer: options.writer?.(tables) ?? tables,
    secrets: { masterKey: randomKey(), macKeys: [macKey(1, randomKey())] },
    clock: options.clock ?? systemClock,
    vault: options,
    closeTables: () => undefined,
  })
}

/** What a key store holds, in memory. */
export class MemoryTables implements StoredTables, KeyWriter {
  readonly #byMac = new Map<string, IdentityRow>()
  readonly #byId = new Map<IdentityId, IdentityRow>()
  readonly #byKeyId = new Map<string, DataKeyRow>()
  readonly #byOwner = new Map<string, DataKeyRow>()
  readonly #suppressed = new Set<string>()

  identityByMac(mac: Uint8Array): IdentityRow | undefined {
    return this.#byMac.get(blobKey(mac))
  }

  identityById(id: IdentityId): IdentityRow | undefined {
    return this.#byId.get(id)
  }

  dataKeyById(keyId: string): DataKeyRow | undefined {
    return this.#byKeyId.get(keyId)
  }

  dataKeyOf(owner: IdentityId, retention: KeyClass): DataKeyRow | undefined {
    return this.#byOwner.get(ownerKey(owner, retention))
  }

  isSuppressed(mac: Uint8Array): boolean {
    return this.#suppressed.has(blobKey(mac))
  }

  *present(): Iterable<Presence> {
    for (const { mac } of this.#byMac.values()) yield { kind: 'identity', mac }
    for (const { owner, retention } of this.#byKeyId.values()) yield { kind: 'data_key', owner, retention }
    for (const mark of this.#suppressed) yield { kind: 'mark', mac: Buffer.from(mark, 'latin1') }
  }

  apply(operations: readonly KeyOperation[]): void {
    for (const operation of operations) this.#apply(operation)
  }

  async write(operations: readonly KeyOperation[]): Promise<{ readonly purged: boolean }> {
    this.apply(operations)
    return { purged: true }
  }

  async close(): Promise<void> {}

  #apply(operation: KeyOperation): void {
    switch (operation.kind) {
      case 'identity':
        this.#byMac.set(blobKey(operation.mac), operation)
        this.#byId.set(operation.id, operation)
        return
      case 'data_key':
        this.#byKeyId.set(operation.keyId, operation)
        this.#byOwner.set(ownerKey(operation.owner, operation.retention), operation)
        return
      case 'destroy_key':
        this.#deleteKey(this.dataKeyOf(operation.owner, operation.retention))
        return
      case 'destroy_owner':
        for (const row of this.#byOwner.values()) if (row.owner === operation.owner) this.#deleteKey(row)
        this.#deleteIdentity(this.#byId.get(operation.owner))
        if (operation.mark !== undefined) this.#suppressed.add(blobKey(operation.mark.mac))
        return
    }
  }

  #deleteKey(row: DataKeyRow | undefined): void {
    if (row === undefined) return
    this.#byKeyId.delete(row.keyId)
    this.#byOwner.delete(ownerKey(row.owner, row.retention))
  }

  #deleteIdentity(row: IdentityRow | undefined): void {
    if (row === undefined) return
    this.#byMac.delete(blobKey(row.mac))
    this.#byId.delete(row.id)
  }
}
