import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { BoundedCache } from '../bounded-cache.ts'
import type { Cell } from './cells.ts'
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
      const [current] = asArray(this.#generation.get())
      let first: Answered | undefined
      return questions.map(({ generation, scripts }): ReadOutcome => {
        if (generation !== undefined && generation !== current) return { kind: 'stale' }
        const rows = this.#answers(scripts, first)
        first = firstOf(scripts, rows)
        return { kind: 'rows', rows }
      })
    } finally {
      if (this.#db.isTransaction) this.#commit.run()
    }
  }

  close(): void {
    this.#db.close()
  }

  /** `before`: what an earlier question of the snapshot began with. Most begin with the same one, the position's. */
  #answers(scripts: readonly Script[], before: Answered | undefined): readonly (readonly SqlRow[])[] {
    const answers: (readonly SqlRow[])[] = []
    for (const script of scripts) {
      const { boundTo } = script
      const bound = boundTo === undefined ? undefined : foundBy(answers[boundTo])
      const known = before?.script === script ? before.rows : undefined
      answers.push(known ?? this.#script(script, bound))
    }
    return answers
  }

  #script(script: Script, bound: readonly Cell[] | undefined): readonly SqlRow[] {
    const { statements, limit = Number.POSITIVE_INFINITY, bigints = false } = script
    let rows: readonly SqlRow[] = []
    for (const { sql, parameters } of statements) {
      if (rows.length >= limit) break
      const found = asArrays(this.#statement(sql, bigints).all(...(bound ?? parameters)))
      rows = rows.length === 0 ? found : [...rows, ...found]
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

interface Answered {
  readonly script: Script
  readonly rows: readonly SqlRow[]
}

function firstOf([script]: readonly Script[], [rows]: readonly (readonly SqlRow[])[]): Answered | undefined {
  return script === undefined || rows === undefined ? undefined : { script, rows }
}

function foundBy(rows: readonly SqlRow[] | undefined): readonly Cell[] {
  const found = rows?.[0]?.[0]
  assert(typeof found === 'string', 'a script is bound to what an earlier one found')
  return [found]
}

/** With `setReturnArrays` a row is an array, which the types of node:sqlite don't say. */
function asArray(row: unknown): SqlRow {
  assert(Array.isArray(row))
  return row
}

function asArrays(rows: readonly unknown[]): readonly SqlRow[] {
  assert(rows.every(isRow))
  return rows
}

function isRow(row: unknown): row is SqlRow {
  return Array.isArray(row)
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}
