/** Another version is thrown away and made anew from the log. */
export const VERSION = 2

export const SCHEMA = `
  CREATE TABLE state (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE stream (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL,
    revision INTEGER NOT NULL, position INTEGER NOT NULL, theirs INTEGER NOT NULL);
  CREATE TABLE forgetful (name TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE stray (id TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE type (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
  CREATE TABLE event (position INTEGER PRIMARY KEY, committed INTEGER NOT NULL, arrival INTEGER NOT NULL,
    revision INTEGER NOT NULL, stream INTEGER NOT NULL, type INTEGER NOT NULL, key INTEGER NOT NULL);
  CREATE INDEX event_by_key ON event (key);
  CREATE INDEX event_by_stream ON event (stream, position);
  CREATE TABLE identity (id BLOB NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (id, position)) WITHOUT ROWID;
  PRAGMA user_version = ${VERSION};
`
export const TABLES = ['state', 'stream', 'type', 'event', 'identity', 'forgetful', 'stray']
