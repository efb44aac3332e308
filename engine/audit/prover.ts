import { LogDamaged } from '../log/log.ts'
import { AuditUnavailable, type InclusionProof, type SignedTreeHead } from './audit.ts'
import { entryPosition } from './entries.ts'
import { CHECKPOINT_NAME, levelCount, parseTilePath, TILE_WIDTH } from './format.ts'
import { type AuditLog, LogDiffers } from './log-source.ts'
import { consistencyPath, inclusionPath } from './merkle.ts'
import type { StoredTree } from './stored-tree.ts'
import { entryOf, leafHash, rootOfInclusion } from './verify.ts'

export interface Proving {
  readonly log: AuditLog
  readonly tree: StoredTree
  /** The last signed head, once the tree reproduces it. */
  readonly head: () => SignedTreeHead | undefined
  /** Resolves when a head covers the position, or none will for now. */
  readonly covering: (position: number) => Promise<void>
  readonly onDifference: (difference: LogDiffers) => void
}

/** Answers about the signed tree; the methods are those of `AuditThread`. */
export interface Prover {
  proveInclusion(position: number, size?: number): Promise<InclusionProof | undefined>
  proveConsistency(fromSize: number, toSize?: number): readonly Uint8Array[]
  tile(path: string): Uint8Array | undefined
}

export function proverOf(proving: Proving): Prover {
  return {
    async proveInclusion(position, size) {
      if (size === undefined) await proving.covering(position)
      return told(proving, () => inclusion(proving, position, size))
    },
    proveConsistency: (fromSize, toSize) => told(proving, () => consistency(proving, fromSize, toSize)),
    tile: (path) => told(proving, () => tileAt(proving, path)),
  }
}

/** Whoever asks hears what is wrong with the log, and so does the auditor. */
function told<T>({ onDifference }: Proving, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof LogDamaged) throw new AuditUnavailable('changed', error.message)
    if (!(error instanceof LogDiffers)) throw error
    onDifference(error)
    throw new AuditUnavailable('changed', error.message)
  }
}

function headOf({ head }: Proving): SignedTreeHead {
  return head() ?? unavailable('not_signed', 'no tree head is signed yet')
}

function unavailable(code: AuditUnavailable['code'], message: string): never {
  throw new AuditUnavailable(code, message)
}

function inclusion(
  proving: Proving,
  position: number,
  asked: number | undefined,
): InclusionProof | undefined {
  const { log, tree, head } = proving
  const event = log.storedAt(position)
  if (head() === undefined && event === undefined) return undefined
  const treeHead = headOf(proving)
  const size = asked ?? treeHead.size
  if (size > treeHead.size || size < 1)
    unavailable('size', `no tree of ${size} events is signed; the latest has ${treeHead.size}`)
  if (event === undefined) return missing(tree, position, treeHead)
  if (position > treeHead.position) unavailable('not_signed', `no tree head covers position ${position} yet`)
  const entry = entryOf(position, event)
  const leaf = leafHash(entry)
  const leafIndex = placeOf(tree, position, leaf, treeHead)
  if (leafIndex >= size)
    unavailable('size', `the event is number ${leafIndex + 1}: a tree of ${size} doesn't hold it`)
  const path = inclusionPath(tree.nodeAt, leafIndex, size)
  if (
    size === treeHead.size &&
    Buffer.compare(rootOfInclusion(leaf, leafIndex, size, path), treeHead.root) !== 0
  )
    throw new LogDiffers(undefined, 'the stored tree no longer gives the signed root')
  return { position, leafIndex, entry, event, path, size, treeHead }
}

/** The number of the event whose leaf hash this is. */
function placeOf(tree: StoredTree, position: number, leaf: Buffer, { size }: SignedTreeHead): number {
  // Where positions have no gaps before it; the hash tells, since the position is part of it.
  if (position <= size && leaf.equals(tree.nodeAt(0, position - 1))) return position - 1
  const leafIndex = tree.leafFrom(position)
  if (leafIndex < size && leaf.equals(tree.nodeAt(0, leafIndex))) return leafIndex
  throw new LogDiffers(position, `the event at position ${position} is not the one that was signed`)
}

/** Nothing at that position: a gap, or an event that was taken out. */
function missing(tree: StoredTree, position: number, head: SignedTreeHead): undefined {
  if (position < 1 || position > head.position) return undefined
  const leafIndex = tree.leafFrom(position)
  const entry = leafIndex < tree.size ? tree.entries(leafIndex)[leafIndex % TILE_WIDTH] : undefined
  if (entry !== undefined && entryPosition(entry) === position)
    throw new LogDiffers(position, `the event at position ${position} is missing`)
  return undefined
}

function consistency(proving: Proving, from: number, asked: number | undefined): readonly Uint8Array[] {
  const { size } = headOf(proving)
  const to = asked ?? size
  if (to > size) unavailable('size', `no tree of ${to} events is signed; the latest has ${size}`)
  if (from < 1 || from > to) unavailable('size', `from 1 to ${to} events can be compared with ${to}`)
  return consistencyPath(proving.tree.nodeAt, from, to)
}

function tileAt({ tree, head }: Proving, path: string): Uint8Array | undefined {
  const signed = head()
  if (signed === undefined) return undefined
  if (path === CHECKPOINT_NAME) return Buffer.from(signed.note)
  const id = parseTilePath(path)
  if (id === undefined) return undefined
  const level = id.level === 'entries' ? 0 : id.level
  // Every partial tile that a head ever needed is the beginning of what is there now.
  if (id.index * TILE_WIDTH + id.width > levelCount(level, signed.size)) return undefined
  if (id.level === 'entries') return tree.bundleBytes(id.index, id.width)
  return Buffer.from(tree.tile(level, id.index).hashes(id.width))
}
