import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { bodyOf } from '../events.ts'
import type { PresentPeer } from './peer.ts'

/** One table with two unique indexes, prepared inserts, a transaction a batch. */
export function sqlitePeer(directory: string): PresentPeer {
  const database = new DatabaseSync(join(directory, 'peer.sqlite'))
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -262144;
    CREATE TABLE events (
      position INTEGER PRIMARY KEY,
      source TEXT NOT NULL,
      id TEXT NOT NULL,
      stream TEXT NOT NULL,
      revision INTEGER NOT NULL,
      type TEXT NOT NULL,
      body TEXT NOT NULL
    );
    CREATE UNIQUE INDEX events_id ON events (source, id);
    CREATE UNIQUE INDEX events_place ON events (stream, revision);
  `)
  const insert = database.prepare(
    'INSERT INTO events (source, id, stream, revision, type, body) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const version = String(database.prepare('SELECT sqlite_version() AS version').get()?.['version'])
  return {
    about: `SQLite ${version} in Node (node:sqlite): WAL, synchronous=FULL, 256 MiB cache, prepared inserts, one transaction a batch, unique (source, id) and (stream, revision)`,
    contender: {
      name: 'SQLite',
      inFlight: 1,
      append: async (batch) => {
        database.exec('BEGIN IMMEDIATE')
        for (const event of batch) {
          insert.run(event.source, event.id, event.stream, event.revision, event.type, bodyOf(event))
        }
        database.exec('COMMIT')
      },
      close: async () => database.close(),
    },
  }
}
