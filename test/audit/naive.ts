import { createHash } from 'node:crypto'

/** RFC 6962, section 2.1, word for word; shares nothing with the engine. */

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const ZERO = Buffer.from([0])
const ONE = Buffer.from([1])

function largestPowerOfTwoBelow(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

/** MTH(D[n]) */
export function naiveRoot(leaves: readonly Uint8Array[]): Buffer {
  const [first] = leaves
  if (first === undefined) return sha256()
  if (leaves.length === 1) return sha256(ZERO, first)
  const k = largestPowerOfTwoBelow(leaves.length)
  return sha256(ONE, naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)))
}

/** PATH(m, D[n]) */
export function naivePath(m: number, leaves: readonly Uint8Array[]): Buffer[] {
  const n = leaves.length
  if (n <= 1) return []
  const k = largestPowerOfTwoBelow(n)
  return m < k
    ? [...naivePath(m, leaves.slice(0, k)), naiveRoot(leaves.slice(k))]
    : [...naivePath(m - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))]
}

/** PROOF(m, D[n]) */
export function naiveProof(m: number, leaves: readonly Uint8Array[]): Buffer[] {
  return subproof(m, leaves, true)
}

function subproof(m: number, leaves: readonly Uint8Array[], known: boolean): Buffer[] {
  const n = leaves.length
  if (m === n) return known ? [] : [naiveRoot(leaves)]
  const k = largestPowerOfTwoBelow(n)
  return m <= k
    ? [...subproof(m, leaves.slice(0, k), known), naiveRoot(leaves.slice(k))]
    : [...subproof(m - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))]
}
