import { execFile } from 'node:child_process'
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** What a process that opened something tells of it. */
export interface Opened {
  /** Until it was open, without the start of Node. */
  readonly ms: number
  readonly position: number
  readonly rssMb: number
  readonly indexMb: number
}

const STDOUT = 1

export function answer(opened: Opened): void {
  writeSync(STDOUT, `${JSON.stringify(opened)}\n`)
}

const run = promisify(execFile)

/** Runs one of the scripts here; `signal` ends it. */
export async function openIn(
  script: 'log-child.ts' | 'engine-child.ts',
  args: readonly string[],
  signal: AbortSignal,
): Promise<Opened> {
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, script), ...args], { signal })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Opened
}

/** Takes files out of the page cache (posix_fadvise by coreutils' dd); false where that doesn't work. */
export async function dropFromCache(paths: readonly string[], signal: AbortSignal): Promise<boolean> {
  try {
    for (const path of paths) {
      await run('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none'], { signal })
    }
    return true
  } catch {
    return false
  }
}
