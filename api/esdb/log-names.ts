import { RESERVED_TYPES } from '../../engine/intake/decider.ts'
import { METADATA_CATEGORY } from '../../engine/intake/stream-name.ts'
import { DELETED_TYPE, METADATA_TYPE, metastreamOf, originalOf } from './system-names.ts'

/**
 * What streams and types are called in the log that may not have their own name there.
 *
 * System streams and their types: not as the protocol has them: a log may lie in an EventStoreDB, or be copied
 * to one, which would heed them, and drop the older events of a metastream.
 *
 * Types that the engine alone appends, and streams that only this protocol writes: whoever has their log here is an engine too,
 * whose decisions and metadata aren't this one's.
 */

const METADATA_PREFIX = `${METADATA_CATEGORY}-`
const TYPES: readonly (readonly [shown: string, kept: string])[] = [
  [METADATA_TYPE, 'esdb.metadata_set'],
  [DELETED_TYPE, 'esdb.stream_tombstoned'],
]
const KEPT_TYPES = new Map(TYPES)
const SHOWN_TYPES = new Map(TYPES.map(([shown, kept]) => [kept, shown]))
/** Before a type of an engine's own, and before what would be taken for one. */
const OTHERS_TYPE = 'esdb.reserved.'
/** The same before a stream. */
const OTHERS_STREAM = 'esdb_reserved-'

interface Name {
  readonly stream: string
  readonly type: string
}

export function keptStream(stream: string): string {
  const original = originalOf(stream)
  if (original !== undefined) return `${METADATA_PREFIX}${original}`
  return isOthersStream(stream) ? `${OTHERS_STREAM}${stream}` : stream
}

export function keptType({ stream, type }: Name): string {
  const kept = originalOf(stream) === undefined ? type : (KEPT_TYPES.get(type) ?? type)
  return RESERVED_TYPES.has(kept) || kept.startsWith(OTHERS_TYPE) ? `${OTHERS_TYPE}${kept}` : kept
}

/** An event of the log as clients know it. */
export function shownName(event: Name): Name {
  const isOthersType = event.type.startsWith(OTHERS_TYPE)
  const type = isOthersType ? event.type.slice(OTHERS_TYPE.length) : event.type
  const stream = shownStream(event.stream)
  if (event.stream.startsWith(METADATA_PREFIX)) return { stream, type: SHOWN_TYPES.get(type) ?? type }
  return isOthersType || stream !== event.stream ? { stream, type } : event
}

function shownStream(kept: string): string {
  if (kept.startsWith(METADATA_PREFIX)) return metastreamOf(kept.slice(METADATA_PREFIX.length))
  const others = kept.startsWith(OTHERS_STREAM) ? kept.slice(OTHERS_STREAM.length) : ''
  // Other ways in may send to a stream of any such name.
  return isOthersStream(others) ? others : kept
}

/** What another engine calls streams as this one calls its own. */
function isOthersStream(stream: string): boolean {
  return stream.startsWith(METADATA_PREFIX) || stream.startsWith(OTHERS_STREAM)
}
