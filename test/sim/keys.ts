import assert from 'node:assert/strict'
import type { IdentityId } from '../../engine/events/identity.ts'
import { randomKey } from '../../engine/privacy/aead.ts'
import type {
  DataKeyRow,
  IdentityRow,
  KeyOperation,
  Presence,
  StoredTables,
} from '../../engine/privacy/key-tables.ts'
import { blobKey, ownerKey } from '../../engine/privacy/key-tables.ts'
import { macKey } from '../../engine/privacy/macs.ts'
import type { ErasingKeyStore, Opener } from '../../engine/privacy/privacy.ts'
import { WORKSPACE_OWNER } from '../../engine/privacy/privacy.ts'
import { Vault, type VaultSecrets } from '../../engine/privacy/vault.ts'
import { Random, seedOf } from './random.ts'

/** The key store's tables as a disk holds them; lives come and go over it. */
export class KeyDisk implements StoredTables {
  readonly secrets: VaultSecrets = { masterKey: randomKey(), macKeys: [macKey(1, randomKey())] }
  readonly names: SeededNames
  readonly #byMac = new Map<string, IdentityRow>()
  readonly #byId = new Map<IdentityId, IdentityRow>()
  readonly #byKeyId = new Map<string, DataKeyRow>()
  readonly #byOwner = new Map<string, DataKeyRow>()
  readonly #suppressed = new Set<string>()

  constructor(seed: number) {
    this.names = new SeededNames(new Random(seedOf(seed, 3)))
  }

  identityByMac(mac: Uint8Array): IdentityRow | undefined {
    return this.#byMac.get(blobKey(mac))
  }

  identityById(id: IdentityId): IdentityRow | undefined {
    return this.#byId.get(id)
  }

  dataKeyById(keyId: string): DataKeyRow | undefined {
    return this.#byKeyId.get(keyId)
  }

  dataKeyOf(owner: IdentityId, retention: DataKeyRow['retention']): DataKeyRow | undefined {
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

  /** Reads what is durable, and caches; as the projector's thread does. */
  opener(): Pick<Vault, 'open' | 'forget'> {
    const vault = new Vault(this, this.secrets)
    return {
      open: (part, context) => vault.open(part, context),
      forget: (owner) => vault.forget(this.names.real(owner)),
    }
  }

  /** Reads what is durable, without remembering anything. */
  plainOpener(): Opener {
    return { open: (part, context) => new Vault(this, this.secrets).open(part, context) }
  }

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

/** The key store makes ids at random; outside of it each has a name that follows from the seed. */
export class SeededNames {
  readonly #random: Random
  readonly #seeded = new Map<IdentityId, IdentityId>([[WORKSPACE_OWNER, WORKSPACE_OWNER]])
  readonly #real = new Map<IdentityId, IdentityId>([[WORKSPACE_OWNER, WORKSPACE_OWNER]])

  constructor(random: Random) {
    this.#random = random
  }

  seeded(real: IdentityId): IdentityId {
    const known = this.#seeded.get(real)
    if (known !== undefined) return known
    const name = this.#random.hex(32)
    this.#seeded.set(real, name)
    this.#real.set(name, real)
    return name
  }

  real(name: IdentityId): IdentityId {
    const known = this.#real.get(name)
    assert(known !== undefined, `${name} is the name of an identity`)
    return known
  }
}

/** The same key store with ids that follow from the seed. */
export function seededKeyStore(store: ErasingKeyStore, names: SeededNames): ErasingKeyStore {
  const seeded = (id: IdentityId | undefined) => (id === undefined ? undefined : names.seeded(id))
  const real = (ids: readonly IdentityId[]) => ids.map((id) => names.real(id))
  return {
    get erasures() {
      return store.erasures
    },
    find: (namespace, value) => seeded(store.find(namespace, value)),
    reveal: (id) => store.reveal(names.real(id)),
    identify: (stated) => names.seeded(store.identify(stated)),
    suppressed: (stated) => store.suppressed(stated),
    open: (part, context) => store.open(part, context),
    seal: (owner, retention, plaintext, context) =>
      store.seal(names.real(owner), retention, plaintext, context),
    mac: (owner, retention, bytes) => store.mac(names.real(owner), retention, bytes),
    flush: () => store.flush(),
    destroyKey: (owner, retention) => store.destroyKey(names.real(owner), retention),
    holdings: (ids) => store.holdings(real(ids)),
    destroyOwner: (ids) => store.destroyOwner(real(ids)),
    close: () => store.close(),
  }
}
