import { readFileSync, statfsSync, statSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import type { Files } from '../../engine/log/embedded/files.ts'
import { systemFiles } from '../../engine/log/embedded/files.ts'

/** What the checks ask of the machine: so little that a test can stand one up that is ill in any way. */
export interface Machine {
  readonly nodeVersion: string
  readonly platform: string
  /** Of the user who runs this; undefined on Windows. */
  readonly user: number | undefined
  readonly cores: number
  readonly memoryBytes: number
  /** A small text file of the system's (`/proc`, `/sys`); undefined where there is none. */
  readText(path: string): string | undefined
  /** Throws errors with the system's `code`. */
  volume(path: string): Volume
  mode(path: string): FileMode | undefined
  readonly files: Files
}

export interface Volume {
  /** The kernel's number of the file system's type (statfs(2)). */
  readonly type: number
  readonly freeBytes: number
  readonly sizeBytes: number
  /** 0 of 0 where the file system makes them as needed. */
  readonly freeInodes: number
  readonly inodes: number
}

export interface FileMode {
  /** Permission bits. */
  readonly bits: number
  readonly owner: number
  readonly isDirectory: boolean
}

export const systemMachine: Machine = {
  nodeVersion: process.version,
  platform: process.platform,
  user: process.getuid?.(),
  cores: availableParallelism(),
  memoryBytes: totalmem(),
  readText(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  },
  volume(path) {
    const { type, bavail, bsize, blocks, ffree, files } = statfsSync(path)
    return {
      type: type >>> 0,
      freeBytes: bavail * bsize,
      sizeBytes: blocks * bsize,
      freeInodes: ffree,
      inodes: files,
    }
  },
  mode(path) {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) return undefined
    return { bits: found.mode & 0o777, owner: found.uid, isDirectory: found.isDirectory() }
  },
  files: systemFiles,
}
