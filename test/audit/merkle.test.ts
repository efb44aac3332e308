// Theorem: for trees of every size up to 300, roots, inclusion and consistency paths are those of RFC 6962's recursive
// definition, and the verifier accepts each of them and none of another place or tree; larger trees, whose tiles fill
// and fold, agree as well. Known vectors are those of certificate-transparency's own tests.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ENTRY_BYTES, TILE_WIDTH } from '../../engine/audit/format.ts'
import { Frontier, type TileSink } from '../../engine/audit/frontier.ts'
import { consistencyPath, EMPTY_ROOT, inclusionPath, type NodeAt, rootOf } from '../../engine/audit/merkle.ts'
import { TileTree } from '../../engine/audit/tile-tree.ts'
import {
  leafHash,
  rootOfInclusion,
  VerificationFailed,
  verifyConsistency,
} from '../../engine/audit/verify.ts'
import { naivePath, naiveProof, naiveRoot } from './naive.ts'

const ENTRY = Buffer.alloc(ENTRY_BYTES)

/** A tree whose tiles stay in memory. */
function grown(leaves: readonly Uint8Array[]): { frontier: Frontier; nodeAt: NodeAt } {
  const tiles = new Map<string, TileTree>()
  const sink: TileSink = {
    onTile: (level, index, tree) => tiles.set(`${level}/${index}`, tree),
    onBundle: () => {},
  }
  const frontier = new Frontier(sink)
  for (const leaf of leaves) frontier.add(ENTRY, leafHash(leaf))
  const partials = Array.from({ length: frontier.levels }, (_, level) => {
    const hashes = frontier.partial(level)
    return hashes.length === 0 ? undefined : new TileTree(hashes)
  })
  const nodeAt: NodeAt = (height, index) => {
    const level = Math.floor(height / 8)
    const within = height % 8
    const span = TILE_WIDTH / 2 ** within
    const tile = Math.floor(index / span)
    const tree = tiles.get(`${level}/${tile}`) ?? partials[level]
    if (tree === undefined) throw new Error('no such tile')
    return tree.node(within, index - tile * span)
  }
  return { frontier, nodeAt }
}

const someLeaves = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) => Buffer.from(`leaf ${i}`))
const head = (size: number, root: Uint8Array) => ({ origin: 'test', size, root })
const hex = (path: readonly Uint8Array[]): string[] => path.map((hash) => Buffer.from(hash).toString('hex'))

describe('the known vectors', () => {
  const LEAVES = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ]
  const ROOTS = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ]
  const leaves = LEAVES.map((leaf) => Buffer.from(leaf, 'hex'))

  test('roots', () => {
    expect(EMPTY_ROOT.toString('hex')).toBe(ROOTS[0])
    for (let size = 0; size <= 8; size++)
      expect(hex([grown(leaves.slice(0, size)).frontier.root()])).toEqual([ROOTS[size]])
  })

  test('paths', () => {
    const { nodeAt } = grown(leaves)
    expect(hex(inclusionPath(nodeAt, 0, 8))).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ])
    expect(hex(consistencyPath(nodeAt, 6, 8))).toEqual([
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ])
  })
})

/** Every pair of sizes takes long: small trees are tried with all, larger ones with some, a long run with all. */
const stepFor = (size: number): number => (size <= 70 || process.env['HEADWATER_TEST_LONG'] ? 1 : 7)

test('roots of every size up to 300', () => {
  const leaves = someLeaves(300)
  const frontier = new Frontier()
  for (const [i, leaf] of leaves.entries()) {
    frontier.add(ENTRY, leafHash(leaf))
    expect(Buffer.compare(frontier.root(), naiveRoot(leaves.slice(0, i + 1)))).toBe(0)
  }
})

test('inclusion at every size up to 300, against the definition at some and the verifier at all', () => {
  const leaves = someLeaves(300)
  const { nodeAt } = grown(leaves)
  for (let size = 1; size <= 300; size++) {
    const root = rootOf(nodeAt, size)
    for (let m = 0; m < size; m += stepFor(size)) {
      const path = inclusionPath(nodeAt, m, size)
      expect(Buffer.compare(rootOfInclusion(nodeAt(0, m), m, size, path), root)).toBe(0)
    }
    const m = (size * 7) % size || size >> 1
    expect(hex(inclusionPath(nodeAt, m, size))).toEqual(hex(naivePath(m, leaves.slice(0, size))))
  }
})

test('consistency from and to every size up to 300, against the definition at some and the verifier at all', () => {
  const leaves = someLeaves(300)
  const { nodeAt } = grown(leaves)
  const roots = Array.from({ length: 301 }, (_, size) => rootOf(nodeAt, size))
  const rootAt = (size: number): Uint8Array => roots[size] ?? EMPTY_ROOT
  for (let to = 1; to <= 300; to++) {
    for (let from = 1 + (to % stepFor(to)); from <= to; from += stepFor(to)) {
      const path = consistencyPath(nodeAt, from, to)
      verifyConsistency(head(from, rootAt(from)), head(to, rootAt(to)), path)
    }
    const from = 1 + ((to * 13) % to)
    expect(hex(consistencyPath(nodeAt, from, to))).toEqual(hex(naiveProof(from, leaves.slice(0, to))))
  }
})

test('a tree of three levels of tiles: paths lead to its root', () => {
  const size = TILE_WIDTH * TILE_WIDTH + 3 * TILE_WIDTH + 5
  const { frontier, nodeAt } = grown(someLeaves(size))
  const root = frontier.root()
  for (const m of [0, 1, 255, 256, 65_535, 65_536, 65_800, size - 1])
    expect(Buffer.compare(rootOfInclusion(nodeAt(0, m), m, size, inclusionPath(nodeAt, m, size)), root)).toBe(
      0,
    )
  for (const from of [1, 255, 256, 257, 65_535, 65_536, 65_537, 66_048, size - 1, size])
    verifyConsistency(head(from, rootOf(nodeAt, from)), head(size, root), consistencyPath(nodeAt, from, size))
})

test('a path verifies for its own leaf, size and root only', () => {
  const leaves = someLeaves(70)
  const { nodeAt } = grown(leaves)
  const place = fc
    .integer({ min: 2, max: 70 })
    .chain((size) => fc.record({ size: fc.constant(size), m: fc.nat(size - 1), other: fc.nat(size - 1) }))
  const isAccepted = (m: number, size: number, leaf: number, path: readonly Uint8Array[]): boolean => {
    try {
      const root = rootOfInclusion(nodeAt(0, leaf), m, size, path)
      return Buffer.compare(root, rootOf(nodeAt, size)) === 0
    } catch (error) {
      if (error instanceof VerificationFailed) return false
      throw error
    }
  }
  fc.assert(
    fc.property(place, fc.nat(), fc.nat(255), ({ size, m, other }, at, bit) => {
      const path = inclusionPath(nodeAt, m, size)
      expect(isAccepted(m, size, m, path)).toBe(true)
      if (other !== m) {
        expect(isAccepted(other, size, m, path)).toBe(false)
        expect(isAccepted(m, size, other, path)).toBe(false)
      }
      const changed = path.map((hash) => Buffer.from(hash))
      const hash = changed[at % changed.length] ?? Buffer.alloc(32)
      hash[bit >> 3] = (hash[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(isAccepted(m, size, m, changed)).toBe(false)
      expect(isAccepted(m, size, m, path.slice(1))).toBe(false)
      expect(isAccepted(m, size, m, [...path, Buffer.alloc(32)])).toBe(false)
    }),
    { numRuns: 150 },
  )
})

test('consistency fails with another root, another size, another path, and from nothing', () => {
  const { nodeAt } = grown(someLeaves(40))
  const of = (size: number) => head(size, rootOf(nodeAt, size))
  const path = consistencyPath(nodeAt, 13, 40)
  const refused = (work: () => void) => expect(work).toThrow(VerificationFailed)
  refused(() => verifyConsistency({ ...of(13), root: rootOf(nodeAt, 12) }, of(40), path))
  refused(() => verifyConsistency(of(13), { ...of(40), root: rootOf(nodeAt, 39) }, path))
  refused(() => verifyConsistency({ ...of(13), size: 14 }, of(40), path))
  refused(() => verifyConsistency(of(40), of(13), path))
  refused(() => verifyConsistency(of(13), of(40), path.slice(1)))
  refused(() => verifyConsistency(of(13), of(40), [...path, Buffer.alloc(32)]))
  refused(() => verifyConsistency(of(0), of(40), []))
  refused(() => verifyConsistency(of(13), { ...of(13), root: rootOf(nodeAt, 12) }, []))
  for (let at = 0; at < path.length; at++)
    refused(() => verifyConsistency(of(13), of(40), path.with(at, Buffer.alloc(32))))
})
