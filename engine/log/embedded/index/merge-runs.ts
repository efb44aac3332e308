import { join } from 'node:path'
import type { Files } from '../files.ts'
import { type Cover, writeCovers } from './cover.ts'
import type { Section } from './index-file.ts'
import { IndexFileWriter } from './index-file-writer.ts'
import { HEAD_RECORD, ID_RECORD, INDEX_DIRECTORY, KIND, PAGE_PAYLOAD } from './index-format.ts'
import { idValue, type KeyRun, keyRunName } from './key-run.ts'
import { HEAD_TABLE, idTable, NARROW_LIMIT, type SegmentFilters } from './segment-index-builder.ts'
import { TableWriter } from './table-writer.ts'

/** After so many records the thread looks whether there is something more urgent. */
const STEP_RECORDS = 20_000

export interface Merged extends Pick<SegmentFilters, 'ids' | 'heads'> {
  readonly name: string
}

/** One run being read from its smallest key on. */
class Cursor {
  readonly run: KeyRun
  readonly section: Section
  word0 = 0
  word1 = 0
  page: Buffer = Buffer.alloc(0)
  at = 0
  done = false
  readonly #pages: Generator<Buffer>
  readonly #perPage: number
  /** Records behind this one, and those of them in its page. */
  #left: number
  #inPage = 0

  constructor(run: KeyRun, table: 'ids' | 'heads') {
    const { section, pages } = run.pages(table)
    this.run = run
    this.section = section
    this.#pages = pages
    this.#perPage = Math.floor(PAGE_PAYLOAD / Math.max(1, section.recordBytes))
    this.#left = section.count
    this.next()
  }

  next(): void {
    if (this.#left === 0) {
      this.done = true
      return
    }
    if (this.#inPage > 0) {
      this.at += this.section.recordBytes
      this.#inPage -= 1
    } else {
      this.page = this.#pages.next().value
      this.at = 0
      this.#inPage = this.#perPage - 1
    }
    this.#left -= 1
    this.word0 = this.page.readUInt32LE(this.at)
    this.word1 = this.page.readUInt32LE(this.at + 4)
  }

  word(index: number): number {
    return this.page.readUInt32LE(this.at + index * 4)
  }
}

/**
 * Merges neighbouring runs, oldest first, into one, step by step; that one is durable when the last step is done. Throws
 * `IndexDamaged` and the system's errors; nothing is left of it then, or when it isn't run to its end.
 */
export function* mergeRuns(
  files: Files,
  logDirectory: string,
  runs: readonly KeyRun[],
  keyCheck: Uint8Array,
): Generator<undefined, Merged> {
  const covers = runs.flatMap((run) => run.covers)
  const first = covers[0]?.first ?? 0
  const name = keyRunName(first, covers.at(-1)?.last ?? 0)
  const level = Math.max(...runs.map((run) => run.level)) + 1
  const path = join(logDirectory, INDEX_DIRECTORY, name)
  const file = new IndexFileWriter(files, path, { kind: KIND.KEYS, level, keyCheck })
  try {
    writeCovers(file, covers)
    const ids = yield* mergeIds(file, runs, covers)
    const heads = yield* mergeHeads(file, runs)
    file.finish()
    return { name, ids, heads }
  } finally {
    file.discard()
  }
}

function* mergeIds(
  file: IndexFileWriter,
  runs: readonly KeyRun[],
  covers: readonly Cover[],
): Generator<undefined, Uint32Array<ArrayBuffer>> {
  const first = covers[0]?.first ?? 0
  const span = (covers.at(-1)?.last ?? 0) - first
  const narrow = span < NARROW_LIMIT
  const cursors = runs.map((run) => new Cursor(run, 'ids'))
  const table = new TableWriter(file, idTable(span), total(cursors))
  for (let records = 1; ; records++) {
    const least = leastOf(cursors, false)
    if (least === undefined) return table.finish()
    const value = least.run.first + idValue(least.section, least.page, least.at) - first
    const at = table.add(least.word0, least.word1, 0, 0)
    if (narrow) file.view.setUint32(at + ID_RECORD.VALUE, value, true)
    else file.view.setFloat64(at + ID_RECORD.VALUE, value, true)
    least.next()
    if (records % STEP_RECORDS === 0) yield
  }
}

function* mergeHeads(
  file: IndexFileWriter,
  runs: readonly KeyRun[],
): Generator<undefined, Uint32Array<ArrayBuffer>> {
  // The newest run first: of equal keys the first one counts.
  const cursors = runs.map((run) => new Cursor(run, 'heads')).reverse()
  const table = new TableWriter(file, HEAD_TABLE, total(cursors))
  for (let records = 1; ; records++) {
    const least = leastOf(cursors, true)
    if (least === undefined) return table.finish()
    const { word0, word1, page, at: from } = least
    const [word2, word3] = [least.word(2), least.word(3)]
    const at = table.add(word0, word1, word2, word3)
    file.bytes.set(
      page.subarray(from + HEAD_RECORD.POSITION, from + HEAD_RECORD.BYTES),
      at + HEAD_RECORD.POSITION,
    )
    for (const cursor of cursors) {
      if (cursor.done || cursor.word0 !== word0 || cursor.word1 !== word1) continue
      if (cursor.word(2) === word2 && cursor.word(3) === word3) cursor.next()
    }
    if (records % STEP_RECORDS === 0) yield
  }
}

function total(cursors: readonly Cursor[]): number {
  return cursors.reduce((sum, { section }) => sum + section.count, 0)
}

/** The cursor with the least key, the first of equals; undefined when all are done. */
function leastOf(cursors: readonly Cursor[], wide: boolean): Cursor | undefined {
  let least: Cursor | undefined
  for (const cursor of cursors) {
    if (cursor.done) continue
    if (least === undefined || isLess(cursor, least, wide)) least = cursor
  }
  return least
}

function isLess(a: Cursor, b: Cursor, wide: boolean): boolean {
  if (a.word0 !== b.word0) return a.word0 < b.word0
  if (a.word1 !== b.word1) return a.word1 < b.word1
  if (!wide) return false
  const [a2, b2] = [a.word(2), b.word(2)]
  return a2 === b2 ? a.word(3) < b.word(3) : a2 < b2
}
