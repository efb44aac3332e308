import { lettersInCommon } from './letters.ts'

/**
 * How many insertions, deletions, substitutions and swaps of neighbours turn one text into the other: Damerau (1964),
 * by the algorithm of Lowrance & Wagner (1975), in which swapped neighbours may be edited further. Costs the product of
 * the lengths: for short texts.
 */
export function damerauLevenshtein(a: string, b: string): number {
  const width = b.length + 2
  const far = a.length + b.length
  const costs = new Int32Array((a.length + 2) * width)
  costs[0] = far
  for (let i = 0; i <= a.length; i++) {
    costs[(i + 1) * width] = far
    costs[(i + 1) * width + 1] = i
  }
  for (let j = 0; j <= b.length; j++) {
    costs[j + 1] = far
    costs[width + j + 1] = j
  }
  /** Letter → the last row in which it stood. */
  const lastRow = new Map<string, number>()
  for (let i = 1; i <= a.length; i++) {
    let lastColumn = 0
    for (let j = 1; j <= b.length; j++) {
      const row = lastRow.get(b[j - 1] ?? '') ?? 0
      const column = lastColumn
      const same = a[i - 1] === b[j - 1]
      if (same) lastColumn = j
      const substituted = at(costs, i * width + j) + (same ? 0 : 1)
      const inserted = at(costs, (i + 1) * width + j) + 1
      const deleted = at(costs, i * width + j + 1) + 1
      const swapped = at(costs, row * width + column) + (i - row - 1) + 1 + (j - column - 1)
      costs[(i + 1) * width + j + 1] = Math.min(substituted, inserted, deleted, swapped)
    }
    lastRow.set(a[i - 1] ?? '', i)
  }
  return at(costs, (a.length + 1) * width + b.length + 1)
}

/** Whether that many edits suffice; most pairs that they don't are told without counting. */
export function withinEdits(a: string, b: string, edits: number): boolean {
  if (Math.abs(a.length - b.length) > edits) return false
  // Each edit mends one letter at most, and a swap none (the bag distance of Bartolini, Ciaccia & Patella 2002).
  if (Math.max(a.length, b.length) - lettersInCommon(a, b) > edits) return false
  return damerauLevenshtein(a, b) <= edits
}

function at(costs: Int32Array, index: number): number {
  return costs[index] ?? 0
}
