import { METASTREAM_PREFIX } from '../../engine/intake/stream-name.ts'

/** Names that EventStoreDB gives a meaning: they begin with `$`. */

export const METADATA_TYPE = '$metadata'
export const DELETED_TYPE = '$streamDeleted'

/** Of an event that stands for another: its data are `revision@stream`. */
export const LINK_TYPE = '$>'

/** The stream that holds a stream's metadata. */
export function metastreamOf(stream: string): string {
  return `${METASTREAM_PREFIX}${stream}`
}

/** The stream whose metadata this one holds; undefined where it is no such stream. */
export function originalOf(stream: string): string | undefined {
  return stream.startsWith(METASTREAM_PREFIX) ? stream.slice(METASTREAM_PREFIX.length) : undefined
}

export function isSystemName(name: string): boolean {
  return name.startsWith('$')
}
