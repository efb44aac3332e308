import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { collect } from './events.ts'
import { opened, refused, temporaryDirectory } from './support.ts'

// Theorem: a log whose process is killed while it writes opens again, and holds every acknowledged event once, at the
// position that was acknowledged and in the order of appending; what it holds besides was appended too. While it lives
// no other process opens the log; when it is dead, the next does at once.

const CHILD = fileURLToPath(new URL('./kill-child.ts', import.meta.url))

/** Lets a process write and kills it; answers what it acknowledged: position → id. */
async function killed(directory: string, run: number, afterMs: number): Promise<Map<number, string>> {
  const file = join(directory, `acknowledged-${run}`)
  const child = spawn(process.execPath, [CHILD, directory, String(run), file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), ended])
  expect(await refused(directory)).toEqual({ _tag: 'AlreadyOpen', directory })
  await setTimeout(afterMs)
  child.kill('SIGKILL')
  await ended
  expect(child.signalCode).toBe('SIGKILL')
  // The last line may be half a line.
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return new Map(lines.map((line) => [Number(line.split(' ')[0]), line.split(' ')[1] ?? '']))
}

describe('killed while writing', () => {
  it('loses and invents nothing, again and again', async () => {
    const directory = temporaryDirectory()
    const acknowledged = new Map<number, string>()
    for (const [run, afterMs] of [0, 3, 8, 20, 45, 90].entries()) {
      const acks = await killed(directory.path, run, afterMs)
      expect(acks.size).toBeGreaterThan(0)
      for (const [position, id] of acks) acknowledged.set(position, id)

      const log = await opened(directory.path)
      const events = await collect(log.read())
      await log.close()
      expect(events.map((event) => event.position)).toEqual(events.map((_, i) => i + 1))
      expect(events.map((event) => event.revision)).toEqual(events.map((_, i) => i))
      const ids = new Map(events.map((event) => [event.position, event.id]))
      for (const [position, id] of acknowledged) expect(ids.get(position)).toBe(id)
      // Each run numbered its events in the order in which it appended them.
      for (let each = 0; each <= run; each++) {
        const numbers = events.filter((event) => event.id.startsWith(`${each}-`)).map(({ id }) => id)
        expect(numbers).toEqual(numbers.map((_, i) => `${each}-${i}`))
      }
    }
    directory.remove()
  }, 60_000)
})
