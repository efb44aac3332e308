import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import type { EsdbServer } from '../../api/esdb/server.ts'
import { systemClock } from '../../engine/clock.ts'
import { openEventStoreLog } from '../../engine/log/eventstore/event-store-log.ts'
import type { OpenFailure, RemoteLog } from '../../engine/log/eventstore/remote-log.ts'
import { connectionOf } from '../../engine/log/eventstore.ts'
import { clientOf } from '../esdb/client.ts'

/** What opening the log comes to that the server holds, with its index in the directory. */
export function openOn(
  server: Pick<EsdbServer, 'port'>,
  directory: string,
  patienceMs?: number,
  prefix?: string,
): Promise<E.Either<OpenFailure, RemoteLog>> {
  return openEventStoreLog(connectionOf(clientOf(server), prefix), {
    indexPath: join(directory, 'log-index.sqlite'),
    clock: systemClock,
    patienceMs,
  })
}

export async function openedOn(...args: Parameters<typeof openOn>): Promise<RemoteLog> {
  const result = await openOn(...args)
  if (E.isLeft(result)) throw new Error(`the log doesn't open: ${JSON.stringify(result.left)}`)
  return result.right
}
