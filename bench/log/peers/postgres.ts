import { Pool } from 'pg'
import { type BenchEvent, bodyOf } from '../events.ts'
import { BATCHES_IN_FLIGHT } from '../plan.ts'
import type { PresentPeer } from './peer.ts'
import type { PostgresServer } from './postgres-server.ts'

const SCHEMA = `
  CREATE TABLE events (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    id text NOT NULL,
    stream text NOT NULL,
    revision integer NOT NULL,
    type text NOT NULL,
    body json NOT NULL
  );
  CREATE UNIQUE INDEX events_id ON events (source, id);
  CREATE UNIQUE INDEX events_place ON events (stream, revision);
`

const INSERT = {
  name: 'append',
  text: `INSERT INTO events (source, id, stream, revision, type, body)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::json[])`,
} as const

/** One table with two unique indexes; a batch is one prepared multi-row insert, which is its own transaction. */
export async function postgresPeer(server: PostgresServer): Promise<PresentPeer> {
  const pool = new Pool({ connectionString: server.url, max: BATCHES_IN_FLIGHT })
  await pool.query(SCHEMA)
  return {
    about: `PostgreSQL ${server.version} by pg over loopback TCP: ${server.settings}; ${BATCHES_IN_FLIGHT} connections, a batch is one prepared multi-row insert, unique (source, id) and (stream, revision)`,
    contender: {
      name: 'PostgreSQL',
      inFlight: BATCHES_IN_FLIGHT,
      append: async (batch) => {
        await pool.query({ ...INSERT, values: columnsOf(batch) })
      },
      close: () => pool.end(),
    },
  }
}

function columnsOf(batch: readonly BenchEvent[]): unknown[] {
  return [
    batch.map(({ source }) => source),
    batch.map(({ id }) => id),
    batch.map(({ stream }) => stream),
    batch.map(({ revision }) => revision),
    batch.map(({ type }) => type),
    batch.map(bodyOf),
  ]
}

export async function queryOnce(url: string, sql: string): Promise<void> {
  const pool = new Pool({ connectionString: url, max: 1 })
  try {
    await pool.query(sql)
  } finally {
    await pool.end()
  }
}
