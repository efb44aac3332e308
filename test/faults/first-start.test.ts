import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { checkLeft, parseReport } from './kernel-world.ts'
import { countCalls, runInjected, straceWorks } from './strace.ts'

// Theorem: a process killed while it makes its key store, before anything is in it, leaves what the next one makes whole.

const CHILD = join(import.meta.dirname, 'kernel-child.ts')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-first-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

it.skipIf(!straceWorks())(
  'killed with a journal to roll back (skipped where strace may not trace)',
  async () => {
    const args = [CHILD, directory, '0', '2']
    const path = join(directory, 'keys', 'keys.sqlite')
    const { signal } = await runInjected(args, { call: 'fsync', path, when: 1, effect: 'signal=SIGKILL' })
    expect(signal).toBe('SIGKILL')
    const { traced } = await countCalls(args, directory)
    const reports = parseReport(traced.output)
    expect(reports.at(-1)).toEqual({ kind: 'done' })
    await checkLeft(directory, reports)
  },
  30_000,
)
