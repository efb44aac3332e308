import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { basename } from 'node:path'

/**
 * Puts the calling thread behind others, for work that may wait: when cores are short, the intake, queries and the log
 * come first. On Linux priorities are a thread's own; elsewhere nothing is done.
 */
export function giveWay(): void {
  if (process.platform !== 'linux') return
  try {
    const thread = Number(basename(readlinkSync('/proc/thread-self')))
    setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // No /proc, or not allowed: then it shares as every thread does.
  }
}
