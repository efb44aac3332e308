import { RESERVED_TYPES } from '../../engine/intake/decider.ts'
import { DELETED_TYPE, METADATA_TYPE, metastreamOf, originalOf } from './system-names.ts'

/**
 * What streams and types are called in the log that may not have their own name there.
 *
 * System streams and their types: not as the protocol has them: a log may lie in an EventStoreDB, or be copied
 * to one, which would heed them, and drop the older events of a metastream.
 *
 * Types that the engine alone appends: whoever has their log here is an engine too, whose decisions aren't this one's.
 */

const PREFIX = 'esdb_metadata-'
const TYPES: readonly (readonly [shown: string, kept: string])[] = [
  [METADATA_TYPE, 'esdb.metadata_set'],
  [DELETED_TYPE, 'esdb.stream_tombstoned'],
]
const KEPT_TYPES = new Map(TYPES)
const SHOWN_TYPES = new Map(TYPES.map(([shown, kept]) => [kept, shown]))
/** Before a type of an engine's own, and before what would be taken for one. */
const OTHERS_PREFIX = 'esdb.reserved.'

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
  const kept = originalOf(stream) === undefined ? type : (KEPT_TYPES.get(type) ?? type)
  return RESERVED_TYPES.has(kept) || kept.startsWith(OTHERS_PREFIX) ? `${OTHERS_PREFIX}${kept}` : kept
}

/** An event of the log as clients know it. */
export function shownName(event: Name): Name {
  const { stream } = event
  const isOthers = event.type.startsWith(OTHERS_PREFIX)
  const type = isOthers ? event.type.slice(OTHERS_PREFIX.length) : event.type
  if (!stream.startsWith(PREFIX)) return isOthers ? { stream, type } : event
  return { stream: metastreamOf(stream.slice(PREFIX.length)), type: SHOWN_TYPES.get(type) ?? type }
}
