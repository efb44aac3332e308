import { resolve } from 'node:path'
import { withCompressed } from '../../engine/log/embedded/compressed-files.ts'
import { type Files, systemFiles } from '../../engine/log/embedded/files.ts'
import { decodeMasterKey } from '../../engine/privacy/master-key.ts'
import { type Configuration, loadConfiguration } from '../configuration.ts'
import { type Terminal, UsageError } from './command.ts'

/** What commands that work on files need to know of an installation. */
export interface Installation {
  readonly configuration: Configuration
  readonly data: string
  /** As the environment hands it in. */
  readonly masterKey: Uint8Array | undefined
  /** The disk, compressed segments under their plain names. */
  readonly files: Files
}

/** By the environment, as the engine reads it; throws `UsageError` where that is wrong. */
export function findInstallation({ env }: Terminal, data?: string | undefined): Installation {
  const loaded = loadConfiguration(env)
  if (loaded._tag === 'Left') throw new UsageError(loaded.left.map(({ message }) => message).join(' '))
  const configuration = loaded.right
  const { masterKey } = configuration
  return {
    configuration,
    data: resolve(data ?? configuration.dataDirectory),
    masterKey: masterKey === undefined ? undefined : decodeMasterKey(masterKey),
    files: withCompressed(systemFiles),
  }
}
