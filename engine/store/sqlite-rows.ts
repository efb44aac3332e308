import assert from 'node:assert/strict'
import type { StatementSync } from 'node:sqlite'
import { Packr } from 'msgpackr'
import type { Build } from './build.ts'
import type { Cell } from './cells.ts'
import { type CacheBudget, PackedCache } from './packed-cache.ts'
import { hasSearch, quoted } from './sqlite-schema.ts'

/** A row as the file holds it. */
export interface KeptRow {
  readonly row: number
  readonly part: string
  /** In the order of the build's columns; of a searched build its text comes last. */
  readonly cells: readonly Cell[]
}

const packr = new Packr({ useRecords: false })

/** Sets of columns that are updated by a statement of their own; whatever else changes rewrites the whole row. */
const MAX_UPDATES = 64

/**
 * A build's rows. What the file holds of the rows written lately is remembered, because most writes change a cell or two:
 * SQLite rewrites the entries of every index whose columns an UPDATE names, whether or not their values differ.
 */
export class SqliteRows {
  readonly #table: string
  readonly #names: readonly string[]
  readonly #statement: (sql: string) => StatementSync
  readonly #kept: PackedCache
  readonly #updates = new Map<string, StatementSync>()
  readonly #find: StatementSync
  readonly #insert: StatementSync
  readonly #remove: StatementSync

  constructor(statement: (sql: string) => StatementSync, build: Build, budget: CacheBudget) {
    this.#kept = new PackedCache(budget)
    this.#table = quoted(build.build)
    this.#names = [...build.columns.map(([name]) => quoted(name)), ...(hasSearch(build) ? ['_search'] : [])]
    this.#statement = statement
    this.#find = statement(
      `SELECT ${['_row', 'part', ...this.#names].join(', ')} FROM ${this.#table} WHERE "key" = ?`,
    )
    this.#find.setReturnArrays(true)
    const places = ['?', '?', ...this.#names.map(() => '?')].join(', ')
    const columns = ['"key"', 'part', ...this.#names].join(', ')
    this.#insert = statement(`INSERT INTO ${this.#table} (${columns}) VALUES (${places})`)
    this.#remove = statement(`DELETE FROM ${this.#table} WHERE _row = ?`)
  }

  /** A key's rows as they are; `isKept`: they are remembered. */
  of(key: string): { readonly rows: readonly KeptRow[]; readonly isKept: boolean } {
    const kept = this.#kept.get(key)
    if (kept === undefined) return { rows: this.#find.all(key).map(keptRow), isKept: false }
    return { rows: this.#unpacked(packr.unpack(kept.bytes)), isKept: true }
  }

  /** Remembers a key's rows as they are now. */
  keep(key: string, rows: readonly KeptRow[]): void {
    const flat: Cell[] = []
    for (const { row, part, cells } of rows) {
      flat.push(row, part)
      for (const cell of cells) flat.push(cell)
    }
    this.#kept.set(key, 0, packr.pack(flat))
  }

  #unpacked(flat: readonly Cell[]): readonly KeptRow[] {
    const rows: KeptRow[] = []
    const length = 2 + this.#names.length
    for (let at = 0; at < flat.length; at += length)
      rows.push({
        row: Number(flat[at]),
        part: String(flat[at + 1]),
        cells: flat.slice(at + 2, at + length),
      })
    return rows
  }

  forgetKey(key: string): void {
    this.#kept.delete(key)
  }

  forget(): void {
    this.#kept.clear()
  }

  close(): void {
    this.#kept.close()
  }

  insert(key: string, part: string, cells: readonly Cell[]): KeptRow {
    const { lastInsertRowid } = this.#insert.run(key, part, ...cells)
    return { row: Number(lastInsertRowid), part, cells }
  }

  /** The same object if nothing changes. */
  update(before: KeptRow, cells: readonly Cell[]): KeptRow {
    const columns: number[] = []
    const values: Cell[] = []
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i] ?? null
      if (cell === before.cells[i]) continue
      columns.push(i)
      values.push(cell)
    }
    if (columns.length === 0) return before
    const { row, part } = before
    const update = this.#update(columns)
    if (update === undefined) this.#wholeUpdate().run(...cells, row)
    else update.run(...values, row)
    return { row, part, cells }
  }

  remove({ row }: KeptRow): void {
    this.#remove.run(row)
  }

  /** undefined: there are too many already. */
  #update(columns: readonly number[]): StatementSync | undefined {
    const id = columns.join()
    const known = this.#updates.get(id)
    if (known !== undefined || this.#updates.size >= MAX_UPDATES) return known
    const made = this.#statement(this.#updateSql(columns))
    this.#updates.set(id, made)
    return made
  }

  #wholeUpdate(): StatementSync {
    return this.#statement(this.#updateSql([...this.#names.keys()]))
  }

  #updateSql(columns: readonly number[]): string {
    const set = columns.map((i) => `${this.#names[i]} = ?`).join(', ')
    return `UPDATE ${this.#table} SET ${set} WHERE _row = ?`
  }
}

/** With `setReturnArrays` a row is an array, which the types of node:sqlite don't say. */
function keptRow(found: unknown): KeptRow {
  assert(Array.isArray(found))
  const [row, part, ...cells]: Cell[] = found
  return { row: Number(row), part: String(part), cells }
}
