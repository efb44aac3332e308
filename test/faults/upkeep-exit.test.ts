import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

// Theorem: a process that closes the log outlives the upkeep thread's last work, though that thread keeps no process alive
// otherwise: closing never ends in a process that is gone before it is done.

it.each(['calm', 'hurried'])('the thread is %s', (pace) => {
  const child = join(import.meta.dirname, 'upkeep-exit-child.ts')
  const { stdout, stderr, status } = spawnSync(process.execPath, [child, pace], { encoding: 'utf8' })
  expect({ stdout, stderr, status }).toEqual({ stdout: 'closed', stderr: '', status: 0 })
})
