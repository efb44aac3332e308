import { strict as assert } from 'node:assert'
import { basename, join } from 'node:path'
import { plainFiles, withCompressed } from '../../engine/log/embedded/compressed-files.ts'
import type { Files } from '../../engine/log/embedded/files.ts'
import type { StoredFile } from './manifest.ts'

/** A disk that is only read: what opening a log for writing would cut and sync stays as it is. */
export function readOnly(files: Files): Files {
  const refuse = (): never => assert.fail('a check writes nothing')
  return {
    makeDirectory: refuse,
    list: files.list,
    openRead: files.openRead,
    // Recovery writes the last block again as it is, and cuts what is torn.
    openWrite: (path) => ({
      ...files.openRead(path),
      write: (bytes) => bytes.length,
      truncate: () => {},
      sync: () => {},
    }),
    create: refuse,
    rename: refuse,
    remove: refuse,
    syncDirectory: () => {},
  }
}

/** The log's segments that a backup holds, as if they were alone in a directory of any name; read-only. */
export function storedLog(files: Files, directory: string, stored: readonly StoredFile[]): Files {
  const places = new Map(
    stored
      .filter(({ path }) => path.startsWith('log/'))
      .map((file) => [basename(file.path), join(directory, file.stored)]),
  )
  const disk = plainFiles(files)
  return withCompressed(
    readOnly({
      ...disk,
      list: () => [...places.keys()],
      openRead: (path) => disk.openRead(places.get(basename(path)) ?? path),
    }),
  )
}
