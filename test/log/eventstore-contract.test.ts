/**
 * Theorem: a log that lies in an EventStoreDB is the same thing to whoever uses it as the embedded one. Shown with the official
 * client over a server of the same protocol, which proves nothing about EventStoreDB itself.
 */

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { EventStoreDBClient, StreamDeletedError } from '@eventstore/db-client'
import * as E from 'fp-ts/lib/Either.js'
import { describe } from 'vitest'
import { systemClock } from '../../engine/clock.ts'
import type { Connection } from '../../engine/log/eventstore/connection.ts'
import { nextUuid } from '../../engine/log/eventstore/event-id.ts'
import { openEventStoreLog } from '../../engine/log/eventstore/event-store-log.ts'
import { connectionOf } from '../../engine/log/eventstore.ts'
import { serve } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { logContract } from './contract.ts'
import { openedOn } from './eventstore-support.ts'
import { temporaryDirectory } from './support.ts'

/** An EventStoreDB of one's own; what the suite writes there it deletes, so that a scavenge removes it. */
const REAL = process.env['EVENTSTORE_URL']
const MAX_APPEND_BYTES = 4 * 1024 * 1024

function unlessDeleted(error: unknown): void {
  if (!(error instanceof StreamDeletedError)) throw error
}

/** A server of ours takes an id once, whatever the stream; each log of the suite uses the same ones. */
function withIdsOfItsOwn<Over extends Connection>(connection: Over, salt: string): Over {
  return {
    ...connection,
    append: (stream, expected, events) =>
      connection.append(
        stream,
        expected,
        events.map((event) => ({ ...event, id: nextUuid(event.id, salt, 0) })),
      ),
  }
}

logContract('log in EventStoreDB', async () => {
  const directory = temporaryDirectory()
  const server = await serve(memoryBackend(), { maxAppendBytes: MAX_APPEND_BYTES })
  const log = await openedOn(server, directory.path)
  return {
    log,
    dispose: async () => {
      await log.close()
      await server.stop()
      directory.remove()
    },
  }
})

describe.skipIf(REAL === undefined)('where EVENTSTORE_URL is set', () =>
  logContract('log in the EventStoreDB of EVENTSTORE_URL', async () => {
    const directory = temporaryDirectory()
    const prefix = `test${randomUUID()}-`
    const client = EventStoreDBClient.connectionString(REAL ?? '')
    const indexPath = join(directory.path, 'log-index.sqlite')
    const connection = withIdsOfItsOwn(connectionOf(client, prefix), prefix)
    const log = await openEventStoreLog(connection, { indexPath, clock: systemClock })
    if (E.isLeft(log)) throw new Error(JSON.stringify(log.left))
    return {
      log: log.right,
      dispose: async () => {
        await log.right.close()
        const streams = new Set<string>()
        for await (const { event } of client.readAll())
          if (event?.streamId.startsWith(prefix) === true) streams.add(event.streamId)
        for (const stream of streams) await client.tombstoneStream(stream).catch(unlessDeleted)
        await client.dispose()
        directory.remove()
      },
    }
  }),
)
