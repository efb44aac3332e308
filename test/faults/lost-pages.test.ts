import { expect, it } from 'vitest'
import type { Files } from '../../engine/log/embedded/files.ts'
import { anEvent, appends, positions, T0 } from '../log/events.ts'
import { emptyDisk, opened } from './script.ts'

// Theorem: after an fsync that failed, the page cache shows what will never be on the disk (Linux drops the marks of the
// pages that it couldn't write), and a restart without a reboot finds it whole. What is acknowledged on top of that is
// there after the power goes all the same; and if it can't be written then either, the log doesn't open.

const SETTINGS = { segmentBytes: 65_536, chunkBytes: 4096 }
const open = (files: Files) => opened(SETTINGS, files)

/** A disk whose log's second block is in the page cache alone. Answers what an opening of it does. */
async function lost() {
  const disk = emptyDisk()
  const probe = disk.fork()
  const whole = await open(probe.files())
  for (let i = 0; i < 2; i++) await whole.append(appends(anEvent()))
  const at = probe.operations.lastIndexOf('sync')
  const log = await open(disk.files(new Map([[at, { kind: 'lose_pages' }]])))
  await log.append(appends(anEvent()))
  const [failed] = await log.append(appends(anEvent()))
  expect(failed).toMatchObject({ left: { _tag: 'WriterStopped' } })
  return disk
}

it('a block whose fsync failed, found whole after a restart, survives a power cut that follows', async () => {
  const disk = await lost()
  const restarted = await open(disk.files())
  expect(await positions(restarted)).toEqual([1, 2])
  const [acknowledged] = await restarted.append(appends(anEvent({ received: T0 + 1 })))
  expect(acknowledged).toMatchObject({ right: { position: 3 } })
  disk.cutPower({ kind: 'nothing' })
  expect(await positions(await open(disk.files()))).toEqual([1, 2, 3])
})

it('when the disk fails again while it is opened, the log does not open, and does so once the disk works', async () => {
  const disk = await lost()
  const probe = disk.fork()
  await open(probe.files())
  const written = probe.operations.indexOf('write')
  const synced = probe.operations.indexOf('sync')
  expect(synced).toBe(written + 1)
  for (const [at, kind] of [
    [written, 'fail'],
    [synced, 'lose_pages'],
  ] as const) {
    const fault = kind === 'fail' ? { kind, code: 'EIO' as const } : { kind }
    await expect(open(disk.files(new Map([[at, fault]])))).rejects.toThrow('EIO')
  }
  const restarted = await open(disk.files())
  await restarted.append(appends(anEvent({ received: T0 + 1 })))
  disk.cutPower({ kind: 'nothing' })
  expect(await positions(await open(disk.files()))).toEqual([1, 2, 3])
})
