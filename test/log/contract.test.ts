import { systemFiles } from '../../engine/log/embedded/files.ts'
import { createMemoryLog } from '../../engine/log/memory.ts'
import { logContract } from './contract.ts'
import { opened, SMALL, temporaryDirectory } from './support.ts'

// Theorem: the memory log and the embedded log, on its own thread or on the caller's, with segments of any size, are
// one and the same thing to whoever uses them.

logContract('memory log', async () => {
  const log = createMemoryLog()
  return { log, dispose: () => log.close() }
})

const EMBEDDED = [
  ['embedded log', SMALL],
  ['embedded log on the calling thread', { files: systemFiles }],
] as const

for (const [name, options] of EMBEDDED) {
  logContract(name, async () => {
    const directory = temporaryDirectory()
    const log = await opened(directory.path, options)
    return {
      log,
      dispose: async () => {
        await log.close()
        directory.remove()
      },
    }
  })
}
