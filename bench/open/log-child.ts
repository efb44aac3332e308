import { systemClock } from '../../engine/clock.ts'
import { openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { answer } from './child.ts'

/** Opens the log of a directory in a process of its own, as after a restart. */
const [directory = '', mode = 'open'] = process.argv.slice(2)
const startMs = systemClock.monotonicMs()
const opened = await openEmbeddedLog(directory, { compression: 'off' })
const ms = systemClock.monotonicMs() - startMs
if (opened._tag === 'Left') throw new Error(`the log does not open: ${opened.left._tag}`)
const log = opened.right
// The first time everything is indexed, and runs of indexes are merged in the background.
while (mode === 'prepare' && log.upkeepWaiting() > 0) await new Promise((resolve) => setTimeout(resolve, 50))
const { position } = log.head()
answer({ ms, position, rssMb: process.memoryUsage().rss / 1e6, indexMb: log.indexBytes() / 1e6 })
await log.close()
