import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Build } from './build.ts'
import { type Cell, checkedText, encodeRow } from './cells.ts'
import { searchText } from './search-text.ts'
import { hasSearch, quoted, stateTable } from './sqlite-schema.ts'
import { SqliteSearch } from './sqlite-search.ts'
import type { RowWrite, StateWrite } from './store.ts'
import type { Row } from './table.ts'

/** A build's tables with their statements, prepared when first needed. Runs inside the caller's transaction. */
export class SqliteBuild {
  readonly #build: Build
  readonly #table: string
  readonly #state: string
  readonly #search: SqliteSearch | undefined
  readonly #statement: (sql: string) => StatementSync
  readonly #upsertRowSql: string

  constructor(db: DatabaseSync, build: Build) {
    this.#build = build
    this.#table = quoted(build.build)
    this.#state = quoted(stateTable(build.build))
    this.#statement = cachedStatements(db)
    this.#search = hasSearch(build) ? new SqliteSearch(build.build, this.#statement) : undefined
    this.#upsertRowSql = this.#upsertRow()
  }

  state(key: string): Uint8Array | undefined {
    const found = this.#statement(`SELECT state FROM ${this.#state} WHERE "key" = ?`).get(key)?.state
    return found instanceof Uint8Array ? found : undefined
  }

  due(at: number): readonly { readonly key: string; readonly due: number }[] {
    const sql = `SELECT "key", due FROM ${this.#state} WHERE due IS NOT NULL AND due <= ? ORDER BY due, "key"`
    return this.#statement(sql)
      .all(at)
      .map(({ key, due }) => ({ key: String(key), due: Number(due) }))
  }

  nextDue(): number | undefined {
    const sql = `SELECT due FROM ${this.#state} WHERE due IS NOT NULL ORDER BY due LIMIT 1`
    const due = this.#statement(sql).get()?.due
    return typeof due === 'number' ? due : undefined
  }

  writeState(write: StateWrite): void {
    const key = checkedText('key', write.key)
    const sql =
      `INSERT INTO ${this.#state} ("key", state, due) VALUES (?, ?, ?) ` +
      'ON CONFLICT ("key") DO UPDATE SET state = excluded.state, due = excluded.due'
    this.#statement(sql).run(key, write.state, write.due ?? null)
  }

  writeRows(write: RowWrite): void {
    const key = checkedText('key', write.key)
    if (this.#search === undefined) {
      for (const [part, row] of write.rows) this.#upsert(this.#cells(key, part, row))
      this.#deleteOthers(key, [...write.rows.keys()])
    } else this.#writeSearchedRows(this.#search, key, write)
  }

  /** To be called once after the rows of a transaction were written. */
  indexSearch(): void {
    this.#search?.index()
  }

  /** Forgets what a transaction that failed would have indexed. */
  discardSearch(): void {
    this.#search?.discard()
  }

  /** The index must be told what it has to forget, so the old rows are read first. */
  #writeSearchedRows(search: SqliteSearch, key: string, write: RowWrite): void {
    const old = search.rowsOf(key)
    for (const [part, row] of write.rows) {
      const text = searchText(this.#build.shape.search ?? [], row)
      const cells = [...this.#cells(key, part, row), text]
      const known = old.get(part)
      const inserted = this.#upsert(cells)
      search.changed(known?.row ?? inserted, known?.text ?? null, text)
    }
    for (const [part, { row, text }] of old)
      if (!write.rows.has(part)) {
        search.changed(row, text, null)
        this.#statement(`DELETE FROM ${this.#table} WHERE _row = ?`).run(row)
      }
  }

  #cells(key: string, part: string, row: Row): Cell[] {
    return [key, checkedText('part', part), ...encodeRow(this.#build.columns, row)]
  }

  /** The row's number if it is a new one. */
  #upsert(cells: readonly Cell[]): number {
    return Number(this.#statement(this.#upsertRowSql).run(...cells).lastInsertRowid)
  }

  /** One index look-up in the usual case of one part. */
  #deleteOthers(key: string, parts: readonly string[]): void {
    const remove = `DELETE FROM ${this.#table} WHERE "key" = ?`
    const [only] = parts
    if (only === undefined) this.#statement(remove).run(key)
    else if (parts.length === 1) this.#statement(`${remove} AND part <> ?`).run(key, only)
    else
      this.#statement(`${remove} AND part NOT IN (SELECT value FROM json_each(?))`).run(
        key,
        JSON.stringify(parts),
      )
  }

  /** Rows that stay as they are aren't touched: neither their indexes nor the WAL learn of it. */
  #upsertRow(): string {
    const names = this.#build.columns.map(([name]) => quoted(name))
    if (this.#search !== undefined) names.push('_search')
    const places = Array.from({ length: names.length + 2 }, () => '?').join(', ')
    const insert = `INSERT INTO ${this.#table} (${['"key"', 'part', ...names].join(', ')}) VALUES (${places})`
    if (names.length === 0) return `${insert} ON CONFLICT ("key", part) DO NOTHING`
    const set = names.map((name) => `${name} = excluded.${name}`).join(', ')
    const differs = names.map((name) => `${name} IS NOT excluded.${name}`).join(' OR ')
    return `${insert} ON CONFLICT ("key", part) DO UPDATE SET ${set} WHERE ${differs}`
  }
}

/** Only for SQL of a fixed, small number of texts. */
export function cachedStatements(db: DatabaseSync): (sql: string) => StatementSync {
  const statements = new Map<string, StatementSync>()
  return (sql) => {
    const known = statements.get(sql)
    if (known !== undefined) return known
    const prepared = db.prepare(sql)
    statements.set(sql, prepared)
    return prepared
  }
}
