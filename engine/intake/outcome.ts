import type { LogFailure } from '../log/log.ts'
import { KeyStoreError } from '../privacy/failure.ts'
import { type Accepted, type Decided, type Refused, refuse } from './decider.ts'
import { EARLIEST_TIME, type StatedEnvelope } from './envelope.ts'
import type { Refusable } from './quarantine.ts'
import type { Incoming, IntakeResult, Refusal } from './result.ts'

/** What an event's way through the intake comes to, in the words of its sender. */

/** A sender's clock may be this far ahead; beyond, what it says of the time is not believed. */
const MAX_AHEAD_MS = 10 * 60_000

/**
 * When it happened: what the sender says, corrected by its clock's skew where it says when it sent it
 * (`received − (sent − original)`, as Segment's spec has it), and never far ahead of `received`.
 */
export function happened(
  envelope: StatedEnvelope,
  received: number,
): { readonly time: number; readonly originalTime?: number } {
  if (envelope.time === undefined) return { time: received }
  const corrected = envelope.sent === undefined ? envelope.time : received - (envelope.sent - envelope.time)
  // A sending time that leads before all times says nothing about the clock.
  const time = corrected < EARLIEST_TIME ? envelope.time : corrected
  const believed = time > received + MAX_AHEAD_MS ? received : time
  return believed === envelope.time ? { time: believed } : { time: believed, originalTime: envelope.time }
}

export function done(
  status: 'appended' | 'duplicate',
  { envelope, quarantined }: Accepted,
  at: { readonly position: number; readonly revision: number; readonly stream: string },
): IntakeResult {
  const { position, revision, stream } = at
  if (quarantined === undefined) return { status, id: envelope.id, position, stream, revision }
  const { quarantineId, eventId, reason, message } = quarantined
  return { status: 'quarantined', id: eventId, position, quarantineId, reason, message }
}

export function reusedId({ incoming, envelope, sizeBytes }: Accepted): Refused {
  const message = 'this source sent another event under the same id; an id is never used twice'
  return refuse(incoming, envelope.source, 'id_reused', message, sizeBytes)
}

export function quarantineItem(decided: Refused, received: number): Refusable {
  const { reason, message, source, id, type } = decided
  // A person who was erased isn't collected again, not even here.
  const body = reason === 'suppressed' ? new Uint8Array() : bodyOf(decided.incoming)
  return { body, reason, message, source, id, type, received }
}

/** The bytes as they came, or the JSON text of what was parsed from a batch. */
function bodyOf(incoming: Incoming): Uint8Array {
  if ('unparsable' in incoming) return incoming.unparsable
  return Buffer.from(jsonText('refused' in incoming ? incoming.refused : incoming.value) ?? 'null')
}

/** Of a value that needn't be JSON: MessagePack has wider integers. A replacer would cost the depth that text has. */
function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part))
  }
}

export function refusalOf(failure: Exclude<LogFailure, { readonly _tag: 'EventTooLarge' }>): Refusal {
  switch (failure._tag) {
    case 'WrongExpected': {
      const { stream, actualRevision, actualPosition } = failure
      const message = `the stream ${stream} is at revision ${actualRevision}, position ${actualPosition}`
      return { code: 'wrong_expected', message, actualRevision, actualPosition }
    }
    case 'DiskFull':
      return DISK_FULL
    case 'WriterStopped':
      return { code: 'stopped', message: 'writing the log failed; the engine must be restarted' }
    case 'LogClosed':
      return { code: 'stopped', message: 'the engine is stopping' }
  }
}

export function failed(decided: Decided, error: unknown): IntakeResult {
  const id = decided.kind === 'accepted' ? decided.envelope.id : decided.id
  if (error instanceof KeyStoreError && error.failure._tag === 'DiskFull') {
    return { status: 'refused', id, refusal: DISK_FULL }
  }
  // The kind of error alone: its message may quote personal data.
  const message = `the intake failed: ${error instanceof Error ? error.name : 'unknown error'}`
  return { status: 'refused', id, refusal: { code: 'stopped', message } }
}

const DISK_FULL: Refusal = {
  code: 'read_only',
  message: 'the disk is full; nothing is taken until there is room',
}

export const CLOCK_JUMPED: Refusal = {
  code: 'clock_jumped',
  message: 'the wall clock jumped; nothing is acknowledged until an operator confirms it',
}

export const NO_QUARANTINE: Refusal = {
  code: 'read_only',
  message: 'the event is not acceptable, and quarantine has no room to keep it',
}
