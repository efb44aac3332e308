import type { Expected } from '../log/log.ts'

/**
 * What an adapter hands in for one event: the parsed value (an envelope in CloudEvents JSON form, nothing checked
 * yet), or the bytes that could not be parsed and why.
 */
export type Incoming =
  | {
      readonly value: unknown
      readonly expected?: Expected | undefined
      readonly fallbackId?: string | undefined
      /** The stream's name, to stand in the log as it is; refused where it names a person. Absent: made from the event. */
      readonly stream?: string | undefined
    }
  | { readonly unparsable: Uint8Array; readonly reason: QuarantineReason; readonly message: string }
  /** Parsed, and refused by whoever hands it in. */
  | { readonly refused: unknown; readonly reason: QuarantineReason; readonly message: string }

/** Why an event is kept in quarantine. The wording of a reason never carries personal data. */
export type QuarantineReason =
  | 'not_json'
  | 'invalid_utf8'
  | 'invalid_envelope'
  | 'invalid_data'
  | 'missing_id'
  | 'schema_newer'
  | 'schema_unknown'
  | 'too_large'
  | 'too_deep'
  | 'forbidden_key'
  | 'invalid_time'
  | 'id_reused'
  | 'suppressed'
  /** Where nothing may be sealed there stands an address, a number or an identity's value. */
  | 'personal_in_clear'
  | 'reserved_type'
  | 'reserved_source'
  | 'reserved_stream'
  /** By the server that has the log. */
  | 'refused_by_log'
  | 'wrong_expected'

export type Refusal =
  | {
      readonly code: 'wrong_expected'
      readonly message: string
      readonly actualRevision: number
      readonly actualPosition: number
    }
  | {
      /**
       * `log_damaged`: what is needed to take this event stands where the log is damaged; others are taken. `forbidden`:
       * its sender may send others, but not this one; only ways in that know their senders say so.
       */
      readonly code: 'overloaded' | 'clock_jumped' | 'read_only' | 'stopped' | 'log_damaged' | 'forbidden'
      readonly message: string
    }

/** One event's fate. `appended`, `duplicate` and `quarantined` are acknowledged and durable; `refused` is neither. */
export type IntakeResult =
  | {
      readonly status: 'appended'
      readonly id: string
      readonly position: number
      readonly stream: string
      readonly revision: number
      /**
       * Namespaces of identities that were left out because their value stands for nobody (`null`, `0000`) or for
       * several people; absent: none.
       */
      readonly blocked?: readonly string[] | undefined
    }
  | {
      readonly status: 'duplicate'
      readonly id: string
      readonly position: number
      readonly stream: string
      readonly revision: number
    }
  | {
      readonly status: 'quarantined'
      /** The event's own id where one could be read. */
      readonly id: string | undefined
      /** Position of the `event.quarantined` event. */
      readonly position: number
      readonly quarantineId: string
      readonly reason: QuarantineReason
      readonly message: string
    }
  | { readonly status: 'refused'; readonly id: string | undefined; readonly refusal: Refusal }

export interface IntakeContext {
  /** Used where the event names no source: the last token of the NATS subject. */
  readonly defaultSource: string
}

/** Batches that are appended whole or not at all. */
export interface AtomicIntake {
  /**
   * Either all are appended, in one commit; or all were appended before, and are answered as duplicates; or nothing is: every
   * one is refused then, for its own reason or with its neighbours, and nothing is kept in quarantine. A batch of which only a part
   * was appended before, or at another place than its expectation says, is `wrong_expected`. What no repetition makes acceptable
   * is refused as `forbidden`, with the reason.
   */
  submitAtomic(batch: readonly Incoming[], context: IntakeContext): Promise<readonly IntakeResult[]>
}

/** The one door for writes. */
export interface Intake {
  /**
   * One result for each, in order. Resolves when everything acknowledged in it is durable. One bad event never fails
   * its neighbours. Events of a batch are taken in the order given.
   */
  submit(batch: readonly Incoming[], context: IntakeContext): Promise<readonly IntakeResult[]>
}
