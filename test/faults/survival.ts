/** A change of a file that the page cache holds and the platter doesn't yet. */
export type Change =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'size'; readonly sizeBytes: number }

/** What a power cut leaves of the unsynced changes. Plain data, so that it can be kept in a file. */
export type Survival =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'everything' }
  /** Everything, but of each file's last write only so many bytes. */
  | { readonly kind: 'torn'; readonly bytes: number }
  /** Any of them, in any order, torn anywhere. */
  | { readonly kind: 'random'; readonly seed: number }

/** A power cut's choices. */
export interface Survivor {
  /** Which of a name's `count` later meanings is left; 0: the one that was synced. */
  version(count: number): number
  /** The changes that are left, as they were left, in their order. */
  changes(pending: readonly Change[]): readonly Change[]
}

const SECTOR_BYTES = 512

export function survivor(survival: Survival): Survivor {
  switch (survival.kind) {
    case 'nothing':
      return { version: () => 0, changes: () => [] }
    case 'everything':
      return { version: (count) => count, changes: (pending) => pending }
    case 'torn':
      return {
        version: (count) => count,
        changes: (pending) =>
          pending.map((change, i) => (i === pending.length - 1 ? cut(change, survival.bytes) : change)),
      }
    case 'random':
      return randomSurvivor(generator(survival.seed))
  }
}

function randomSurvivor(below: (limit: number) => number): Survivor {
  // Some power cuts lose nearly everything, some nearly nothing.
  const keptOfTen = below(11)
  return {
    version: (count) => below(count + 1),
    changes: (pending) => {
      const left = pending.filter(() => below(10) < keptOfTen).flatMap((change) => damaged(change, below))
      return below(3) === 0 ? shuffled(left, below) : left
    },
  }
}

function damaged(change: Change, below: (limit: number) => number): readonly Change[] {
  if (change.kind === 'size') return [change]
  const { offset, bytes } = change
  switch (below(8)) {
    case 0:
      return [cut(change, below(bytes.length + 1))]
    case 1:
      return sectors(change).filter(() => below(2) === 0)
    // The file has grown, and what was to be in it hasn't come.
    case 2:
      return [{ kind: 'write', offset: offset + bytes.length, bytes: Buffer.alloc(0) }]
    default:
      return [change]
  }
}

function cut(change: Change, sizeBytes: number): Change {
  return change.kind === 'size' ? change : { ...change, bytes: change.bytes.subarray(0, sizeBytes) }
}

/** The parts of a write that lie in different sectors. */
function sectors({ offset, bytes }: Extract<Change, { readonly kind: 'write' }>): Change[] {
  const parts: Change[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES)
    parts.push({ kind: 'write', offset: offset + at, bytes: bytes.subarray(at, end) })
    at = end
  }
  return parts
}

function shuffled<T>(items: readonly T[], below: (limit: number) => number): T[] {
  const mixed = [...items]
  for (let i = mixed.length - 1; i > 0; i--) {
    const other = below(i + 1)
    const [a, b] = [mixed[i], mixed[other]]
    if (a !== undefined && b !== undefined) [mixed[i], mixed[other]] = [b, a]
  }
  return mixed
}

/** Content after a change. A write behind the end leaves zeros before it. */
export function applied(content: Buffer, change: Change): Buffer {
  const end = change.kind === 'size' ? change.sizeBytes : change.offset + change.bytes.length
  const grown = Buffer.alloc(change.kind === 'size' ? end : Math.max(end, content.length))
  content.copy(grown)
  if (change.kind === 'write') change.bytes.copy(grown, change.offset)
  return grown
}

export function kept(platter: Buffer, pending: readonly Change[], choose: Survivor): Buffer {
  return choose.changes(pending).reduce(applied, platter)
}

/** Numbers below a limit, the same for the same seed (mulberry32, public domain). */
export function generator(seed: number): (limit: number) => number {
  let state = seed | 0
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}
