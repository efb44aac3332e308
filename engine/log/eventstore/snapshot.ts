import { setTimeout as timer } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import { LocalHead } from '../follow.ts'
import type { LogReader } from '../log.ts'
import { catchUp } from './catch-up.ts'
import { type Connection, ConnectionFailed } from './connection.ts'
import { Feed } from './feed.ts'
import { IndexFile } from './index-file.ts'
import { Reads } from './reads.ts'
import type { OpenFailure } from './remote-log.ts'

/** A log as it is when it is opened, whoever writes it; what is under way then is not in it. */
export type LogSnapshot = Pick<LogReader, 'head' | 'read' | 'close'>

/** Reads all of `$all` into a new index at the path. The connection is closed with the snapshot, or when it doesn't open. */
export async function openEventStoreSnapshot(
  connection: Connection,
  indexPath: string,
): Promise<E.Either<OpenFailure, LogSnapshot>> {
  const index = new IndexFile(indexPath)
  index.clear()
  const closed = new AbortController()
  const close = async (): Promise<void> => {
    closed.abort()
    await connection.close()
    index.close()
  }
  try {
    await catchUp(connection, new Feed(index), undefined)
  } catch (error) {
    await close()
    if (!(error instanceof ConnectionFailed)) throw error
    return E.left({ _tag: 'Unreachable', cause: error.message })
  }
  const fetching = { connection, pause: timer }
  const reads = new Reads(index, new LocalHead(index.head()), fetching, closed.signal)
  return E.right({ head: () => reads.head(), read: (options = {}) => reads.read(options), close })
}
