import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import { loadConfiguration } from '../../api/configuration.ts'
import { openEngine } from '../../api/engine.ts'
import { systemClock } from '../../engine/clock.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { ConfigurationState } from '../../engine/projector/configuration.ts'
import { foldPast } from '../../engine/projector/past-fold.ts'
import { digestInSteps } from '../../engine/store/digest.ts'
import { openSqliteWriter } from '../../engine/store/sqlite-writer.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import { projections } from '../../projections/catalog.ts'
import { answer } from './child.ts'
import { deliveries, type Order } from './deliveries.ts'
import { openHistory } from './history.ts'

/** Sends deliveries to an engine, waits until its read models hold them, and compares these with the ordered oracle. */
const [directory = '', order = '', events = '', people = ''] = process.argv.slice(2)
const BATCH = 100
const UNDER_WAY = 50
const POLL_MS = 2

const all = deliveries(order as Order, Number(events), Number(people), systemClock.nowMs())
const ms = await live()
answer('live-child.ts', { sent: all.length, ms, different: await differing() })

async function live(): Promise<number> {
  const configuration = loadConfiguration({})
  if (E.isLeft(configuration)) throw new Error('the default configuration is wrong')
  const opened = await openEngine({
    ...configuration.right,
    directory,
    masterKey: undefined,
    clock: systemClock,
    onResult: () => undefined,
    onProgress: () => undefined,
    onNotice: () => undefined,
  })
  if (E.isLeft(opened)) throw new Error(opened.left)
  const engine = opened.right
  const startMs = systemClock.monotonicMs()
  let next = 0
  const sender = async (): Promise<void> => {
    while (next < all.length) {
      const batch = all.slice(next, next + BATCH)
      next += BATCH
      const results = await engine.intake.submit(
        batch.map((value) => ({ value })),
        { defaultSource: 'web' },
      )
      const lost = results.find(({ status }) => status !== 'appended' && status !== 'duplicate')
      if (lost !== undefined) throw new Error(`an event was ${lost.status}`)
    }
  }
  await Promise.all(Array.from({ length: UNDER_WAY }, sender))
  while (engine.projected().position < engine.log.head().position) await sleep(POLL_MS)
  const endMs = systemClock.monotonicMs()
  await engine.stop()
  return endMs - startMs
}

/** Read models that differ from those of the same events in the order of their time. */
async function differing(): Promise<readonly string[]> {
  const { log, open, close } = await openHistory(directory)
  const oracle = openSqliteWriter(join(directory, 'oracle.sqlite'))
  const served = openSqliteWriter(join(directory, 'read-models.sqlite'))
  const head = log.head()
  await foldPast({
    log,
    store: oracle,
    projections,
    moment: { by: 'occurred', ...head, time: head.received },
    config: new ConfigurationState(),
    rules: DEFAULT_RULES,
    open,
    clock: systemClock,
    signal: new AbortController().signal,
  })
  const ordered = digestsOf(oracle)
  const found = digestsOf(served)
  oracle.close()
  served.close()
  await close()
  return [...ordered].filter(([build, digest]) => found.get(build) !== digest).map(([build]) => build)
}

function digestsOf(store: StoreWriter): ReadonlyMap<string, string> {
  const snapshot = store.snapshot()
  const digests = new Map<string, string>()
  for (const { build, serving } of store.builds()) {
    if (!serving) continue
    const steps = digestInSteps(snapshot, build)
    let step = steps.next()
    while (step.done !== true) step = steps.next()
    digests.set(build, step.value.digest)
  }
  snapshot.close()
  return digests
}
