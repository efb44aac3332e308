/** Letters are told apart by their last seven bits, which is all of ASCII. */
const TOLD_APART = 128
const counts = new Int32Array(TOLD_APART)

/**
 * At most how many letters two texts have in common, wherever they stand, repetitions counted; exactly, if
 * they are ASCII. Costs the sum of the lengths: what can't be alike for want of letters needs no dearer comparison.
 */
export function lettersInCommon(a: string, b: string): number {
  counts.fill(0)
  for (let i = 0; i < a.length; i++) {
    const letter = a.charCodeAt(i) % TOLD_APART
    counts[letter] = (counts[letter] ?? 0) + 1
  }
  let common = 0
  for (let i = 0; i < b.length; i++) {
    const letter = b.charCodeAt(i) % TOLD_APART
    const left = counts[letter] ?? 0
    if (left === 0) continue
    counts[letter] = left - 1
    common++
  }
  return common
}
