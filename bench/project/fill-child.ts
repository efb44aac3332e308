import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { loadConfiguration } from '../../api/configuration.ts'
import { systemClock } from '../../engine/clock.ts'
import { registry } from '../../engine/events/registry.ts'
import { guardClock } from '../../engine/intake/clock-guard.ts'
import { createIntake } from '../../engine/intake/intake.ts'
import { openQuarantine } from '../../engine/intake/quarantine.ts'
import { openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import { reassemble } from '../../engine/privacy/sealing.ts'
import { createTraffic } from '../simulator/traffic.ts'
import { answer } from './child.ts'

/** Writes the steady mix through the intake into a data directory, as an engine without read models would. */
const [directory = '', events = '', people = ''] = process.argv.slice(2)
const BATCH = 100
const AT_ONCE = 50
/** Between two events of the made-up past, ms. */
const STEP_MS = 2_000

const configuration = loadConfiguration({})
if (E.isLeft(configuration)) throw new Error('the default configuration is wrong')
for (const part of ['log', 'keys', 'quarantine']) mkdirSync(join(directory, part), { recursive: true })
const opened = await openEmbeddedLog(join(directory, 'log'), { workspace: 'default' })
if (E.isLeft(opened)) throw new Error(opened.left._tag)
const log = opened.right
const keyStore = openKeyStore(join(directory, 'keys'), { clock: systemClock, create: true })
const quarantine = openQuarantine(join(directory, 'quarantine'), keyStore, systemClock)
const intake = createIntake({
  ...configuration.right,
  log,
  keyStore,
  quarantine,
  registry,
  clock: systemClock,
  guard: guardClock(systemClock, 0),
  reassemble: (event) => reassemble(event, keyStore),
  onResult: () => undefined,
})
const traffic = createTraffic({ seed: 1, people: Number(people) })
const startMs = systemClock.monotonicMs()
let timeMs = systemClock.nowMs() - Number(events) * STEP_MS
function next() {
  timeMs += STEP_MS
  return { value: traffic.next(timeMs) }
}
for (let sent = 0; sent < Number(events); sent += BATCH * AT_ONCE) {
  const batches = Array.from({ length: AT_ONCE }, () => Array.from({ length: BATCH }, next))
  const results = await Promise.all(batches.map((batch) => intake.submit(batch, { defaultSource: 'web' })))
  const lost = results.flat().find(({ status }) => status !== 'appended')
  if (lost !== undefined) throw new Error(`an event was ${lost.status}`)
}
await intake.close()
await quarantine.close()
await keyStore.close()
const { position } = log.head()
await log.close()
answer('fill-child.ts', {
  events: position,
  perS: (position / (systemClock.monotonicMs() - startMs)) * 1_000,
})
