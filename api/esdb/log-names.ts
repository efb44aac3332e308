import { DELETED_TYPE, METADATA_TYPE, metastreamOf, originalOf } from './system-names.ts'

/**
 * What system streams and types are called in the log. Not as the protocol has them: a log may lie in an EventStoreDB, or be copied
 * to one, which would heed them, and drop the older events of a metastream.
 */

const PREFIX = 'esdb_metadata-'
const TYPES: readonly (readonly [shown: string, kept: string])[] = [
  [METADATA_TYPE, 'esdb.metadata_set'],
  [DELETED_TYPE, 'esdb.stream_tombstoned'],
]
const KEPT_TYPES = new Map(TYPES)
const SHOWN_TYPES = new Map(TYPES.map(([shown, kept]) => [kept, shown]))

interface Name {
  readonly stream: string
  readonly type: string
}

/** Whether a stream may not be called so, because metastreams are. */
export function isKeptName(stream: string): boolean {
  return stream.startsWith(PREFIX)
}

export function keptStream(stream: string): string {
  const original = originalOf(stream)
  return original === undefined ? stream : `${PREFIX}${original}`
}

export function keptType({ stream, type }: Name): string {
  return originalOf(stream) === undefined ? type : (KEPT_TYPES.get(type) ?? type)
}

/** An event of the log as clients know it. */
export function shownName(event: Name): Name {
  if (!event.stream.startsWith(PREFIX)) return event
  const { stream, type } = event
  return { stream: metastreamOf(stream.slice(PREFIX.length)), type: SHOWN_TYPES.get(type) ?? type }
}
