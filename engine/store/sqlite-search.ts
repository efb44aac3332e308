import type { StatementSync } from 'node:sqlite'
import { quoted, searchTable } from './sqlite-schema.ts'

interface Change {
  readonly row: number
  readonly old: string | null
  readonly text: string | null
}

/**
 * Keeps a build's full-text index in step with its rows. Changes are gathered and written in one go at the end of a
 * transaction: FTS5 flushes at every savepoint, and SQLite opens one for nearly each statement on an ordinary table, so
 * that writing both in turns (or by triggers) makes a segment a row and costs ten times as much.
 */
export class SqliteSearch {
  readonly #statement: (sql: string) => StatementSync
  readonly #forgetSql: string
  readonly #learnSql: string
  #changes: Change[] = []

  constructor(build: string, statement: (sql: string) => StatementSync) {
    const search = quoted(searchTable(build))
    this.#statement = statement
    this.#forgetSql = `INSERT INTO ${search} (${search}, rowid, _search) VALUES ('delete', ?, ?)`
    this.#learnSql = `INSERT INTO ${search} (rowid, _search) VALUES (?, ?)`
  }

  changed(row: number, old: string | null, text: string | null): void {
    if (old !== text) this.#changes.push({ row, old, text })
  }

  index(): void {
    const changes = this.#changes
    this.#changes = []
    for (const { row, old, text } of changes) {
      // An index without content can't look up what it has to forget: it is told.
      if (old !== null) this.#statement(this.#forgetSql).run(row, old)
      if (text !== null) this.#statement(this.#learnSql).run(row, text)
    }
  }

  /** What a failed transaction has gathered. */
  discard(): void {
    this.#changes = []
  }
}
