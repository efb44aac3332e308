import type { RecordedEvent } from '../events/event.ts'
import type { Log } from '../log/log.ts'
import { findDuplicate } from './duplicates.ts'
import { type AcceptedEntry, type Entry, isRefused } from './entry.ts'
import { done, idOf } from './outcome.ts'
import type { IntakeResult, Refusal } from './result.ts'

/** What becomes of a batch that is appended whole or not at all: see `AtomicIntake`. */

export function forbidden(message: string): Refusal {
  return { code: 'forbidden', message }
}

/** Why a batch isn't taken of which some can't be. */
export function notTaken(members: readonly Entry[]): Refusal {
  const at = members.findIndex(isRefused)
  const decided = members[at]?.decided
  const why = decided?.kind === 'refused' ? `${decided.reason}: ${decided.message}` : 'it is not acceptable'
  return forbidden(members.length === 1 ? why : `event ${at + 1} of ${members.length}: ${why}`)
}

/** What the log has of the batch, each in its place. */
export async function recordedOf(
  entries: readonly AcceptedEntry[],
  log: Pick<Log, 'idCandidates' | 'at'>,
): Promise<readonly (RecordedEvent | undefined)[]> {
  const found: (RecordedEvent | undefined)[] = []
  for (const { decided } of entries) {
    const { source, id } = decided.envelope
    const candidates = log.idCandidates(source, id)
    found.push(
      candidates.length === 0
        ? undefined
        : await findDuplicate(candidates, { source, id }, (position) => log.at(position)),
    )
  }
  return found
}

/** Whether two of them have one id: only one could be appended. */
export function repeatsItself(entries: readonly AcceptedEntry[]): boolean {
  const keys = entries.map(({ decided: { envelope } }) => JSON.stringify([envelope.source, envelope.id]))
  return new Set(keys).size < keys.length
}

/** The answers to a batch of which at least a part has been appended before, or is in it twice. */
export function repeated(
  entries: readonly AcceptedEntry[],
  recorded: readonly (RecordedEvent | undefined)[],
  log: Pick<Log, 'streamHead'>,
  same: (entry: AcceptedEntry, recorded: RecordedEvent) => boolean,
): readonly IntakeResult[] {
  const whole: IntakeResult[] = []
  for (const [index, entry] of entries.entries()) {
    const before = recorded[index]
    if (before === undefined) continue
    const stream = streamOf(entry)
    if (!same(entry, before) || (stream !== undefined && stream !== before.stream))
      return refused(entries, forbidden(REUSED))
    whole.push(done('duplicate', entry.decided, before, before.stream))
  }
  if (repeatsItself(entries)) return refused(entries, forbidden('two events of the batch have one id'))
  if (whole.length === entries.length && isWhereExpected(entries[0], recorded[0])) return whole
  const stream = recorded.find((before) => before !== undefined)?.stream ?? ''
  const head = log.streamHead(stream)
  return refused(entries, {
    code: 'wrong_expected',
    message: 'the batch was appended before, but only a part of it or at another place',
    actualRevision: head?.revision ?? -1,
    actualPosition: head?.position ?? 0,
  })
}

const REUSED =
  'id_reused: another event, or the same one in another stream, was appended under this id; an id is never used twice'

function streamOf({ decided: { incoming } }: AcceptedEntry): string | undefined {
  return 'value' in incoming ? incoming.stream : undefined
}

function isWhereExpected(entry: AcceptedEntry | undefined, recorded: RecordedEvent | undefined): boolean {
  const expected = entry?.decided.envelope.expected
  return expected === undefined || !('revision' in expected) || recorded?.revision === expected.revision + 1
}

function refused(entries: readonly AcceptedEntry[], refusal: Refusal): readonly IntakeResult[] {
  return entries.map(({ decided }) => ({ status: 'refused', id: idOf(decided), refusal }))
}
