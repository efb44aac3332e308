import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { BoundedCache } from '../bounded-cache.ts'
import type { JobOutcome, Question, Script, SqlRow } from './sqlite-protocol.ts'
import { checkVersion, SCHEMA_VERSION } from './sqlite-schema.ts'

const MAX_STATEMENTS = 256

/** A statement is prepared once; what it returns depends on this. */
interface Prepared {
  readonly statement: StatementSync
  bigints: boolean
}

export type ReadOutcome = Extract<JobOutcome, { kind: 'rows' | 'stale' }>

/** A store's file open for reading, on the thread that made it. Throws what SQLite throws. */
export class SqliteConnection {
  readonly #path: string
  readonly #db: DatabaseSync
  /** While it is open no other file can have this number. */
  readonly #inode: number | undefined
  readonly #prepared = new BoundedCache<string, Prepared>(MAX_STATEMENTS)
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #generation: StatementSync

  /** `busyMs`: how long to wait for whoever holds a lock that keeps readers out, which is rare. */
  constructor(path: string, busyMs: number) {
    this.#path = path
    this.#inode = inodeOf(path)
    this.#db = new DatabaseSync(path, { readOnly: true, timeout: busyMs })
    try {
      if (checkVersion(this.#db) !== SCHEMA_VERSION) throw new Error('the store was not created yet')
      this.#begin = this.#db.prepare('BEGIN')
      this.#commit = this.#db.prepare('COMMIT')
      this.#generation = this.#db.prepare('SELECT generation FROM meta')
      this.#generation.setReturnArrays(true)
    } catch (error) {
      this.#db.close()
      throw error
    }
  }

  /** A store that was removed would answer for ever what it last held. */
  isReplaced(): boolean {
    return inodeOf(this.#path) !== this.#inode
  }

  run(question: Question): ReadOutcome {
    const [outcome] = this.runAll([question])
    assert(outcome !== undefined)
    return outcome
  }

  /** All of them of one snapshot, answered in their order. */
  runAll(questions: readonly Question[]): readonly ReadOutcome[] {
    this.#begin.run()
    try {
      // Its first read fixes the transaction's snapshot.
      const current = asArray(this.#generation.get())[0]
      return questions.map(({ generation, scripts }): ReadOutcome => {
        if (generation !== undefined && generation !== current) return { kind: 'stale' }
        return { kind: 'rows', rows: scripts.map((script) => this.#script(script)) }
      })
    } finally {
      if (this.#db.isTransaction) this.#commit.run()
    }
  }

  close(): void {
    this.#db.close()
  }

  #script({ statements, limit = Number.POSITIVE_INFINITY, bigints = false }: Script): readonly SqlRow[] {
    const rows: SqlRow[] = []
    for (const { sql, parameters } of statements) {
      if (rows.length >= limit) break
      const found = this.#statement(sql, bigints).all(...parameters)
      for (const row of found) rows.push(asArray(row))
    }
    return rows.length > limit ? rows.slice(0, limit) : rows
  }

  #statement(sql: string, bigints: boolean): StatementSync {
    const known = this.#prepared.get(sql)
    const prepared = known ?? { statement: this.#db.prepare(sql), bigints: false }
    if (known === undefined) {
      prepared.statement.setReturnArrays(true)
      this.#prepared.set(sql, prepared)
    }
    if (prepared.bigints !== bigints) {
      prepared.statement.setReadBigInts(bigints)
      prepared.bigints = bigints
    }
    return prepared.statement
  }
}

/** With `setReturnArrays` a row is an array, which the types of node:sqlite don't say. */
function asArray(row: unknown): SqlRow {
  assert(Array.isArray(row))
  return row
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}
