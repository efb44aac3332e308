/** Expected failures of the key store; a bug throws an assertion instead. */
export type KeyStoreFailure =
  /** The key handed in, or found, isn't the one that this store was written under. */
  | { readonly _tag: 'WrongMasterKey' }
  /** There is a key store, but not its master key. A new one is never made for it. */
  | { readonly _tag: 'MasterKeyMissing'; readonly path: string }
  | { readonly _tag: 'MasterKeyMalformed'; readonly why: string }
  /** There is no key store, and the caller didn't allow a new one. */
  | { readonly _tag: 'KeyStoreMissing'; readonly path: string }
  | { readonly _tag: 'FormatNewer'; readonly found: number; readonly known: number }
  | { readonly _tag: 'Damaged'; readonly cause: string }
  /** No room: nothing was lost, the next flush tries again. */
  | { readonly _tag: 'DiskFull' }
  /** A write failed, or another writer took the store over: this one makes and seals nothing any more. */
  | { readonly _tag: 'Stopped'; readonly cause: string }
  /** Destroyed durably, but a reader kept the write-ahead log from being emptied; it is when the store closes. */
  | { readonly _tag: 'NotPurged' }
  | { readonly _tag: 'Closed' }

export class KeyStoreError extends Error {
  readonly failure: KeyStoreFailure
  constructor(failure: KeyStoreFailure) {
    super(`key store: ${describe(failure)}`)
    this.name = 'KeyStoreError'
    this.failure = failure
  }
}

function describe(failure: KeyStoreFailure): string {
  switch (failure._tag) {
    case 'WrongMasterKey':
      return 'this is not the master key that it was written under'
    case 'MasterKeyMissing':
      return `the master key ${failure.path} is missing; restore it, or hand it in`
    case 'MasterKeyMalformed':
      return `the master key is malformed: ${failure.why}`
    case 'KeyStoreMissing':
      return `${failure.path} is missing`
    case 'FormatNewer':
      return `its format ${failure.found} is newer than ${failure.known}, the newest that this version reads`
    case 'Damaged':
      return `it is damaged: ${failure.cause}`
    case 'DiskFull':
      return 'no room on the disk'
    case 'Stopped':
      return `it has stopped: ${failure.cause}`
    case 'NotPurged':
      return 'destroyed, but traces stay in the write-ahead log until it closes'
    case 'Closed':
      return 'it is closed'
  }
}
