import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as timer } from 'node:timers/promises'
import { type Connection, ConnectionFailed } from './connection.ts'
import { VERSION } from './index-schema.ts'

/** What a server says that is only read from. */
export type Examined =
  | { readonly _tag: 'Unreachable'; readonly cause: string }
  /** The newest event that the index knows isn't there. */
  | { readonly _tag: 'Foreign' }
  /** `compared`: the newest event that the index knows is there; else there is nothing to compare. */
  | { readonly _tag: 'Reachable'; readonly compared: boolean }

/** Takes nothing over and writes nothing. Closes the connection. */
export async function examine(
  connection: Pick<Connection, 'readAll' | 'close'>,
  indexPath: string,
  timeoutMs: number,
): Promise<Examined> {
  const patience = new AbortController()
  const late = timer(timeoutMs, { _tag: 'Unreachable', cause: 'no answer' } as const, patience)
  try {
    return await Promise.race([ask(connection, newestIn(indexPath)), late])
  } finally {
    late.catch(() => undefined)
    patience.abort()
    await connection.close()
  }
}

interface Newest {
  readonly commit: number
  readonly eventId: string
}

async function ask(connection: Pick<Connection, 'readAll'>, newest: Newest | undefined): Promise<Examined> {
  try {
    for await (const { commit, id } of connection.readAll(newest?.commit ?? 0, 1)) {
      if (newest === undefined || (commit === newest.commit && id === newest.eventId))
        return { _tag: 'Reachable', compared: newest !== undefined }
    }
    return newest === undefined ? { _tag: 'Reachable', compared: false } : { _tag: 'Foreign' }
  } catch (error) {
    if (!(error instanceof ConnectionFailed)) throw error
    return { _tag: 'Unreachable', cause: error.message }
  }
}

/** Of an index of this release; undefined where there is none, or nothing in it. */
function newestIn(indexPath: string): Newest | undefined {
  if (!existsSync(indexPath)) return undefined
  const database = new DatabaseSync(indexPath, { readOnly: true })
  try {
    if (database.prepare('PRAGMA user_version').get()?.['user_version'] !== VERSION) return undefined
    const state = database.prepare('SELECT value FROM state WHERE key = ?')
    const [commit, eventId] = ['head_commit', 'head_event'].map((key) => state.get(key)?.['value'])
    return typeof commit === 'number' && typeof eventId === 'string' ? { commit, eventId } : undefined
  } finally {
    database.close()
  }
}
