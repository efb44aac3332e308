/**
 * Theorem: an embedded log that mirrors one in an EventStoreDB is the same thing to whoever uses it as the embedded one alone. Shown with the
 * official client over a server of the same protocol.
 */
import { join } from 'node:path'
import { openMirroredLog } from '../../engine/log/mirrored.ts'
import { serve } from '../esdb/client.ts'
import { memoryBackend } from '../esdb/memory-backend.ts'
import { logContract } from './contract.ts'
import { openedOn } from './eventstore-support.ts'
import { opened, temporaryDirectory, unsyncedFiles } from './support.ts'

logContract('embedded log that mirrors one in EventStoreDB', async () => {
  const directory = temporaryDirectory()
  const server = await serve(memoryBackend(), { maxAppendBytes: 4 * 1024 * 1024 })
  const log = await openMirroredLog(
    await openedOn(server, directory.path),
    await opened(join(directory.path, 'log'), { files: unsyncedFiles, chunkBytes: 64 * 1024 }),
  )
  return {
    log,
    dispose: async () => {
      await log.close()
      await server.stop()
      directory.remove()
    },
  }
})
