import { indexKeys } from '../../engine/log/embedded/index/index-keys.ts'
import type { UpkeepReport } from '../../engine/log/embedded/upkeep.ts'
import { type UpkeepSide, upkeepThread } from '../../engine/log/embedded/upkeep-side.ts'

/**
 * Closes the side of an upkeep thread that takes its time over that, and says so when it is closed. Argument: `hurried`
 * where the thread was as urgent as everything else, and turns out not to be any more while it is closed.
 */
const hurried = process.argv[2] === 'hurried'

const WORKER = `
  import { parentPort } from 'node:worker_threads'
  parentPort.on('message', ({ kind }) => {
    if (kind === 'close') setTimeout(() => {
      parentPort.postMessage({ kind: 'compressed', first: 1 })
      setTimeout(() => parentPort.close(), 50)
    }, 50)
  })`

const module = new URL(`data:text/javascript,${encodeURIComponent(WORKER)}`)
const begin = upkeepThread('/nowhere', indexKeys(Buffer.alloc(16)), module)
const side: UpkeepSide = begin((_report: UpkeepReport) => side.hurry(false))
side.send({ kind: 'compress', first: 1 })
if (hurried) side.hurry(true)
await side.close()
process.stdout.write('closed')
