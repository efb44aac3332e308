import { strict as assert } from 'node:assert'
import type { Clock } from '../clock.ts'
import type { SealedPart } from '../events/event.ts'
import type { IdentityId, StatedIdentity } from '../events/identity.ts'
import { contextBytes, encrypt } from './aead.ts'
import { Committer } from './committer.ts'
import { KeyStoreError } from './failure.ts'
import type { FreshParts } from './fresh-parts.ts'
import type { KeyWriter, StoredTables, SuppressionMark } from './key-tables.ts'
import { identityMac, newest } from './macs.ts'
import { Overlay } from './overlay.ts'
import type { ErasingKeyStore, Holdings, KeyClass, SealContext } from './privacy.ts'
import { WORKSPACE_OWNER } from './privacy.ts'
import type { DataKey, VaultOptions, VaultSecrets } from './vault.ts'
import { macUnder, Vault } from './vault.ts'

export interface SealingOptions extends VaultOptions {
  /** What is sealed is put there, and cleared by this store alone. */
  readonly fresh?: FreshParts | undefined
}

interface WritingStoreParts {
  readonly tables: StoredTables
  readonly writer: KeyWriter
  readonly secrets: VaultSecrets
  readonly clock: Clock
  readonly vault?: SealingOptions | undefined
  /** Frees what the tables hold. */
  readonly closeTables: () => void
}

/** The key store over any tables and writer: what is new exists here at once and is written by `flush`. */
export class WritingStore implements ErasingKeyStore {
  readonly #parts: WritingStoreParts
  readonly #vault: Vault
  readonly #committer: Committer
  #closed = false
  #erasures = 0

  constructor(parts: WritingStoreParts) {
    const overlay = new Overlay(parts.tables)
    this.#parts = parts
    this.#vault = new Vault(overlay, parts.secrets, parts.vault)
    this.#committer = new Committer(parts.writer, overlay)
  }

  get erasures(): number {
    return this.#erasures
  }

  find(namespace: string, value: string): IdentityId | undefined {
    this.#assertOpen()
    return this.#vault.find(namespace, value)
  }

  reveal(id: IdentityId): StatedIdentity | undefined {
    this.#assertOpen()
    return this.#vault.reveal(id)
  }

  open(part: SealedPart, context: SealContext): Uint8Array | undefined {
    this.#assertOpen()
    return this.#vault.open(part, context)
  }

  identify(stated: StatedIdentity): IdentityId {
    const known = this.find(stated.namespace, stated.value)
    if (known !== undefined) return known
    this.#assertWriting()
    const row = this.#vault.newIdentity(stated)
    this.#committer.push({ kind: 'identity', ...row })
    return row.id
  }

  suppressed(stated: StatedIdentity): boolean {
    this.#assertOpen()
    return this.#vault.suppressed(stated)
  }

  seal(owner: IdentityId, retention: KeyClass, plaintext: Uint8Array, context: SealContext): SealedPart {
    const key = this.#keyFor(owner, retention)
    const associated = contextBytes(context)
    const blob = encrypt(key.bytes, plaintext, associated)
    this.#parts.vault?.fresh?.put(blob, plaintext, associated)
    return { keyId: key.keyId, blob }
  }

  mac(owner: IdentityId, retention: KeyClass, bytes: Uint8Array): string {
    return macUnder(this.#keyFor(owner, retention), bytes)
  }

  async flush(): Promise<void> {
    this.#assertOpen()
    await this.#committer.commit()
  }

  async destroyKey(owner: IdentityId, retention: KeyClass): Promise<void> {
    this.#assertWriting()
    this.#forget(owner, retention)
    this.#committer.push({ kind: 'destroy_key', owner, retention })
    await this.#purge()
  }

  holdings(ids: readonly IdentityId[]): Holdings {
    this.#assertOpen()
    return this.#vault.holdings(ids)
  }

  async destroyOwner(ids: readonly IdentityId[]): Promise<void> {
    this.#assertWriting()
    assert(!ids.includes(WORKSPACE_OWNER), 'the workspace is nobody to erase')
    this.#erasures += 1
    const since = this.#parts.clock.nowMs()
    for (const owner of ids) {
      const mark = this.#markOf(owner)
      this.#forget(owner)
      this.#committer.push({ kind: 'destroy_owner', owner, mark, since })
    }
    await this.#purge()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    try {
      if (this.#committer.failure === undefined) await this.flush().catch(unlessFull)
    } finally {
      this.#closed = true
      this.#parts.vault?.fresh?.clear()
      this.#vault.forgetEverything()
      this.#parts.closeTables()
      await this.#committer.close()
    }
  }

  #forget(owner: IdentityId, retention?: KeyClass): void {
    this.#parts.vault?.fresh?.clear()
    this.#vault.forget(owner, retention)
  }

  #keyFor(owner: IdentityId, retention: KeyClass): DataKey {
    this.#assertWriting()
    const known = this.#vault.dataKey(owner, retention)
    if (known !== undefined) return known
    const { key, row } = this.#vault.newDataKey(owner, retention)
    this.#committer.push({ kind: 'data_key', ...row })
    return key
  }

  #markOf(owner: IdentityId): SuppressionMark | undefined {
    const stated = this.#vault.reveal(owner)
    if (stated === undefined) return undefined
    const macKey = newest(this.#parts.secrets.macKeys)
    return { mac: identityMac(macKey, stated), generation: macKey.generation, namespace: stated.namespace }
  }

  async #purge(): Promise<void> {
    if (!(await this.#committer.commit())) throw new KeyStoreError({ _tag: 'NotPurged' })
  }

  #assertOpen(): void {
    if (this.#closed) throw new KeyStoreError({ _tag: 'Closed' })
  }

  /** A key that can't become durable must never seal anything. */
  #assertWriting(): void {
    this.#assertOpen()
    if (this.#committer.failure !== undefined) throw this.#committer.failure
  }
}

/** What found no room was never acknowledged: nothing is lost by closing without it. */
function unlessFull(error: unknown): void {
  if (!(error instanceof KeyStoreError) || error.failure._tag !== 'DiskFull') throw error
}
