import { lettersInCommon } from './letters.ts'

/** Winkler's prefix: how many letters count, and how much each. */
const PREFIX_LETTERS = 4
const PREFIX_SCALE = 0.1

/**
 * Similarity of two short texts, in [0, 1]: Jaro (1989), raised for a common beginning as in Winkler (1990). Without
 * Winkler's threshold of 0.7 below which the beginning doesn't count: whoever asks has a higher one. The same both ways round.
 */
export function jaroWinkler(a: string, b: string): number {
  return raised(jaroSimilarity(a, b), prefixOf(a, b))
}

/** The same for those that are at least so alike; 0 for most that aren't, at a fraction of the cost. */
export function jaroWinklerFrom(least: number, a: string, b: string): number {
  const common = lettersInCommon(a, b)
  if (common === 0) return a === b ? 1 : 0
  const most = (common / a.length + common / b.length + 1) / 3
  const prefix = prefixOf(a, b)
  return raised(most, prefix) < least ? 0 : raised(jaroSimilarity(a, b), prefix)
}

function raised(jaro: number, prefix: number): number {
  return jaro + prefix * PREFIX_SCALE * (1 - jaro)
}

function prefixOf(a: string, b: string): number {
  const most = Math.min(PREFIX_LETTERS, a.length, b.length)
  let prefix = 0
  while (prefix < most && a[prefix] === b[prefix]) prefix++
  return prefix
}

/** Jaro (1989): letters in common within half the longer length, and how many of them are transposed. */
export function jaroSimilarity(a: string, b: string): number {
  if (a === b) return 1
  if (a.length === 0 || b.length === 0) return 0
  const short = a.length <= b.length ? a : b
  const long = a.length <= b.length ? b : a
  const common = findCommon(short, long)
  if (common === 0) return 0
  const transposed = countTransposed(long) / 2
  return (common / short.length + common / long.length + (common - transposed) / common) / 3
}

/** Kept between calls: this is asked millions of times, and two small arrays each time are most of its cost. */
let matched = new Uint16Array(64)
let taken = new Uint8Array(64)

/** How many letters are common; `matched` are those of the shorter text in their order, `taken` marks them in the longer one. */
function findCommon(short: string, long: string): number {
  if (long.length > taken.length) {
    matched = new Uint16Array(2 * long.length)
    taken = new Uint8Array(2 * long.length)
  }
  taken.fill(0, 0, long.length)
  const reach = Math.max(Math.floor(long.length / 2) - 1, 0)
  let common = 0
  for (let i = 0; i < short.length; i++) {
    const letter = short.charCodeAt(i)
    const end = Math.min(i + reach + 1, long.length)
    for (let j = Math.max(i - reach, 0); j < end; j++) {
      if (long.charCodeAt(j) !== letter || taken[j] === 1) continue
      taken[j] = 1
      matched[common++] = letter
      break
    }
  }
  return common
}

function countTransposed(long: string): number {
  let different = 0
  let at = 0
  for (let j = 0; j < long.length; j++) {
    if (taken[j] === 0) continue
    if (long.charCodeAt(j) !== matched[at]) different++
    at++
  }
  return different
}
