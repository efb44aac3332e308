import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { Packr } from 'msgpackr'
import type { Cell, ColumnList } from './cells.ts'
import type { StoreSnapshot } from './snapshot.ts'

/**
 * What a build's rows come to, the same for every store that holds the same rows:
 *
 * - A row is the MessagePack array `[key, part, cell, …]`, cells in the order of their columns' names as `cells.ts` keeps
 *   them (booleans 0 and 1); a `json` cell is its JSON with every object's names sorted. Its hash is SHA-256 of that.
 * - A row's bucket is FNV-1a (32 bits, over the key's UTF-16 units, low byte first) modulo 4,096. A bucket is the sum of its
 *   rows' hashes, read as big-endian numbers, modulo 2^256 (AdHash: Bellare and Micciancio, 1997): no order matters, and
 *   nothing has to be sorted.
 * - The digest is SHA-256 over the MessagePack array `['headwater rows 1', columns, count of rows]`, columns being `[name,
 *   type]` by name, and the 4,096 buckets.
 *
 * It tells accidents and defects apart from equality, and shows where two builds differ. It isn't made against somebody who
 * chooses rows to collide: sums of hashes give such a person more room than a tree does.
 */
export interface BuildDigest {
  /** 64 hexadecimal digits. */
  readonly digest: string
  readonly rows: number
  /** 32 bytes a bucket. */
  readonly buckets: Uint8Array
}

export const BUCKETS = 4_096
const HASH_BYTES = 32
const WORDS = HASH_BYTES / 4

const packr = new Packr({ useRecords: false })

export function bucketOf(key: string): number {
  let state = 0x811c9dc5
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i)
    state = Math.imul(state ^ (unit & 0xff), 0x01000193)
    state = Math.imul(state ^ (unit >> 8), 0x01000193)
  }
  return (state >>> 0) % BUCKETS
}

/** Rows of one build, added one by one in any order. */
export class DigestBuilder {
  readonly #columns: ColumnList
  /** Places of the columns in a row's cells, by name. */
  readonly #places: readonly number[]
  readonly #isJson: readonly boolean[]
  readonly #sums = new Uint32Array(BUCKETS * WORDS)
  #rows = 0

  /** `columns`: in the order in which rows have their cells. */
  constructor(columns: ColumnList) {
    const placed = columns.map((column, place) => ({ column, place }))
    placed.sort((a, b) => (a.column[0] < b.column[0] ? -1 : 1))
    this.#places = placed.map(({ place }) => place)
    this.#columns = placed.map(({ column }) => column)
    this.#isJson = this.#columns.map(([, type]) => type === 'json')
  }

  add(key: string, part: string, cells: readonly Cell[]): void {
    assert(cells.length === this.#places.length, 'a row has a cell for each column')
    const row: Cell[] = [key, part]
    for (let i = 0; i < this.#places.length; i++) {
      const cell = cells[this.#places[i] ?? 0] ?? null
      row.push(this.#isJson[i] === true && typeof cell === 'string' ? canonicalJson(cell) : cell)
    }
    this.#addTo(bucketOf(key), hash('sha256', packr.pack(row), 'buffer'))
    this.#rows += 1
  }

  digest(): BuildDigest {
    const buckets = new Uint8Array(BUCKETS * HASH_BYTES)
    const view = new DataView(buckets.buffer)
    for (let i = 0; i < this.#sums.length; i++) view.setUint32(i * 4, this.#sums[i] ?? 0)
    const head = packr.pack(['headwater rows 1', this.#columns.map(([...column]) => column), this.#rows])
    const digest = hash('sha256', Buffer.concat([head, buckets]), 'hex')
    return { digest, rows: this.#rows, buckets }
  }

  #addTo(bucket: number, hashed: Buffer): void {
    let carry = 0
    for (let word = WORDS - 1; word >= 0; word--) {
      const at = bucket * WORDS + word
      const sum = (this.#sums[at] ?? 0) + hashed.readUInt32BE(word * 4) + carry
      this.#sums[at] = sum >>> 0
      carry = sum > 0xffffffff ? 1 : 0
    }
  }
}

/** Rows that are read in one step. */
const STEP_ROWS = 500

/** Reads every row of the build. */
export function digestOf(snapshot: StoreSnapshot, build: string): BuildDigest {
  const steps = digestInSteps(snapshot, build)
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value
}

/** The same for a thread that has other things to do between the steps. */
export function* digestInSteps(snapshot: StoreSnapshot, build: string): Generator<void, BuildDigest> {
  const builder = new DigestBuilder(snapshot.columns(build))
  let rows = 0
  for (const { key, part, cells } of snapshot.rows(build)) {
    builder.add(key, part, cells)
    rows += 1
    if (rows % STEP_ROWS === 0) yield
  }
  return builder.digest()
}

/** Buckets in which two builds don't hold the same rows. */
export function differingBuckets(a: BuildDigest, b: BuildDigest): readonly number[] {
  const differing: number[] = []
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const at = bucket * HASH_BYTES
    const [left, right] = [a, b].map(({ buckets }) => Buffer.from(buckets.buffer, at, HASH_BYTES))
    if (left === undefined || right === undefined || !left.equals(right)) differing.push(bucket)
  }
  return differing
}

/** The same text for equal JSON. */
export function canonicalJson(text: string): string {
  return JSON.stringify(sorted(JSON.parse(text)))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, member]) => [name, sorted(member)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
