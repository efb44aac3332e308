import { expect, it } from 'vitest'
import type { Files } from '../../engine/log/embedded/files.ts'
import { anEvent, appends, positions } from '../log/events.ts'
import { DiskError } from './fake-disk.ts'
import { emptyDisk, opened } from './script.ts'

// Theorem: a directory that can't be listed, or a new segment that can't be opened for reading, when a segment begins, takes
// nothing from an event that is durable: it is acknowledged, and can be read once the disk can be read again.

it.each([
  ['list', 'readdir'],
  ['openRead', 'open'],
] as const)('%s fails when a segment begins: the event is acknowledged', async (operation, name) => {
  const files = emptyDisk().files()
  let failing = false
  const failingFiles: Files = {
    ...files,
    [operation]: (path: string) => {
      if (failing) throw new DiskError('EIO', name)
      return files[operation](path)
    },
  }
  const log = await opened({ segmentBytes: 600, chunkBytes: 512 }, failingFiles)
  await log.append(appends(anEvent()))
  failing = true
  const [second] = await log.append(appends(anEvent({ data: { text: 'x'.repeat(500) } })))
  expect(second).toMatchObject({ right: { position: 2 } })
  failing = false
  expect(await positions(log)).toEqual([1, 2])
  await log.close()
})
