import type { Identity } from './identity.ts'

/**
 * What the log keeps of an event, apart from its place. All instants are milliseconds since
 * 1970-01-01T00:00:00Z (UTC). Absent, `null` and `''` are three different things everywhere.
 */
export interface NewEvent {
  /** Stream name, `category-id`; never contains an identity value. */
  readonly stream: string
  /** With `source` the idempotency key, for the whole life of the log. */
  readonly id: string
  readonly source: string
  readonly type: string
  /** Version of `data`, from 1. */
  readonly schema: number
  /** When it happened. */
  readonly time: number
  /** When the intake took it; never decreases along the log. */
  readonly received: number
  /** Order among one source's events of the same instant. */
  readonly sequence?: number | undefined
  /** Who; the first one is leading and names the event's atom. */
  readonly identities: readonly Identity[]
  readonly actor?: string | undefined
  readonly origin?: string | undefined
  readonly causation?: string | undefined
  readonly correlation?: string | undefined
  /** The position that the writer had seen. */
  readonly basedOn?: number | undefined
  /** The sender's own `time`, where `time` differs from it. */
  readonly originalTime?: number | undefined
  /** When the sender says it sent the event. */
  readonly sentTime?: number | undefined
  /** The parts of `data` as sent that are nobody's personal data. */
  readonly data: Readonly<Record<string, unknown>>
  /** What normalising made of non-personal fields: path (`products.0.price`) → value. */
  readonly normalised: Readonly<Record<string, unknown>>
  /** Version of the normaliser that wrote `normalised`. */
  readonly normaliser: number
  /** The personal parts, one for each person concerned. */
  readonly sealed: readonly SealedPart[]
}

/** A person's part of an event: AES-256-GCM under that person's own data key. */
export interface SealedPart {
  /** 128 random bits as 32 hexadecimal digits; names a data key in the key store. */
  readonly keyId: string
  /** nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes). */
  readonly blob: Uint8Array
}

/** An event with its place. Positions begin at 1, strictly increase and may have gaps; nobody subtracts them. */
export interface RecordedEvent extends NewEvent {
  readonly position: number
  /** Place in the stream, from 0. */
  readonly revision: number
}
