import type { SegmentHeader } from '../segment.ts'
import { IndexDamaged, type IndexFile } from './index-file.ts'
import type { IndexFileWriter } from './index-file-writer.ts'
import { COVER, PAGE_PAYLOAD, SECTION } from './index-format.ts'

/** A sealed segment as an index file knows it. */
export interface Cover {
  readonly first: number
  /** The last position before it. */
  readonly previous: number
  readonly last: number
  /** `received` of its last event. */
  readonly received: number
  /** Where its last block ends. */
  readonly end: number
  readonly events: number
  readonly salt: number
}

export function writeCovers(file: IndexFileWriter, covers: readonly Cover[]): void {
  file.begin(SECTION.COVER, COVER.BYTES)
  for (const { first, previous, last, received, end, events, salt } of covers) {
    const at = file.record()
    for (const [offset, value] of [
      [COVER.FIRST, first],
      [COVER.PREVIOUS, previous],
      [COVER.LAST, last],
      [COVER.RECEIVED, received],
      [COVER.END, end],
      [COVER.EVENTS, events],
    ] as const)
      file.view.setFloat64(at + offset, value, true)
    file.view.setUint32(at + COVER.SALT, salt, true)
  }
}

/** Throws `IndexDamaged`. */
export function readCovers(file: IndexFile): readonly Cover[] {
  const section = file.section(SECTION.COVER)
  const perPage = Math.floor(PAGE_PAYLOAD / COVER.BYTES)
  const covers: Cover[] = []
  for (const page of file.pages(section)) {
    for (let i = 0; i < perPage && covers.length < section.count; i++)
      covers.push(readCover(page, i * COVER.BYTES))
  }
  if (covers.length === 0) throw new IndexDamaged(file.path, 'it covers nothing')
  return covers
}

function readCover(page: Buffer, at: number): Cover {
  return {
    first: page.readDoubleLE(at + COVER.FIRST),
    previous: page.readDoubleLE(at + COVER.PREVIOUS),
    last: page.readDoubleLE(at + COVER.LAST),
    received: page.readDoubleLE(at + COVER.RECEIVED),
    end: page.readDoubleLE(at + COVER.END),
    events: page.readDoubleLE(at + COVER.EVENTS),
    salt: page.readUInt32LE(at + COVER.SALT),
  }
}

/** Whether the segment with this header is the covered one, as far as a header tells. */
export function covers(cover: Cover, header: SegmentHeader): boolean {
  return cover.first === header.first && cover.previous === header.previous && cover.salt === header.salt
}
