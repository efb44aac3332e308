import type { Clock } from '../../engine/clock.ts'
import { messageOf } from './input-file.ts'
import { type ImportIdentity, type Progress, writeProgress } from './progress-file.ts'

/** Saves progress now and then, one write at a time, and the newest at the end. */
export interface ProgressKeeper {
  save(progress: Omit<Progress, keyof ImportIdentity>): void
  /** Resolves when the newest is on the disk, or with why it isn't: an import goes on without it. */
  close(): Promise<string | undefined>
}

/** Losing a second of progress costs a second of duplicates. */
const SAVE_EVERY_MS = 1_000

export function createProgressKeeper(
  path: string | undefined,
  identity: ImportIdentity,
  clock: Clock,
): ProgressKeeper {
  let newest: Progress | undefined
  let failed: string | undefined
  let writing: Promise<void> = Promise.resolve()
  let lastMs = clock.monotonicMs()
  const write = (): void => {
    const progress = newest
    newest = undefined
    if (path === undefined || progress === undefined) return
    lastMs = clock.monotonicMs()
    writing = writing
      .then(() => writeProgress(path, progress))
      .catch((error: unknown) => {
        failed = `progress can't be kept: ${messageOf(error)}`
      })
  }
  return {
    save: (progress) => {
      newest = { ...identity, ...progress }
      if (clock.monotonicMs() - lastMs >= SAVE_EVERY_MS) write()
    },
    close: async () => {
      write()
      await writing
      return failed
    },
  }
}
