/**
 * Theorem: an engine that is told to stop while it starts leaves no nats-server behind, the one that it was just starting included,
 * and ends as cleanly as one that was up.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EngineProcess } from '../support/engine-process.ts'
import { describeNats } from '../support/nats-server.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-stopped-'))
})

afterEach(() => {
  for (const pid of serversWith(directory)) process.kill(pid, 'SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

/** Processes that have a file of this directory on their command line. */
function serversWith(prefix: string): readonly number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.filter((pid) => commandLine(pid).some((word) => word.startsWith(prefix))).map(Number)
}

function commandLine(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

async function appears(path: string): Promise<void> {
  for (let waited = 0; waited < 20_000 && !existsSync(path); waited += 5) await sleep(5)
  expect(existsSync(path)).toBe(true)
}

describeNats('with nats-server on the PATH', () => {
  describe.runIf(process.platform === 'linux')('where /proc tells what runs', () => {
    test('stopped while nats-server starts', async () => {
      const engine = new EngineProcess(0, directory, { HEADWATER_NATS_PORT: '0' })
      const starting = engine.start().catch((error: unknown) => String(error))
      await appears(join(directory, 'nats', 'nats.conf'))
      expect(await engine.kill('SIGTERM')).toBe(0)
      expect(serversWith(directory)).toEqual([])
      expect(await starting).toMatch(/ended with 0/)
      expect(engine.output).not.toMatch(/"level":[56]0/)
    })
  })
})
