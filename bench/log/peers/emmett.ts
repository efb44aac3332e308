import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Event } from '@event-driven-io/emmett'
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql'
import type { BenchEvent } from '../events.ts'
import { BATCHES_IN_FLIGHT } from '../plan.ts'
import type { PresentPeer } from './peer.ts'
import { queryOnce } from './postgres.ts'
import type { PostgresServer } from './postgres-server.ts'

const DATABASE = 'emmett'

/** Emmett's event store. It appends to one stream at a time, so a batch is a stream: its best case. */
export async function emmettPeer(server: PostgresServer): Promise<PresentPeer> {
  await queryOnce(server.url, `CREATE DATABASE ${DATABASE}`)
  const url = server.url.replace(/\/postgres$/, `/${DATABASE}`)
  const store = getPostgreSQLEventStore(url)
  await store.schema.migrate()
  // Unique by stream and revision it is already; event ids it leaves to chance.
  await queryOnce(
    url,
    'CREATE UNIQUE INDEX emt_bench_id ON emt_messages (message_id, partition, is_archived)',
  )
  let streams = 0
  return {
    about: `Emmett ${versionOf()} on the same PostgreSQL: ${BATCHES_IN_FLIGHT} appends under way, a batch is one stream of its own, with the unique index of event ids added`,
    contender: {
      name: 'Emmett',
      inFlight: BATCHES_IN_FLIGHT,
      append: async (batch) => {
        await store.appendToStream<Stored>(`bench-${streams++}`, batch.map(emmettEvent))
      },
      close: () => store.close(),
    },
  }
}

type Stored = Event<string, Record<string, unknown>, Record<string, unknown>>

function emmettEvent({ id, source, stream, type, data, ...envelope }: BenchEvent): Stored {
  const { schema, time, received, identities, normalised, normaliser } = envelope
  const metadata = {
    messageId: id,
    source,
    stream,
    schema,
    time,
    received,
    identities,
    normalised,
    normaliser,
  }
  return { type, data, metadata }
}

function versionOf(): string {
  const require = createRequire(import.meta.url)
  const main = require.resolve('@event-driven-io/emmett-postgresql')
  const path = `${main.slice(0, main.lastIndexOf('dist'))}package.json`
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  return version
}
