import { LocalHead } from '../follow.ts'
import type { Head } from '../log.ts'
import { withCompressed } from './compressed-files.ts'
import { type Files, systemFiles } from './files.ts'
import { type HeadSignal, headBeyond, readHead } from './head-signal.ts'
import { SegmentList } from './segment-list.ts'
import { SegmentsLog } from './segments-log.ts'

/**
 * Reads a log that another thread writes; `signal` is that log's `headSignal`. Without one, reads what is there now,
 * up to the last whole block: so a damaged log, which doesn't open for writing, can still be read around the damage.
 */
export function openEmbeddedReader(
  directory: string,
  signal?: HeadSignal,
  files: Files = systemFiles,
): SegmentsLog {
  const segments = new SegmentList(withCompressed(files), directory)
  if (signal === undefined) return new SegmentsLog(segments, new LocalHead(findHead(segments)))
  const source = {
    head: () => readHead(signal),
    beyond: (position: number, aborted: AbortSignal) => headBeyond(signal, position, aborted),
  }
  return new SegmentsLog(segments, source)
}

function findHead(segments: SegmentList): Head {
  for (let index = segments.firsts.length - 1; index >= 0; index--) {
    const segment = segments.at(index)
    if (segment === undefined) continue
    segment.extend(Number.POSITIVE_INFINITY)
    if (segment.blockCount === 0) continue
    const { last, received } = segment.block(segment.blockCount - 1)
    return { position: last, received }
  }
  return { position: 0, received: 0 }
}
