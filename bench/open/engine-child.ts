import * as E from 'fp-ts/lib/Either.js'
import { loadConfiguration } from '../../api/configuration.ts'
import { openEngine } from '../../api/engine.ts'
import { systemClock } from '../../engine/clock.ts'
import { answer } from './child.ts'

/** Starts the whole engine but for its network sides on a data directory, until its first event is durable. */
const [directory = ''] = process.argv.slice(2)
const startMs = systemClock.monotonicMs()
const configuration = loadConfiguration({})
if (E.isLeft(configuration)) throw new Error('the default configuration is wrong')
const opened = await openEngine({
  ...configuration.right,
  directory,
  logCompression: 'off',
  masterKey: undefined,
  clock: systemClock,
  onResult: () => undefined,
  onProgress: () => undefined,
  onNotice: () => undefined,
})
if (E.isLeft(opened)) throw new Error(opened.left)
const engine = opened.right
const taken = await engine.intake.record({ type: 'clock.advanced', id: `bench-${process.pid}`, data: {} })
const ms = systemClock.monotonicMs() - startMs
if (taken.status !== 'appended') throw new Error(`the event was ${taken.status}`)
const { position } = engine.log.head()
answer({ ms, position, rssMb: process.memoryUsage().rss / 1e6, indexMb: engine.log.indexBytes() / 1e6 })
// Its read models would go on being folded, which nobody waits for.
process.exit()
