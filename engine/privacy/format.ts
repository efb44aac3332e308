import { strict as assert } from 'node:assert'

/** Constants of the key store's format, shared by everything that reads or writes it. Prose: FORMAT.md. */

export const FORMAT_VERSION = 1

export const KEY_FILE = 'master.key'
/** The next master key, while the store is being put under it; see rotate-master.ts. */
export const NEXT_KEY_FILE = 'master.key.new'
export const DATABASE_FILE = 'keys.sqlite'

/** AES-256 and HMAC keys. */
export const KEY_BYTES = 32
/** Identity ids and key ids. */
export const ID_BYTES = 16
export const NONCE_BYTES = 12
export const TAG_BYTES = 16
/** What encryption adds to a plaintext. */
export const OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES

/** First bytes of the associated data, so that no blob of one kind opens as another. */
export const LABELS = {
  macKey: 'headwater/mac-key\0',
  identity: 'headwater/identity\0',
  dataKey: 'headwater/data-key\0',
  /** Derives the HMAC key from a data key, which itself only encrypts. */
  dataMac: 'headwater/data-mac\0',
  masterKeyId: 'headwater/master-key-id\0',
} as const

export const SCHEMA = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE mac_key(generation INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE identity(
  mac BLOB PRIMARY KEY CHECK(length(mac) = 32),
  id BLOB NOT NULL UNIQUE CHECK(length(id) = 16),
  namespace TEXT NOT NULL,
  sealed_value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE data_key(
  key_id BLOB PRIMARY KEY CHECK(length(key_id) = 16),
  owner BLOB NOT NULL CHECK(length(owner) = 16),
  retention TEXT NOT NULL,
  wrapped BLOB NOT NULL CHECK(length(wrapped) = 60),
  UNIQUE(owner, retention)
) STRICT, WITHOUT ROWID;
CREATE TABLE suppressed(
  mac BLOB PRIMARY KEY CHECK(length(mac) = 32),
  generation INTEGER NOT NULL,
  namespace TEXT NOT NULL,
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

assert.equal(KEY_BYTES + OVERHEAD_BYTES, 60, 'the check on data_key.wrapped follows from these')
