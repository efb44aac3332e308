import assert from 'node:assert/strict'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Build } from './build.ts'
import { byKey } from './by-key.ts'
import { type Cell, checkedText, encodeRow } from './cells.ts'
import { type CacheBudget, PackedCache } from './packed-cache.ts'
import { searchText } from './search-text.ts'
import { type KeptRow, SqliteRows } from './sqlite-rows.ts'
import { dropIndexesDdl, hasIndexes, hasSearch, indexesDdl, quoted, stateTable } from './sqlite-schema.ts'
import { SqliteSearch } from './sqlite-search.ts'
import type { BuildWrite, RowWrite, StateWrite } from './store.ts'
import type { Row } from './table.ts'

/** Stands for the row number of a key that has no state. */
const NOWHERE = 0
/** … and of a state that a deadline hangs on: an index must hear of it when it is written. */
const TIMED = -1
const NO_STATE = new Uint8Array()

/** A build's tables with their statements, prepared when first needed. Runs inside the caller's transaction. */
export class SqliteBuild {
  readonly #db: DatabaseSync
  readonly #build: Build
  readonly #state: string
  readonly #rows: SqliteRows
  readonly #search: SqliteSearch | undefined
  readonly #statement: (sql: string) => StatementSync
  /** With their row numbers, so that most are rewritten without a look at any index. */
  readonly #states: PackedCache
  readonly #findState: StatementSync
  readonly #rewriteState: StatementSync
  readonly #insertState: StatementSync
  /** undefined: to be looked up. */
  #hasIndexes: boolean | undefined

  /** What is kept in memory of states and rows comes from `budget`. */
  constructor(db: DatabaseSync, build: Build, budget: CacheBudget) {
    this.#db = db
    this.#states = new PackedCache(budget)
    this.#build = build
    this.#state = quoted(stateTable(build.build))
    this.#statement = cachedStatements(db)
    this.#rows = new SqliteRows(this.#statement, build, budget)
    this.#search = hasSearch(build) ? new SqliteSearch(build.build, this.#statement) : undefined
    this.#findState = this.#statement(`SELECT _row, state, due FROM ${this.#state} WHERE "key" = ?`)
    this.#findState.setReturnArrays(true)
    this.#rewriteState = this.#statement(`UPDATE ${this.#state} SET state = ? WHERE _row = ?`)
    this.#insertState = this.#statement(`INSERT INTO ${this.#state} ("key", state, due) VALUES (?, ?, ?)`)
  }

  *write({ states, rows, areNew }: BuildWrite): Generator<void, void> {
    if (areNew === true) {
      this.#dropIndexes()
      for (const state of states) yield this.#addState(state)
      for (const row of rows) yield this.#addRows(row)
      return
    }
    for (const state of byKey(states)) yield state && this.#writeState(state)
    for (const row of byKey(rows)) yield row && this.#writeRows(row)
  }

  /** Indexes made once everything is there cost about half of what keeping them up does, and touch each page once. */
  #dropIndexes(): void {
    if (!this.#isIndexed()) return
    this.#db.exec(dropIndexesDdl(this.#build))
    this.#hasIndexes = false
  }

  /** Before it may serve. */
  makeIndexes(): void {
    if (this.#isIndexed()) return
    this.#db.exec(indexesDdl(this.#build))
    this.#hasIndexes = true
  }

  /** A crash may have left it without. */
  #isIndexed(): boolean {
    this.#hasIndexes ??= hasIndexes(this.#db, this.#build)
    return this.#hasIndexes
  }

  /** The state of a key that has none. It isn't remembered: what fills a build is written once. */
  #addState({ key, state, due }: StateWrite): void {
    assert(state !== undefined, 'a new key has a state')
    this.#states.delete(key)
    this.#insertState.run(checkedText('key', key), state, due ?? null)
  }

  /** The rows of a key that has none. */
  #addRows({ key, rows }: RowWrite): void {
    this.#rows.forgetKey(key)
    for (const [part, row] of rows) {
      const checked = checkedText('part', part)
      this.#learn(undefined, this.#rows.insert(checkedText('key', key), checked, this.#cells(row)))
    }
  }

  state(key: string): Uint8Array | undefined {
    const known = this.#states.get(key)
    if (known !== undefined) return known.number === NOWHERE ? undefined : known.bytes
    const found: unknown = this.#findState.get(key)
    if (found === undefined) {
      this.#states.set(key, NOWHERE, NO_STATE)
      return undefined
    }
    assert(Array.isArray(found))
    const [row, state, due]: unknown[] = found
    assert(state instanceof Uint8Array)
    this.#states.set(key, due === null ? Number(row) : TIMED, state)
    return state
  }

  due(at: number): readonly { readonly key: string; readonly due: number }[] {
    const sql = `SELECT "key", due FROM ${this.#state} WHERE due IS NOT NULL AND due <= ? ORDER BY due, "key"`
    return this.#statement(sql)
      .all(at)
      .map(({ key, due }) => ({ key: String(key), due: Number(due) }))
  }

  /** Of those that have a state, in the order of the table. */
  keys(after: string | undefined, limit: number): readonly string[] {
    const behind = after === undefined ? '' : 'WHERE "key" > ?'
    const sql = `SELECT "key" FROM ${this.#state} ${behind} ORDER BY "key" LIMIT ?`
    const found = this.#statement(sql).all(...(after === undefined ? [] : [after]), limit)
    return found.map(({ key }) => String(key))
  }

  nextDue(): number | undefined {
    const sql = `SELECT due FROM ${this.#state} WHERE due IS NOT NULL ORDER BY due LIMIT 1`
    const due = this.#statement(sql).get()?.due
    return typeof due === 'number' ? due : undefined
  }

  #writeState({ key, state, due }: StateWrite): void {
    if (state === undefined) {
      this.#statement(`DELETE FROM ${this.#state} WHERE "key" = ?`).run(checkedText('key', key))
      this.#states.set(key, NOWHERE, NO_STATE)
      return
    }
    const row = due === undefined ? this.#states.numberOf(key) : undefined
    if (row === undefined || row === TIMED) this.#upsertState(key, state, due)
    else if (row === NOWHERE) {
      const { lastInsertRowid } = this.#insertState.run(checkedText('key', key), state, null)
      this.#states.set(key, Number(lastInsertRowid), state)
    } else {
      this.#rewriteState.run(state, row)
      this.#states.set(key, row, state)
    }
  }

  #upsertState(key: string, state: Uint8Array, due: number | undefined): void {
    const sql =
      `INSERT INTO ${this.#state} ("key", state, due) VALUES (?, ?, ?) ` +
      'ON CONFLICT ("key") DO UPDATE SET state = excluded.state, due = excluded.due'
    this.#statement(sql).run(checkedText('key', key), state, due ?? null)
    this.#states.set(key, TIMED, state)
  }

  /** Rows and cells that stay as they are aren't touched: neither their indexes nor the WAL learn of it. */
  #writeRows(write: RowWrite): void {
    const key = checkedText('key', write.key)
    const { rows: known, isKept } = this.#rows.of(key)
    const next: KeptRow[] = []
    let isChanged = false
    for (const [part, row] of write.rows) {
      const cells = this.#cells(row)
      const before = known.find((each) => each.part === part)
      const after =
        before === undefined
          ? this.#rows.insert(key, checkedText('part', part), cells)
          : this.#rows.update(before, cells)
      next.push(after)
      if (after === before) continue
      isChanged = true
      this.#learn(before, after)
    }
    for (const before of known) {
      if (write.rows.has(before.part)) continue
      isChanged = true
      this.#rows.remove(before)
      this.#learn(before, undefined)
    }
    if (isChanged || !isKept) this.#rows.keep(key, next)
  }

  #cells(row: Row): Cell[] {
    const cells = encodeRow(this.#build.columns, row)
    if (this.#search !== undefined) cells.push(searchText(this.#build.shape.search ?? [], row))
    return cells
  }

  #learn(before: KeptRow | undefined, after: KeptRow | undefined): void {
    const row = after?.row ?? before?.row
    if (this.#search === undefined || row === undefined) return
    this.#search.changed(row, textOf(before), textOf(after))
  }

  /** To be called once after the rows of a transaction were written. */
  indexSearch(): void {
    this.#search?.index()
  }

  /** Forgets what a transaction that failed has changed. */
  discard(): void {
    this.#search?.discard()
    this.forget()
    this.#hasIndexes = undefined
  }

  /** Nothing of the file's content stays in memory. */
  forget(): void {
    this.#rows.forget()
    this.#states.clear()
  }

  /** Of a build that is dropped. */
  close(): void {
    this.#rows.close()
    this.#states.close()
  }
}

/** A searched row's text is its last cell. */
function textOf(row: KeptRow | undefined): string | null {
  const text = row?.cells.at(-1) ?? null
  assert(text === null || typeof text === 'string')
  return text
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
