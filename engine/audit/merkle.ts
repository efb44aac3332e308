import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { nodeHash } from './verify.ts'

/** The hash of the complete subtree of 2^height leaves, `index` in units of that. */
export type NodeAt = (height: number, index: number) => Uint8Array

/** The root of the empty tree: SHA-256 of nothing (RFC 6962, 2.1). */
export const EMPTY_ROOT: Buffer = hash('sha256', '', 'buffer')

/** The largest power of two smaller than `count`: where RFC 6962 splits a tree of `count` leaves, at least 2. */
function splitOf(count: number): number {
  let split = 1
  while (split * 2 < count) split *= 2
  return split
}

/** The Merkle tree hash of the leaves [from, until); `from` is where RFC 6962's splitting puts it. */
function rangeHash(nodeAt: NodeAt, from: number, until: number): Uint8Array {
  const count = until - from
  assert.ok(count > 0)
  const height = Math.log2(count)
  if (Number.isInteger(height)) return nodeAt(height, from / count)
  const middle = from + splitOf(count)
  return nodeHash(rangeHash(nodeAt, from, middle), rangeHash(nodeAt, middle, until))
}

/** MTH(D[0:size]). */
export function rootOf(nodeAt: NodeAt, size: number): Uint8Array {
  return size === 0 ? EMPTY_ROOT : rangeHash(nodeAt, 0, size)
}

/** PATH(leafIndex, D[0:size]) of RFC 6962, 2.1.1. */
export function inclusionPath(nodeAt: NodeAt, leafIndex: number, size: number): readonly Uint8Array[] {
  assert.ok(leafIndex >= 0 && leafIndex < size)
  const path: Uint8Array[] = []
  let [from, until] = [0, size]
  while (until - from > 1) {
    const middle = from + splitOf(until - from)
    if (leafIndex < middle) {
      path.push(rangeHash(nodeAt, middle, until))
      until = middle
    } else {
      path.push(rangeHash(nodeAt, from, middle))
      from = middle
    }
  }
  return path.reverse()
}

/** PROOF(first, D[0:size]) of RFC 6962, 2.1.2; 0 < first ≤ size. */
export function consistencyPath(nodeAt: NodeAt, first: number, size: number): readonly Uint8Array[] {
  assert.ok(first > 0 && first <= size)
  const path: Uint8Array[] = []
  let [from, until] = [0, size]
  // The verifier knows the root of the smaller tree: it isn't sent while that is a subtree of its own.
  let known = true
  while (first < until) {
    const middle = from + splitOf(until - from)
    if (first <= middle) {
      path.push(rangeHash(nodeAt, middle, until))
      until = middle
    } else {
      path.push(rangeHash(nodeAt, from, middle))
      from = middle
      known = false
    }
  }
  if (!known) path.push(rangeHash(nodeAt, from, until))
  return path.reverse()
}
