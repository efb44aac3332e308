import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { basename } from 'node:path'

/**
 * Puts the calling thread behind others, for work that may wait: when cores are short, the intake, queries and the log
 * come first. On Linux priorities are a thread's own; elsewhere nothing is done.
 */
export function giveWay(): void {
  setOwnPriority(constants.priority.PRIORITY_BELOW_NORMAL)
}

/** Takes `giveWay` back, where the system lets one: without privileges it may not. */
export function takeTurns(): void {
  setOwnPriority(constants.priority.PRIORITY_NORMAL)
}

function setOwnPriority(priority: number): void {
  if (process.platform !== 'linux') return
  try {
    const thread = Number(basename(readlinkSync('/proc/thread-self')))
    setPriority(thread, priority)
  } catch {
    // No /proc, or not allowed: then it shares as every thread does.
  }
}
