import assert from 'node:assert/strict'
import type { IdentityId } from '../../engine/events/identity.ts'
import { randomKey } from '../../engine/privacy/aead.ts'
import { macKey } from '../../engine/privacy/macs.ts'
import { MemoryTables } from '../../engine/privacy/memory-key-store.ts'
import type { ErasingKeyStore, Opener } from '../../engine/privacy/privacy.ts'
import { WORKSPACE_OWNER } from '../../engine/privacy/privacy.ts'
import { Vault, type VaultSecrets } from '../../engine/privacy/vault.ts'
import { Random, seedOf } from './random.ts'

/** The key store's tables as a disk holds them; lives come and go over it. */
export class KeyDisk extends MemoryTables {
  readonly secrets: VaultSecrets = { masterKey: randomKey(), macKeys: [macKey(1, randomKey())] }
  readonly names: SeededNames

  constructor(seed: number) {
    super()
    this.names = new SeededNames(new Random(seedOf(seed, 3)))
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
