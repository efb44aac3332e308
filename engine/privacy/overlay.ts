import type { IdentityId } from '../events/identity.ts'
import type { DataKeyRow, IdentityRow, KeyOperation, KeyTables, StoredTables } from './key-tables.ts'
import { blobKey, ownerKey } from './key-tables.ts'
import type { KeyClass } from './privacy.ts'
import { Screen } from './screen.ts'

/** An operation and its place in the order of all operations. */
export interface Queued {
  readonly operation: KeyOperation
  readonly order: number
}

interface Pending<T> {
  readonly row: T
  readonly order: number
}

/**
 * The tables as they will be once everything that was asked for is written: rows not written yet are served from
 * memory, rows about to be destroyed are hidden. A stored row that matches a hidden owner or key is always the old
 * one, because operations are written in order and a newer one is served from memory until it is written.
 *
 * Operations are put into the maps when somebody first asks for rows that they may concern: of new people nobody does,
 * as whoever made a row caches what it says, and the screen knows what is new.
 */
export class Overlay implements KeyTables {
  readonly #base: StoredTables
  readonly #byMac = new Map<string, Pending<IdentityRow>>()
  readonly #byId = new Map<IdentityId, Pending<IdentityRow>>()
  readonly #byKeyId = new Map<string, Pending<DataKeyRow>>()
  readonly #byOwner = new Map<string, Pending<DataKeyRow>>()
  readonly #marks = new Map<string, number>()
  readonly #hiddenOwners = new Map<IdentityId, number>()
  readonly #hiddenKeys = new Map<string, number>()

  /** The newest operations, in their order: those that the maps below don't hold. */
  #unsorted: Queued[] = []
  readonly #screen: Screen

  constructor(base: StoredTables) {
    this.#base = base
    this.#screen = new Screen(base.present())
  }

  apply(queued: Queued): void {
    this.#screen.add(queued.operation)
    this.#unsorted.push(queued)
  }

  #sort(): void {
    if (this.#unsorted.length === 0) return
    for (const queued of this.#unsorted) this.#enter(queued)
    this.#unsorted = []
  }

  #enter({ operation, order }: Queued): void {
    switch (operation.kind) {
      case 'identity':
        this.#byMac.set(blobKey(operation.mac), { row: operation, order })
        this.#byId.set(operation.id, { row: operation, order })
        return
      case 'data_key':
        this.#byKeyId.set(operation.keyId, { row: operation, order })
        this.#byOwner.set(ownerKey(operation.owner, operation.retention), { row: operation, order })
        return
      case 'destroy_key':
        this.#dropDataKey(ownerKey(operation.owner, operation.retention))
        this.#hiddenKeys.set(ownerKey(operation.owner, operation.retention), order)
        return
      case 'destroy_owner':
        this.#dropOwner(operation.owner)
        this.#hiddenOwners.set(operation.owner, order)
        if (operation.mark !== undefined) this.#marks.set(blobKey(operation.mark.mac), order)
        return
    }
  }

  /** These, the oldest, are in the tables now. */
  written(batch: readonly Queued[]): void {
    const firstUnsorted = this.#unsorted[0]?.order ?? Number.POSITIVE_INFINITY
    let unsorted = 0
    for (const { operation, order } of batch) {
      if (order < firstUnsorted) this.#settle(operation, order)
      else unsorted += 1
    }
    if (unsorted > 0) this.#unsorted = this.#unsorted.slice(unsorted)
  }

  identityByMac(mac: Uint8Array): IdentityRow | undefined {
    if (!this.#screen.mayHoldIdentity(mac)) return undefined
    this.#sort()
    return this.#byMac.get(blobKey(mac))?.row ?? this.#visible(this.#base.identityByMac(mac))
  }

  identityById(id: IdentityId): IdentityRow | undefined {
    this.#sort()
    return this.#byId.get(id)?.row ?? this.#visible(this.#base.identityById(id))
  }

  dataKeyById(keyId: string): DataKeyRow | undefined {
    this.#sort()
    return this.#byKeyId.get(keyId)?.row ?? this.#visibleKey(this.#base.dataKeyById(keyId))
  }

  dataKeyOf(owner: IdentityId, retention: KeyClass): DataKeyRow | undefined {
    if (!this.#screen.mayHoldDataKey(owner, retention)) return undefined
    this.#sort()
    const pending = this.#byOwner.get(ownerKey(owner, retention))
    return pending?.row ?? this.#visibleKey(this.#base.dataKeyOf(owner, retention))
  }

  isSuppressed(mac: Uint8Array): boolean {
    if (!this.#screen.mayHoldMark(mac)) return false
    this.#sort()
    return this.#marks.has(blobKey(mac)) || this.#base.isSuppressed(mac)
  }

  #settle(operation: KeyOperation, order: number): void {
    switch (operation.kind) {
      case 'identity':
        settleRow(this.#byMac, blobKey(operation.mac), order)
        settleRow(this.#byId, operation.id, order)
        return
      case 'data_key':
        settleRow(this.#byKeyId, operation.keyId, order)
        settleRow(this.#byOwner, ownerKey(operation.owner, operation.retention), order)
        return
      case 'destroy_key':
        settle(this.#hiddenKeys, ownerKey(operation.owner, operation.retention), order)
        return
      case 'destroy_owner':
        settle(this.#hiddenOwners, operation.owner, order)
        if (operation.mark !== undefined) settle(this.#marks, blobKey(operation.mark.mac), order)
        return
    }
  }

  #dropDataKey(at: string): void {
    const pending = this.#byOwner.get(at)
    if (pending === undefined) return
    this.#byOwner.delete(at)
    this.#byKeyId.delete(pending.row.keyId)
  }

  #dropOwner(owner: IdentityId): void {
    const identity = this.#byId.get(owner)
    if (identity !== undefined) {
      this.#byId.delete(owner)
      this.#byMac.delete(blobKey(identity.row.mac))
    }
    for (const [at, { row }] of this.#byOwner) if (row.owner === owner) this.#dropDataKey(at)
  }

  #visible(row: IdentityRow | undefined): IdentityRow | undefined {
    return row !== undefined && this.#hiddenOwners.has(row.id) ? undefined : row
  }

  #visibleKey(row: DataKeyRow | undefined): DataKeyRow | undefined {
    if (row === undefined || this.#hiddenOwners.has(row.owner)) return undefined
    return this.#hiddenKeys.has(ownerKey(row.owner, row.retention)) ? undefined : row
  }
}

/** Removes an entry unless a later operation has replaced it. */
function settleRow<T>(entries: Map<string, Pending<T>>, key: string, order: number): void {
  if (entries.get(key)?.order === order) entries.delete(key)
}

function settle(entries: Map<string, number>, key: string, order: number): void {
  if (entries.get(key) === order) entries.delete(key)
}
