import type { NewEvent, RecordedEvent } from '../events/event.ts'
import type { LogFailure, LogReader } from './log.ts'
import { toPlain } from './recorded.ts'

export function newEventOf(event: RecordedEvent): NewEvent {
  const { position: _, revision: __, ...rest } = toPlain(event)
  return rest
}

interface One {
  readonly position: number
  readonly resolve: (failure: LogFailure | undefined) => void
}

/** Those who wait for a position. */
export class Waiting {
  #waiting: One[] = []

  /** Resolves when the position is reached, or with what keeps it from being. `reached`: how far it is already. */
  until(position: number, reached: number): Promise<LogFailure | undefined> {
    if (position <= reached) return Promise.resolve(undefined)
    const { promise, resolve } = Promise.withResolvers<LogFailure | undefined>()
    this.#waiting.push({ position, resolve })
    return promise
  }

  reached(position: number): void {
    const still: One[] = []
    for (const one of this.#waiting) {
      if (one.position <= position) one.resolve(undefined)
      else still.push(one)
    }
    this.#waiting = still
  }

  fail(failure: LogFailure): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve(failure)
  }
}

/** Why a replica doesn't follow from a log; undefined: it does. A whole sentence that says what to do. */
export async function replicaObjection(
  remote: Pick<LogReader, 'head' | 'at'>,
  replica: Pick<LogReader, 'head' | 'at'>,
): Promise<string | undefined> {
  const { position } = replica.head()
  if (position === 0) return undefined
  const there = remote.head().position
  if (there < position)
    return `the log in EventStoreDB ends at position ${there}, log/ at ${position}: check HEADWATER_LOG's address, or restore EventStoreDB; to move the log of log/ there, use headwater copy`
  const [ours, theirs] = [await replica.at(position), await remote.at(position)]
  if (ours !== undefined && theirs !== undefined && isSame(ours, theirs)) return undefined
  return `the event at position ${position} of log/ is another one in EventStoreDB: check HEADWATER_LOG's address; if it is right, and log/ is a replica that may go, remove log/ to have it made anew`
}

function isSame(one: RecordedEvent, other: RecordedEvent): boolean {
  return (
    one.source === other.source &&
    one.id === other.id &&
    one.stream === other.stream &&
    one.type === other.type &&
    one.revision === other.revision &&
    one.received === other.received
  )
}
