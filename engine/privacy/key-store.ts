import { mkdirSync } from 'node:fs'
import type { Clock } from '../clock.ts'
import type { ErasingKeyStore } from './privacy.ts'
import { settleRotation } from './rotate-master.ts'
import { SqliteKeyWriter } from './sqlite-key-writer.ts'
import { prepareDirectory, SqliteTables } from './sqlite-tables.ts'
import { type SealingOptions, WritingStore } from './writing-store.ts'

interface KeyStoreOptions extends SealingOptions {
  /** Dates suppression marks. */
  readonly clock: Clock
  /** 32 bytes (see `decodeMasterKey`); absent: `master.key` in the directory. */
  readonly masterKey?: Uint8Array | undefined
  /**
   * False: a directory without a key store is refused. Hand in false whenever the log has events: a new key
   * store beside an old log would give everybody a second identity. Default true.
   */
  readonly create?: boolean | undefined
}

/**
 * Opens, or makes, the key store of a directory (FORMAT.md). The caller holds the directory's lock. Throws
 * `KeyStoreError`: `WrongMasterKey`, `MasterKeyMissing`, `MasterKeyMalformed`, `KeyStoreMissing`, `FormatNewer`,
 * `Damaged`; all but the last may come from a wrong configuration, none has changed anything on disk.
 *
 * `flush` rejects with `KeyStoreError`. After `DiskFull` it may be called again; after `Stopped` nothing is made
 * or sealed any more, while opening and looking up go on.
 */
export function openKeyStore(directory: string, options: KeyStoreOptions): ErasingKeyStore {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  settleRotation(directory)
  const masterKey = prepareDirectory(directory, options.masterKey, options.create ?? true)
  const tables = new SqliteTables(directory)
  try {
    return new WritingStore({
      tables,
      secrets: { masterKey, macKeys: tables.macKeys(masterKey) },
      writer: new SqliteKeyWriter(directory),
      clock: options.clock,
      vault: options,
      closeTables: () => tables.close(),
    })
  } catch (error) {
    tables.close()
    throw error
  }
}
