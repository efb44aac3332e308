import type { IdentityId } from '../events/identity.ts'
import type { KeyClass } from './privacy.ts'

/** Ids are 32 hexadecimal digits; blobs as FORMAT.md describes them. */
export interface IdentityRow {
  readonly mac: Uint8Array
  readonly id: IdentityId
  readonly namespace: string
  readonly sealedValue: Uint8Array
}

export interface DataKeyRow {
  readonly keyId: string
  readonly owner: IdentityId
  readonly retention: KeyClass
  readonly wrapped: Uint8Array
}

/** What is stored, as it is read. Throws `KeyStoreError` `Damaged`. */
export interface KeyTables {
  identityByMac(mac: Uint8Array): IdentityRow | undefined
  identityById(id: IdentityId): IdentityRow | undefined
  dataKeyById(keyId: string): DataKeyRow | undefined
  dataKeyOf(owner: IdentityId, retention: KeyClass): DataKeyRow | undefined
  isSuppressed(mac: Uint8Array): boolean
}

/** Tables that can also say which rows they have. */
export interface StoredTables extends KeyTables {
  present(): Iterable<Presence>
}

/** Names a row without saying more than that it is there. */
export type Presence =
  | { readonly kind: 'identity' | 'mark'; readonly mac: Uint8Array }
  | { readonly kind: 'data_key'; readonly owner: IdentityId; readonly retention: KeyClass }

export interface SuppressionMark {
  readonly mac: Uint8Array
  readonly generation: number
  readonly namespace: string
}

/** What is written. The order of operations matters: a destroyed key may be followed by a new one. */
export type KeyOperation =
  | ({ readonly kind: 'identity' } & IdentityRow)
  | ({ readonly kind: 'data_key' } & DataKeyRow)
  | { readonly kind: 'destroy_key'; readonly owner: IdentityId; readonly retention: KeyClass }
  /** Mapping and all keys of an owner, and a mark instead; no mark where the identity isn't known. */
  | {
      readonly kind: 'destroy_owner'
      readonly owner: IdentityId
      readonly mark: SuppressionMark | undefined
      /** ms since 1970 UTC. */
      readonly since: number
    }

/** Where operations become durable. */
export interface KeyWriter {
  /**
   * All of them, in order, in one durable transaction. `purged` is false where something was destroyed and traces
   * of it could not be removed from the write-ahead log yet. Rejects with a `KeyStoreError`: after `DiskFull` the
   * same operations may be written again, after anything else nothing may.
   */
  write(operations: readonly KeyOperation[]): Promise<{ readonly purged: boolean }>
  close(): Promise<void>
}

/** Map key of a blob. */
export function blobKey(blob: Uint8Array): string {
  return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength).toString('latin1')
}

/** Owners have a fixed length, so the two can't run into each other. */
export function ownerKey(owner: IdentityId, retention: KeyClass): string {
  return owner + retention
}
