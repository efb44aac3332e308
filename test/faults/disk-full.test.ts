import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { eraseNow, openAt, send } from '../erasure/support.ts'
import { checkLeft, parseReport, type Report } from './kernel-world.ts'

// Theorem: on a real disk without room, with writes that are cut short, log, keys and quarantine acknowledge nothing that
// isn't kept; when there is room again the same process goes on; and everything acknowledged before, meanwhile and after
// is there.

const CHILD = join(import.meta.dirname, 'kernel-child.ts')
const MIB = 1024 * 1024
const ROOM_BYTES = 600 * 1024

const mount = mkdtempSync(join(tmpdir(), 'headwater-full-'))
const mounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mount], { stdio: 'ignore' }).status === 0
afterAll(() => {
  if (mounted) spawnSync('umount', [mount])
  rmSync(mount, { recursive: true, force: true })
})

function started(directory: string, program: string, args: readonly string[]) {
  const child = spawn(program, [...args, CHILD, directory, '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = once(child, 'close')
  return {
    reports: (): readonly Report[] => parseReport(output),
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
    ended,
  }
}

/** With zeros, until there is no room. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (;;) writeSync(file, Buffer.alloc(64 * 1024))
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  } finally {
    closeSync(file)
  }
}

const count = (reports: readonly Report[], kind: Report['kind']): number =>
  reports.filter((report) => report.kind === kind).length

describe('a small file system', () => {
  it.skipIf(!mounted).each([
    ['all data', 'data'],
    ['the log alone', 'data/log'],
  ])(
    'full, then with room again (skipped where a tmpfs may not be mounted): %s',
    async (_, small) => {
      const directory = mkdtempSync(join(tmpdir(), 'headwater-fills-'))
      const [within, data] = [join(mount, small), join(directory, 'data')]
      mkdirSync(within, { recursive: true })
      if (small !== 'data') mkdirSync(data)
      symlinkSync(within, join(directory, small))
      const ballast = join(mount, 'ballast')
      writeFileSync(ballast, Buffer.alloc(8 * MIB - ROOM_BYTES))

      const child = started(data, process.execPath, [])
      await expect.poll(() => count(child.reports(), 'refused'), { timeout: 30_000 }).toBeGreaterThan(10)
      const full = child.reports()
      for (const report of full) if (report.kind === 'refused') expect(report.why).toBe('DiskFull')
      if (small !== 'data') expect(full).toContainEqual({ kind: 'refused', what: 'log', why: 'DiskFull' })
      expect(count(full, 'appended')).toBeGreaterThan(10)
      rmSync(ballast)
      const wanted = count(full, 'appended') + 30
      await expect.poll(() => count(child.reports(), 'appended'), { timeout: 30_000 }).toBeGreaterThan(wanted)
      await child.kill()
      await checkLeft(data, child.reports())
      rmSync(directory, { recursive: true })
      rmSync(within, { recursive: true })
    },
    90_000,
  )

  it.skipIf(!mounted)(
    'no room for a signing key: the engine starts, takes events, and says so',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'headwater-unsigned-'))
      const audit = join(mount, 'audit')
      mkdirSync(audit)
      symlinkSync(audit, join(directory, 'audit'))
      // Every page but what the file system keeps for itself.
      const ballast = join(mount, 'ballast')
      fill(ballast)
      const { engine, notices } = await openAt(directory)
      expect(notices.join('\n')).toContain('no room to keep a signing key')
      const event = { id: '1', source: 'web', type: 'cdp.page', data: { userId: 'u1', name: 'Home' } }
      expect(await send(engine, event)).toMatchObject([{ status: 'appended' }])
      await expect(engine.audit.proveInclusion(1)).rejects.toThrow('no room to keep a signing key')
      await engine.stop()
      rmSync(ballast)
      const again = await openAt(directory)
      await expect.poll(() => again.engine.audit.treeHead()?.size, { timeout: 10_000 }).toBe(1)
      await again.engine.stop()
      rmSync(directory, { recursive: true })
      rmSync(audit, { recursive: true })
    },
    30_000,
  )

  it.skipIf(!mounted)(
    'no room for an erasure that is asked for: said so, and nothing begins; with room it is done',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'headwater-unasked-'))
      symlinkSync(join(mount, 'ops.sqlite'), join(directory, 'ops.sqlite'))
      const { engine } = await openAt(directory)
      await send(engine, { id: '1', source: 'web', type: 'cdp.identify', data: { userId: 'jane' } })
      const identity = engine.keyStore.find('user', 'jane') ?? expect.fail('she is known')
      const ballast = join(mount, 'ballast')
      fill(ballast)
      const asked = await engine.erasures.request({ identity, waitMs: 0 })
      expect(asked).toMatchObject({ left: { _tag: 'HeldUp', why: expect.stringContaining('disk is full') } })
      expect(engine.erasures.list()).toEqual([])
      expect(engine.erasures.counts()).toMatchObject({ scheduled: 0, executing: 0 })
      rmSync(ballast)
      expect((await eraseNow(engine, identity)).state).toBe('done')
      await engine.stop()
      rmSync(directory, { recursive: true })
    },
    30_000,
  )

  it('a limit on the size of files: whatever is refused, what was acknowledged is kept', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'headwater-limit-'))
    // In blocks of 512 bytes: room for segments, and soon none for the key store.
    const child = started(directory, 'sh', ['-c', 'ulimit -f 200 && exec "$@"', 'sh', process.execPath])
    await Promise.race([
      child.ended,
      expect.poll(() => count(child.reports(), 'refused'), { timeout: 30_000 }).toBeGreaterThan(3),
    ])
    await child.kill()
    expect(count(child.reports(), 'appended')).toBeGreaterThan(5)
    await checkLeft(directory, child.reports())
    rmSync(directory, { recursive: true, force: true })
  }, 60_000)
})
