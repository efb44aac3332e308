import { type Appended, IndexUnavailable, LogDamaged, type LogFailure } from '../log/log.ts'
import { KeyStoreError } from '../privacy/failure.ts'
import { type Accepted, type Decided, type Refused, refuse } from './decider.ts'
import type { Refusable } from './quarantine.ts'
import type { Incoming, IntakeResult, Refusal } from './result.ts'

/** What an event's way through the intake comes to, in the words of its sender. */

export function done(
  status: 'appended' | 'duplicate',
  { envelope, quarantined, blocked }: Accepted,
  { position, revision }: Appended,
  stream: string,
): IntakeResult {
  if (quarantined === undefined) {
    const result = { status, id: envelope.id, position, stream, revision }
    return status === 'appended' && blocked.length > 0 ? { ...result, status, blocked } : result
  }
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

/** Of a value that needn't be JSON: MessagePack has wider integers, and either may be nested deeper than the stack. */
function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return jsonTextOfAny(value)
  }
}

/** As `JSON.stringify` where that has none; big integers in their digits. It costs memory, not stack, for each level. */
function jsonTextOfAny(value: unknown): string {
  const written: string[] = []
  /** What is still to come, last first: text as it is, or a value. */
  const todo: ({ readonly text: string } | { readonly value: unknown })[] = [{ value }]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if ('text' in next) written.push(next.text)
    else if (typeof next.value !== 'object' || next.value === null) written.push(scalarText(next.value))
    else unfold(next.value, todo)
  }
  return written.join('')
}

function scalarText(value: unknown): string {
  return typeof value === 'bigint' ? `"${value}"` : (JSON.stringify(value) ?? 'null')
}

function unfold(value: object, todo: ({ readonly text: string } | { readonly value: unknown })[]): void {
  const isArray = Array.isArray(value)
  const entries = Object.entries(value)
  todo.push({ text: isArray ? ']' : '}' })
  for (const [index, [key, part]] of [...entries.entries()].reverse()) {
    todo.push({ value: part })
    const comma = index === 0 ? '' : ','
    todo.push({ text: isArray ? comma : `${comma}${JSON.stringify(key)}:` })
  }
  todo.push({ text: isArray ? '[' : '{' })
}

/** What the server said may quote anything: it stands in the engine's log alone. */
export const REFUSED_BY_LOG =
  "the server that has the log refuses the event, or the batch that it is of; the engine's log says why"

export function refusalOf(
  failure: Exclude<LogFailure, { readonly _tag: 'EventTooLarge' | 'Refused' }>,
): Refusal {
  switch (failure._tag) {
    case 'WrongExpected': {
      const { stream, actualRevision, actualPosition } = failure
      const message = `the stream ${stream} is at revision ${actualRevision}, position ${actualPosition}`
      return { code: 'wrong_expected', message, actualRevision, actualPosition }
    }
    case 'DiskFull':
      return DISK_FULL
    case 'Unavailable':
      return { code: 'read_only', message: 'the log cannot be reached for now: send it again later' }
    case 'WriterStopped':
      return { code: 'stopped', message: 'writing the log failed; the engine must be restarted' }
    case 'LogClosed':
      return { code: 'stopped', message: 'the engine is stopping' }
  }
}

/** The id that its sender gave it, of an event that tells of a refused one that one's. */
export function idOf(decided: Decided): string | undefined {
  if (decided.kind === 'refused') return decided.id
  return decided.quarantined === undefined ? decided.envelope.id : decided.quarantined.eventId
}

export function failed(decided: Decided, error: unknown): IntakeResult {
  const id = idOf(decided)
  if (error instanceof KeyStoreError && error.failure._tag === 'DiskFull') {
    return { status: 'refused', id, refusal: DISK_FULL }
  }
  if (error instanceof IndexUnavailable) {
    return {
      status: 'refused',
      id,
      refusal: { code: 'overloaded', message: `${error.message}: send it again later` },
    }
  }
  if (error instanceof LogDamaged) {
    // It names segment and positions, nothing of their content.
    const message = `whether it was sent before can't be told: ${error.message}; restore the segment from a backup`
    return { status: 'refused', id, refusal: { code: 'log_damaged', message } }
  }
  // The kind of error alone: its message may quote personal data.
  const message = `the intake failed: ${error instanceof Error ? error.name : 'unknown error'}`
  return { status: 'refused', id, refusal: { code: 'stopped', message } }
}

export const SOURCE_LOST: Refusal = {
  code: 'log_damaged',
  message:
    "the log is damaged where this source's defaults stand: restore the segment from a backup, or register the source again",
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
