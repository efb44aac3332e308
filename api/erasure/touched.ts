import { catalogue } from '../../engine/events/catalogue.ts'
import type { EventDefinition } from '../../engine/events/codec.ts'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { personalProperties } from '../../engine/events/personal.ts'
import type { Log } from '../../engine/log/log.ts'
import type { Opener } from '../../engine/privacy/privacy.ts'

/** Types whose data may be about others than those that the envelope names: each of them has a part of their own. */
export const GROUP_TYPES: ReadonlySet<string> = new Set(
  Object.entries(catalogue)
    .filter(([, definition]: readonly [string, EventDefinition]) =>
      [...personalProperties(definition).values()].some(({ owner }) => owner !== undefined),
    )
    .map(([type]) => type),
)

/**
 * Positions of every event that had a personal part of one of these identities, ascending; others may be among them.
 * Their keys are destroyed already. The envelope, and so the log's index, names whom an event is about; only who else took
 * part has to be looked for, by parts that don't open any more.
 */
export async function touchedPositions(
  log: Pick<Log, 'readIdentity' | 'read'>,
  opener: Opener,
  ids: readonly IdentityId[],
): Promise<readonly number[]> {
  const positions = new Set<number>()
  for (const id of ids)
    for await (const batch of log.readIdentity(id))
      for (const { position, sealed } of batch) if (sealed.length > 0) positions.add(position)
  for await (const batch of log.read({ types: GROUP_TYPES }))
    for (const event of batch) if (hasLost(event, opener)) positions.add(event.position)
  return [...positions].sort((a, b) => a - b)
}

function hasLost(event: RecordedEvent, opener: Opener): boolean {
  return event.sealed.some((part) => {
    try {
      return opener.open(part, event) === undefined
    } catch {
      // A part that was changed isn't one that is lost, but to look at it once more costs nothing.
      return true
    }
  })
}
