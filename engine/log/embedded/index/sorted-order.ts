const DIGIT_BITS = 11
const DIGITS = 2 ** DIGIT_BITS

/**
 * The order of keys that are given word by word: `words[0][i]`, then `words[1][i]` and so on. Stable. Keys are hashes, so
 * nearly all are told apart by their first word, which is sorted by its digits.
 */
export function sortedOrder(words: readonly Uint32Array[], count: number): Uint32Array {
  const [first] = words
  if (first === undefined) return new Uint32Array(0)
  let order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  let spare = new Uint32Array(count)
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    byDigit(first, order, spare, shift)
    ;[order, spare] = [spare, order]
  }
  sortTies(words, order)
  return order
}

function byDigit(keys: Uint32Array, from: Uint32Array, to: Uint32Array, shift: number): void {
  const starts = new Uint32Array(DIGITS + 1)
  for (const at of from) {
    const next = (((keys[at] ?? 0) >>> shift) & (DIGITS - 1)) + 1
    starts[next] = (starts[next] ?? 0) + 1
  }
  for (let digit = 1; digit <= DIGITS; digit++)
    starts[digit] = (starts[digit] ?? 0) + (starts[digit - 1] ?? 0)
  for (const at of from) {
    const digit = ((keys[at] ?? 0) >>> shift) & (DIGITS - 1)
    const place = starts[digit] ?? 0
    starts[digit] = place + 1
    to[place] = at
  }
}

function sortTies(words: readonly Uint32Array[], order: Uint32Array): void {
  const [first, ...rest] = words
  if (first === undefined || rest.length === 0) return
  const compare = (a: number, b: number): number => {
    for (const word of rest) {
      const x = word[a] ?? 0
      const y = word[b] ?? 0
      if (x !== y) return x - y
    }
    return a - b
  }
  for (let start = 0; start < order.length; ) {
    const key = first[order[start] ?? 0]
    let end = start + 1
    while (end < order.length && first[order[end] ?? 0] === key) end++
    if (end - start > 1) order.subarray(start, end).sort(compare)
    start = end
  }
}
