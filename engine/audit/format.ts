import assert from 'node:assert/strict'

/** Constants and paths of the audit directory. FORMAT.md beside this file says what they mean. */

export const HASH_BYTES = 32
/** position (8 bytes, big-endian) ‖ SHA-256 of the event's stored bytes. */
export const ENTRY_BYTES = 8 + HASH_BYTES
/** Hashes in a full tile, entries in a full bundle (https://c2sp.org/tlog-tiles: height 8). */
export const TILE_HEIGHT = 8
export const TILE_WIDTH = 2 ** TILE_HEIGHT
export const TILE_BYTES = TILE_WIDTH * HASH_BYTES
/** An entry in a bundle: a big-endian uint16, its length, before it. */
export const BUNDLED_BYTES = 2 + ENTRY_BYTES

export const CHECKPOINT_NAME = 'checkpoint'
export const KEY_NAME = 'signing.key'
/** The first tree head of each day (UTC), by its date. */
export const HEADS_DIRECTORY = 'heads'
export const TILE_DIRECTORY = 'tile'
/** The tree while it is made anew; of no meaning to anybody else. */
export const REBUILT_DIRECTORY = 'rebuilding'
/** Behind a name: not finished. */
export const UNFINISHED_SUFFIX = '.new'

/** What a call says when the disk, the quota or the size limit is reached. */
export const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Levels that sizes up to 2^53 need. */
export const MAX_LEVELS = Math.ceil(53 / TILE_HEIGHT)

/** `entries`: the bundles of the tiles at level 0. */
export type TileLevel = number | 'entries'

export interface TileId {
  readonly level: TileLevel
  readonly index: number
  /** 1 to 256; 256: full. */
  readonly width: number
}

/** `tile/0/x001/x234/067`, `tile/entries/000.p/12`. */
export function tilePath({ level, index, width }: TileId): string {
  const partial = width === TILE_WIDTH ? '' : `.p/${width}`
  return `${TILE_DIRECTORY}/${level}/${indexPath(index)}${partial}`
}

function indexPath(index: number): string {
  assert.ok(Number.isSafeInteger(index) && index >= 0)
  const digits = String(index)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const parts = padded.match(/\d{3}/g) ?? []
  return parts.map((part, at) => (at < parts.length - 1 ? `x${part}` : part)).join('/')
}

const TILE_PATH = /^tile\/(entries|\d|[1-5]\d|6[0-3])\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/

/** Undefined for whatever isn't written exactly as `tilePath` would. */
export function parseTilePath(path: string): TileId | undefined {
  const [, level = '', digits = '', width] = TILE_PATH.exec(path) ?? []
  if (level === '') return undefined
  const index = Number(digits.replaceAll(/\D/g, ''))
  const tile: TileId = {
    level: level === 'entries' ? level : Number(level),
    index,
    width: width === undefined ? TILE_WIDTH : Number(width),
  }
  const sound = Number.isSafeInteger(index) && tile.width <= TILE_WIDTH
  return sound && tilePath(tile) === path ? tile : undefined
}

/** Hashes that the whole level holds in a tree of `size` leaves: its full tiles' and the partial one's. */
export function levelCount(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level)
}

/** The partial tiles of a tree of `size` leaves, the bundle first. */
export function partialTiles(size: number): readonly TileId[] {
  const tiles: TileId[] = []
  const width = size % TILE_WIDTH
  if (width > 0) tiles.push({ level: 'entries', index: Math.floor(size / TILE_WIDTH), width })
  for (let level = 0; levelCount(level, size) > 0; level++) {
    const count = levelCount(level, size)
    if (count % TILE_WIDTH > 0)
      tiles.push({ level, index: Math.floor(count / TILE_WIDTH), width: count % TILE_WIDTH })
  }
  return tiles
}

assert.equal(2 + ENTRY_BYTES, BUNDLED_BYTES)
assert.ok(ENTRY_BYTES < 2 ** 16, 'an entry fits its length')
assert.ok(TILE_WIDTH ** MAX_LEVELS > Number.MAX_SAFE_INTEGER)
