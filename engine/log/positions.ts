import type { StreamReadOptions } from './log.ts'

/** The positions that a read of a stream or identity visits, in its direction. `positions`: oldest first. */
export function selectPositions(positions: readonly number[], options: StreamReadOptions): readonly number[] {
  const { direction = 'forwards', from, limit = Number.POSITIVE_INFINITY } = options
  const ordered = direction === 'forwards' ? positions : positions.toReversed()
  const start = from === undefined ? 0 : ordered.findIndex((position) => reached(position, from, direction))
  return start < 0 ? [] : ordered.slice(start, start + Math.max(0, limit))
}

function reached(position: number, from: number, direction: 'forwards' | 'backwards'): boolean {
  return direction === 'forwards' ? position >= from : position <= from
}
