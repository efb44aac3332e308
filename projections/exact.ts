/**
 * A sum that never loses a digit and never fails: a safe integer while it is one, beyond that its decimal digits. So
 * adding stays associative whatever senders send, and states stay plain data.
 */
export type Exact = number | string

export function addExact(a: Exact, b: Exact): Exact {
  if (typeof a === 'number' && typeof b === 'number') {
    const total = a + b
    if (Number.isSafeInteger(total)) return total + 0
  }
  const total = BigInt(a) + BigInt(b)
  const number = Number(total)
  return Number.isSafeInteger(number) ? number : String(total)
}

export function negated(a: Exact): Exact {
  return typeof a === 'number' ? 0 - a : addExact(String(-BigInt(a)), 0)
}

/** A cell can't hold a total beyond the safe integers: it stays empty rather than wrong. */
export function exactCell(total: Exact): number | null {
  return typeof total === 'number' ? total : null
}
