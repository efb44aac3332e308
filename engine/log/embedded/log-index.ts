import { randomBytes } from 'node:crypto'
import type { IdentityId } from '../../events/identity.ts'
import { halfSipHash } from '../../keyed-hash.ts'
import type { Appended } from '../log.ts'
import type { Block } from './block-decoder.ts'
import { PostingLists } from './posting-lists.ts'

/**
 * Which positions belong to a stream or an identity. Built from the columns of the durable blocks, in order; always
 * rebuildable.
 */
export interface LogIndex {
  /** The next durable block. */
  add(block: IndexedBlock): void
  /** A number that stands for the stream as long as the index lives; undefined for an unknown one. */
  slot(stream: string): number | undefined
  /** The same; makes an unknown stream known, without events. */
  makeSlot(stream: string): number
  /** Last revision and position of a stream; undefined if none of its events is durable. */
  head(slot: number): Appended | undefined
  /** Oldest first. */
  streamPositions(stream: string): readonly number[]
  /** Oldest first; of events that name this identity, leading or not, each once. */
  identityPositions(id: IdentityId): readonly number[]
  /** Memory that it takes. */
  sizeBytes(): number
}

/** What the index reads of a block. `slotAt`: the stream's, where it is known already. */
export interface IndexedBlock
  extends Pick<Block, 'first' | 'count' | 'streamAt' | 'revisionAt' | 'identitiesAt'> {
  slotAt?(index: number): number
}

/**
 * Held in memory, built anew at every start. Of an event of a known stream and known identities it keeps 4 bytes for each
 * of them; a new stream takes its name and 63 bytes more, a new identity 79. That makes 9 bytes an event, and 21 where one
 * event in eight begins a stream and one in twenty-three brings somebody new. The duplicate check takes 9 to 11 more.
 */
export function createMemoryIndex(): LogIndex {
  // Senders choose names of streams: under a random key they can't make them collide.
  const keyed = halfSipHash(randomBytes(8))
  /** Notes are revisions. */
  const streams = new PostingLists((name, out) => keyed('', name, out))
  const identities = new PostingLists(idHash)
  return {
    add: (block) => {
      for (let i = 0; i < block.count; i++) {
        const position = block.first + i
        const slot = block.slotAt?.(i) ?? streams.makeSlot(block.streamAt(i))
        streams.add(slot, position, block.revisionAt(i))
        for (const { id } of block.identitiesAt(i)) identities.add(identities.makeSlot(id), position, 0)
      }
    },
    slot: (stream) => streams.slot(stream),
    makeSlot: (stream) => streams.makeSlot(stream),
    head: (slot) => {
      const position = streams.newest(slot)
      return position === 0 ? undefined : { position, revision: streams.note(slot) }
    },
    streamPositions: (stream) => streams.list(stream),
    identityPositions: (id) => identities.list(id),
    sizeBytes: () => streams.sizeBytes + identities.sizeBytes,
  }
}

/** Ids are random already: their first sixteen digits are as good as any hash of them. */
function idHash(id: IdentityId, out: Uint32Array): void {
  out[0] = digits(id, 0)
  out[1] = digits(id, 8)
}

/** Eight hexadecimal digits from `start` on. */
function digits(id: string, start: number): number {
  let value = 0
  for (let i = start; i < start + 8; i++) {
    const unit = id.charCodeAt(i)
    value = (value << 4) | ((unit & 0xf) + (unit >> 6) * 9)
  }
  return value
}
