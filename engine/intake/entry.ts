import type { Accepted, Decided, Refused } from './decider.ts'
import type { StatedEnvelope } from './envelope.ts'
import type { IntakeResult } from './result.ts'

/** What one call of `submit` waits for. */
export interface Submission {
  /** Whole when none is left. */
  readonly results: IntakeResult[]
  /** Events whose fate isn't known yet. */
  left: number
  /** All of them or none. */
  readonly atomic?: boolean | undefined
  /** See `EngineIntake.drain`. */
  readonly epoch: 0 | 1
  readonly startMs: number
  readonly resolve: (results: readonly IntakeResult[]) => void
}

/** One event on its way. Whatever becomes of it, that is told once. */
export class Entry {
  decided: Decided
  readonly submission: Submission
  /** Its place in the submission. */
  readonly index: number
  /** As it was submitted: what it counts for in the queue, whatever it turns into. */
  readonly sizeBytes: number
  /** Under which `UnderWay` holds it. */
  heldAs: Pick<StatedEnvelope, 'source' | 'id'> | undefined = undefined
  /** Repetitions that wait until it is settled. */
  followers: Entry[] | undefined = undefined
  waits = false
  /** Of the first of an atomic batch, which stands for it in the queue: all of them. */
  members: readonly Entry[] | undefined = undefined
  told = false

  constructor(decided: Decided, submission: Submission, index: number) {
    this.decided = decided
    this.submission = submission
    this.index = index
    this.sizeBytes = decided.sizeBytes
  }
}

export type AcceptedEntry = Entry & { readonly decided: Accepted }
export type RefusedEntry = Entry & { readonly decided: Refused }

/** Of an atomic batch; a single event is atomic in company too, as long as nothing speaks against it. */
export function isBatch(entry: Entry): entry is Entry & { readonly members: readonly Entry[] } {
  return entry.members !== undefined && entry.members.length > 1
}

export function turn(entry: Entry, decided: Decided): void {
  entry.decided = decided
}

export function isRefused(entry: Entry): entry is RefusedEntry {
  return entry.decided.kind === 'refused'
}

export function isSuppressed(entry: Entry): entry is RefusedEntry {
  return isRefused(entry) && entry.decided.reason === 'suppressed'
}

export function isAccepted(entry: Entry): entry is AcceptedEntry {
  return entry.decided.kind === 'accepted'
}
