/**
 * A signed statement of what the whole log was at one moment: a checkpoint (https://c2sp.org/tlog-checkpoint).
 */
export interface SignedTreeHead {
  /** The log's name in tree heads, and its key's. */
  readonly origin: string
  /** Events covered. */
  readonly size: number
  /** RFC 6962 root over their entries, 32 bytes. */
  readonly root: Uint8Array
  /** Position of the last event covered; 0 for none. */
  readonly position: number
  /** When it was signed; no part of what is signed, so it is unknown after a restart until the next one. */
  readonly signedMs: number | undefined
  /** The signed note (https://c2sp.org/signed-note), to be kept elsewhere. */
  readonly note: string
}

/** That one event is in the tree; everything that an offline verifier needs but the key. */
export interface InclusionProof {
  readonly position: number
  /** The event is the log's event number `leafIndex`, counted from 0. */
  readonly leafIndex: number
  /** position (8 bytes, big-endian) ‖ SHA-256(event). */
  readonly entry: Uint8Array
  /** The stored bytes of the event: see "The stored bytes of an event" in engine/log/embedded/FORMAT.md. */
  readonly event: Uint8Array
  /** RFC 6962, 2.1.1, from the leaf's sibling upwards; 32 bytes each. */
  readonly path: readonly Uint8Array[]
  /** Size of the tree that the path leads to: that of `treeHead`, unless another was asked for. */
  readonly size: number
  readonly treeHead: SignedTreeHead
}

/** Why no further tree head is signed. Proofs against the last one are still made where the tree allows. */
export type AuditRefusal = {
  /**
   * `log_shorter`: it lacks events that a signed head covers. `other_root`: log or tree say something else than the
   * signed head. `other_key`: the last tree head isn't signed by this key.
   */
  readonly code: 'log_shorter' | 'other_root' | 'other_key'
  /** A whole sentence that says what to do. */
  readonly message: string
  /** The last signed head's note. */
  readonly signed: string
  /** What there is instead, where that is known. */
  readonly found: { readonly size: number; readonly root: Uint8Array | undefined } | undefined
  /** First position that is known to differ. */
  readonly position: number | undefined
}

export interface AuditStatus {
  readonly treeHead: SignedTreeHead | undefined
  /** Events hashed into the tree, signed or not. */
  readonly size: number
  /** Position of the last of them; 0 for none. */
  readonly position: number
  readonly refusal: AuditRefusal | undefined
  /** Why the thread ended before its time. */
  readonly failure: string | undefined
  /** Tiles that were missing or damaged, and made anew from the log. */
  readonly rebuiltTiles: number
}

/** Tree head and proofs of one log. */
export interface Audit {
  /** The newest; undefined while the log is empty. */
  treeHead(): SignedTreeHead | undefined
  /**
   * Undefined where the log has no event at `position`. Waits for the tree head that covers it; `size`: asks for the
   * path in the tree of that many events, no more than the tree head's. Rejects with `AuditUnavailable`.
   */
  proveInclusion(position: number, size?: number): Promise<InclusionProof | undefined>
  /**
   * RFC 6962, 2.1.2: that the first `toSize` events (default: those of the tree head) begin with the same `fromSize`.
   * Rejects with `AuditUnavailable`.
   */
  proveConsistency(fromSize: number, toSize?: number): Promise<readonly Uint8Array[]>
  close(): Promise<void>
}

/** What a running engine offers besides. */
export interface AuditThread extends Audit {
  status(): AuditStatus
  /** The verifier key as auditors are handed it (https://c2sp.org/signed-note). */
  readonly verifierKey: string
  /**
   * The bytes at a path of https://c2sp.org/tlog-tiles (`checkpoint`, `tile/0/000`, `tile/entries/x001/234.p/12`), or
   * undefined where the tree has none.
   */
  tile(path: string): Promise<Uint8Array | undefined>
}

/** A proof can't be made: the size is none that was signed, the event is damaged or changed, or the thread has ended. */
export class AuditUnavailable extends Error {
  /** `size`: no tree of that size was signed. `changed`: the log doesn't hold what the tree was made of. */
  readonly code: 'size' | 'changed' | 'stopped' | 'not_signed'
  constructor(code: AuditUnavailable['code'], message: string) {
    super(message)
    this.name = 'AuditUnavailable'
    this.code = code
  }
}
