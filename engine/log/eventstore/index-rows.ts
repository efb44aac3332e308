import type { DatabaseSync, StatementSync } from 'node:sqlite'

export type Value = number | string | Uint8Array

/** Statements of a database, each prepared once. */
export class Statements {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const made = this.#database.prepare(sql)
    this.#statements.set(sql, made)
    return made
  }

  run(sql: string, values: readonly Value[]): void {
    this.prepared(sql).run(...values)
  }

  clear(): void {
    this.#statements.clear()
  }
}

/** Single values by name. What is set is written when it is flushed: once in a transaction, however often it changes. */
export class States {
  readonly #statements: Statements
  readonly #values = new Map<string, unknown>()
  readonly #changed = new Set<string>()

  constructor(statements: Statements) {
    this.#statements = statements
  }

  get(key: string): unknown {
    if (!this.#values.has(key))
      this.#values.set(
        key,
        this.#statements.prepared('SELECT value FROM state WHERE key = ?').get(key)?.value,
      )
    return this.#values.get(key)
  }

  set(key: string, value: number | string): void {
    this.#values.set(key, value)
    this.#changed.add(key)
  }

  flush(): void {
    for (const key of this.#changed) {
      const value = this.#values.get(key)
      if (typeof value !== 'number' && typeof value !== 'string') continue
      this.#statements.run('INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)', [key, value])
    }
    this.#changed.clear()
  }

  /** What was set and not flushed is gone. */
  forget(): void {
    this.#values.clear()
    this.#changed.clear()
  }
}

/** How far a stream goes: ours (-1 and 0: nothing of ours), and theirs (-1: nothing at all). */
export interface StreamRow {
  readonly id: number
  revision: number
  position: number
  theirs: number
}

/** Streams that are remembered from one transaction to the next. */
const MOST_ROWS = 20_000

/** Streams by name. What is changed is written when it is flushed: once in a transaction, however many events it has there. */
export class StreamRows {
  readonly #statements: Statements
  readonly #rows = new Map<string, StreamRow>()
  readonly #changed = new Set<StreamRow>()

  constructor(statements: Statements) {
    this.#statements = statements
  }

  find(name: string): Readonly<StreamRow> | undefined {
    const known = this.#rows.get(name)
    if (known !== undefined) return known
    const found = this.#statements
      .prepared('SELECT id, revision, position, theirs FROM stream WHERE name = ?')
      .get(name)
    if (found === undefined) return undefined
    const { id, revision, position, theirs } = found
    return this.#remember(name, [Number(id), Number(revision), Number(position), Number(theirs)])
  }

  /** To be changed; made where there is none. */
  change(name: string): StreamRow {
    const row = this.find(name) ?? this.#make(name)
    this.#changed.add(row)
    return row
  }

  #make(name: string): StreamRow {
    const { lastInsertRowid } = this.#statements
      .prepared('INSERT INTO stream (name, revision, position, theirs) VALUES (?, -1, 0, -1)')
      .run(name)
    return this.#remember(name, [Number(lastInsertRowid), -1, 0, -1])
  }

  #remember(name: string, [id, revision, position, theirs]: readonly [number, number, number, number]) {
    const row: StreamRow = { id, revision, position, theirs }
    this.#rows.set(name, row)
    return row
  }

  flush(): void {
    for (const { id, revision, position, theirs } of this.#changed)
      this.#statements.run('UPDATE stream SET revision = ?, position = ?, theirs = ? WHERE id = ?', [
        ...[revision, position, theirs, id],
      ])
    this.#changed.clear()
    if (this.#rows.size > MOST_ROWS) this.#rows.clear()
  }

  /** What was changed and not flushed is gone. */
  forget(): void {
    this.#rows.clear()
    this.#changed.clear()
  }
}
