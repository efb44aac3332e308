import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { Job, JobResult, Script, SqlRow, WorkerData } from './sqlite-protocol.ts'
import { checkVersion, SCHEMA_VERSION } from './sqlite-schema.ts'

/**
 * Runs queries on a thread of its own. The file is opened when first asked for, and again after a failure or when
 * another has taken its place.
 */

const MAX_STATEMENTS = 256
const BUSY_TIMEOUT_MS = 5_000

class Connection {
  readonly #path: string
  readonly #db: DatabaseSync
  /** While it is open no other file can have this number. */
  readonly #inode: number | undefined
  /** In order of use: the first is the one least recently used. */
  readonly #statements = new Map<string, StatementSync>()

  constructor(path: string) {
    this.#path = path
    this.#inode = inodeOf(path)
    this.#db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
    try {
      if (checkVersion(this.#db) !== SCHEMA_VERSION) throw new Error('the store was not created yet')
    } catch (error) {
      this.#db.close()
      throw error
    }
  }

  /** A store that was removed would answer for ever what it last held. */
  isReplaced(): boolean {
    return inodeOf(this.#path) !== this.#inode
  }

  run(job: Job): JobResult {
    this.#db.exec('BEGIN')
    try {
      // Its first read fixes the transaction's snapshot.
      const generation = this.#db.prepare('SELECT generation FROM meta').get()?.generation
      if (job.generation !== undefined && job.generation !== generation) return { id: job.id, kind: 'stale' }
      return { id: job.id, kind: 'rows', rows: job.scripts.map((script) => this.#script(script)) }
    } finally {
      if (this.#db.isTransaction) this.#db.exec('COMMIT')
    }
  }

  close(): void {
    this.#db.close()
  }

  #script({ statements, limit = Number.POSITIVE_INFINITY, bigints = false }: Script): SqlRow[] {
    const rows: SqlRow[] = []
    for (const { sql, parameters } of statements) {
      if (rows.length >= limit) break
      const found = this.#statement(sql, bigints).all(...parameters)
      for (const row of found) rows.push(asArray(row))
    }
    return rows.length > limit ? rows.slice(0, limit) : rows
  }

  #statement(sql: string, bigints: boolean): StatementSync {
    const known = this.#statements.get(sql)
    const statement = known ?? this.#db.prepare(sql)
    if (known === undefined) statement.setReturnArrays(true)
    statement.setReadBigInts(bigints)
    this.#statements.delete(sql)
    this.#statements.set(sql, statement)
    const [oldest] = this.#statements.keys()
    if (this.#statements.size > MAX_STATEMENTS && oldest !== undefined) this.#statements.delete(oldest)
    return statement
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

let connection: Connection | undefined

function answer(path: string, job: Job): JobResult {
  try {
    if (connection?.isReplaced()) {
      connection.close()
      connection = undefined
    }
    connection ??= new Connection(path)
    return connection.run(job)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    if (why === 'integer overflow') return { id: job.id, kind: 'overflow' }
    connection?.close()
    connection = undefined
    return { id: job.id, kind: 'unavailable', why }
  }
}

const port = parentPort
assert(port !== null, 'this file runs as a worker')
const { path }: WorkerData = workerData
port.on('message', (message: Job | 'close') => {
  if (message !== 'close') {
    port.postMessage(answer(path, message))
    return
  }
  connection?.close()
  port.close()
})
