import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import {
  type EmbeddedLog,
  type EmbeddedLogOptions,
  openEmbeddedLog,
} from '../../engine/log/embedded/embedded.ts'
import { type Files, systemFiles } from '../../engine/log/embedded/files.ts'
import type { OpenFailure } from '../../engine/log/embedded/recovery.ts'

export interface TemporaryDirectory {
  readonly path: string
  remove(): void
}

export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), 'headwater-log-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/**
 * The real disk without waiting for it, for tests that end in no crash: logs then commit on this thread and without a
 * lock.
 */
export const unsyncedFiles: Files = {
  ...systemFiles,
  openWrite: (path) => ({ ...systemFiles.openWrite(path), sync: () => {} }),
  create: (path) => ({ ...systemFiles.create(path), sync: () => {} }),
  syncDirectory: () => {},
}

/** Small enough for several segments and chunks in a test. */
export const SMALL: EmbeddedLogOptions = { segmentBytes: 16 * 1024, chunkBytes: 4 * 1024 }

export async function opened(directory: string, options: EmbeddedLogOptions = SMALL): Promise<EmbeddedLog> {
  const result = await openEmbeddedLog(directory, options)
  if (E.isLeft(result)) throw new Error(`the log doesn't open: ${JSON.stringify(result.left)}`)
  return result.right
}

export async function refused(directory: string, options: EmbeddedLogOptions = SMALL): Promise<OpenFailure> {
  const result = await openEmbeddedLog(directory, options)
  if (E.isLeft(result)) return result.left
  await result.right.close()
  throw new Error('the log opened')
}
