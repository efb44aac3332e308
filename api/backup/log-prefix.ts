import type { Files } from '../../engine/log/embedded/files.ts'
import { SegmentList } from '../../engine/log/embedded/segment-list.ts'
import { SegmentsLog } from '../../engine/log/embedded/segments-log.ts'
import { LocalHead } from '../../engine/log/follow.ts'
import type { Head, LogReader } from '../../engine/log/log.ts'

/** A log up to a head that is known to be whole, beside an engine that may be appending behind it. */
export function openPrefix(files: Files, directory: string, { position, received }: Head): LogReader {
  return new SegmentsLog(new SegmentList(files, directory), new LocalHead({ position, received }))
}
