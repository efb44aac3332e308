import { entryPosition } from './entries.ts'
import { TILE_WIDTH } from './format.ts'
import { LogDiffers } from './log-source.ts'

/** Compares a log, entry by entry and in order, with what is stored of it. */
export interface Comparison {
  each(entry: Uint8Array, leaf: number): void
  first(): LogDiffers | undefined
}

/** `storedBundle`: the entries of the bundle that holds a leaf, as far as they are stored. */
export function comparisonWith(
  storedBundle: (leaf: number) => readonly Uint8Array[] | undefined,
): Comparison {
  let found: LogDiffers | undefined
  let bundle: number | undefined
  let entries: readonly Uint8Array[] | undefined
  return {
    each: (entry, leaf) => {
      if (found !== undefined) return
      const index = Math.floor(leaf / TILE_WIDTH)
      if (index !== bundle) entries = storedBundle(leaf)
      bundle = index
      const stored = entries?.[leaf % TILE_WIDTH]
      if (stored !== undefined && Buffer.compare(stored, entry) !== 0)
        found = differenceBetween(stored, entry)
    },
    first: () => found,
  }
}

/** What two entries that should be the same tell of what was done. */
export function differenceBetween(signed: Uint8Array, found: Uint8Array): LogDiffers {
  const [was, is] = [entryPosition(signed), entryPosition(found)]
  if (was === is) return new LogDiffers(was, `the event at position ${was} is not the one that was signed`)
  if (is > was) return new LogDiffers(was, `the event at position ${was} is missing`)
  return new LogDiffers(is, `the event at position ${is} wasn't there when the tree was signed`)
}

/** The first leaf at or after a position, `size` where there is none. Without gaps, it is the one before its position. */
export function leafFrom(position: number, size: number, positionAt: (leaf: number) => number): number {
  const guess = position - 1
  if (guess >= 0 && guess < size && positionAt(guess) === position) return guess
  let low = 0
  let high = Math.min(size, Math.max(0, position))
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (positionAt(middle) < position) low = middle + 1
    else high = middle
  }
  return low
}
