import { createHash } from 'node:crypto'
import type { RecordedEvent } from '../events/event.ts'

/** Tells the event at a position from another log's. Hashed: an id may say more than it should, and the mark outlives it. */
export function markOf({ source, id }: RecordedEvent): string {
  return createHash('sha256').update(`${source.length} ${source} ${id}`).digest('base64url')
}
