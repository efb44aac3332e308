import type { IdentityDirectory, RetentionClass } from '../events/codec.ts'
import type { SealedPart } from '../events/event.ts'
import type { IdentityId, StatedIdentity } from '../events/identity.ts'

/** The data keys of events without any identity belong to the workspace itself. */
export const WORKSPACE_OWNER: IdentityId = '0'.repeat(32)

/** Every class that a person's own keys are of. */
export const RETENTION_CLASSES: readonly RetentionClass[] = [
  'profile',
  'behaviour',
  'transaction',
  'service',
  'governance',
]

/** What a data key is for: the keys of an owner are destroyed class by class, or all at once. */
export type KeyClass = RetentionClass | `quarantine:${string}`

/** What a sealed part is bound to: it opens only as a part of this event. */
export interface SealContext {
  readonly source: string
  readonly id: string
  readonly type: string
}

/** Opens sealed parts; any thread may have one. */
export interface Opener {
  /** The plaintext; undefined once its key is destroyed. Throws `SealBroken` if the blob was tampered with. */
  open(part: SealedPart, context: SealContext): Uint8Array | undefined
}

export class SealBroken extends Error {
  constructor(keyId: string) {
    super(`a sealed part under key ${keyId} doesn't open: it was changed, or belongs to another event`)
    this.name = 'SealBroken'
  }
}

/**
 * Identity values and data keys of one workspace. New identities and keys exist at once for this process and become
 * durable with `flush`; whoever acknowledges an event must have awaited a `flush` that was asked for after its sealing.
 */
export interface KeyStore extends IdentityDirectory, Opener {
  /** How often somebody was forgotten since the store was opened: what was looked up before may not hold any more. */
  readonly erasures: number
  /** The id of an identity, made at random when it is new. `value` is already normalised. */
  identify(stated: StatedIdentity): IdentityId
  /**
   * True if this identity was erased and must not be collected again without new consent. Who is suppressed must not be
   * handed to `identify`, which makes them known again.
   */
  suppressed(stated: StatedIdentity): boolean
  seal(owner: IdentityId, retention: KeyClass, plaintext: Uint8Array, context: SealContext): SealedPart
  /** HMAC-SHA256 under a data key, for hashes that nobody can guess at once the key is gone. Hexadecimal. */
  mac(owner: IdentityId, retention: KeyClass, bytes: Uint8Array): string
  /** Makes what was created so far durable. Calls coalesce. */
  flush(): Promise<void>
  /** Destroys a class's key of an owner; what was sealed under it never opens again. Durable when resolved. */
  destroyKey(owner: IdentityId, retention: KeyClass): Promise<void>
  close(): Promise<void>
}

/** What a key store has of people. */
export interface Holdings {
  /** How many of them it knows the values of. */
  readonly mappings: number
  /** Of their data keys. */
  readonly keyIds: readonly string[]
}

/** A key store that can also forget people; only an erasure is handed one. */
export interface ErasingKeyStore extends KeyStore {
  /** What there is to destroy of these identities; after `destroyOwner` nothing is. */
  holdings(ids: readonly IdentityId[]): Holdings
  /**
   * Deletes mapping and all keys of these identities and marks them as suppressed, in one transaction. Durable when
   * resolved; until then this process already answers as if it were done. Other threads' openers must be told to
   * `forget` them.
   */
  destroyOwner(ids: readonly IdentityId[]): Promise<void>
}
