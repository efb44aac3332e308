import type { IdentityDirectory } from '../events/codec.ts'
import type { IdentityId } from '../events/identity.ts'
import { KeyReadAhead } from './key-read-ahead.ts'
import { masterKeyFor } from './master-key.ts'
import type { Holdings, Opener } from './privacy.ts'
import { SqliteTables } from './sqlite-tables.ts'
import { Vault, type VaultOptions } from './vault.ts'

interface OpenerOptions extends VaultOptions {
  readonly masterKey?: Uint8Array | undefined
  /**
   * Reads keys that were made together at once, for whoever reads a history. Only for those who hear of every erasure:
   * the reader knows keys then that it was never asked for, until it is told to `forget` them. Default false.
   */
  readonly readsAhead?: boolean | undefined
}

/**
 * The key store as other threads read it. It sees what is durable: enough for whoever reads events from the log,
 * which are durable after their keys.
 */
export interface KeyReader extends Opener, IdentityDirectory {
  /**
   * Drops what is cached of an owner. Keys are cached as long as they are used: after an erasure every reader must be
   * told, or it goes on opening what it has opened before.
   */
  forget(owner: IdentityId): void
  /** What there is of these identities. */
  holdings(ids: readonly IdentityId[]): Holdings
  close(): void
}

/** Throws `KeyStoreError` as `openKeyStore` does; makes nothing. */
export function openOpener(directory: string, options: OpenerOptions = {}): KeyReader {
  const tables = new SqliteTables(directory)
  try {
    const masterKey = masterKeyFor(directory, options.masterKey)
    const ahead = options.readsAhead === true ? new KeyReadAhead(tables) : undefined
    const vault = new Vault(ahead ?? tables, { masterKey, macKeys: tables.macKeys(masterKey) }, options)
    return {
      find: (namespace, value) => vault.find(namespace, value),
      reveal: (id) => vault.reveal(id),
      open: (part, context) => vault.open(part, context),
      forget: (owner) => {
        ahead?.forget(owner)
        vault.forget(owner)
      },
      holdings: (ids) => vault.holdings(ids),
      close: () => {
        vault.forgetEverything()
        tables.close()
      },
    }
  } catch (error) {
    tables.close()
    throw error
  }
}
