import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import { systemClock } from '../../engine/clock.ts'
import { openQuarantine } from '../../engine/intake/quarantine.ts'
import { openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import type { KeyStore } from '../../engine/privacy/privacy.ts'
import { bodyText, contextOf, KERNEL_LOG, personOf, reportLine, sealedText } from './kernel-world.ts'

/**
 * Log, key store and quarantine in one process, as the engine has them: a person's part is sealed, its key made durable,
 * the event appended; then something is quarantined. Arguments: data directory, run, number of commits (0: until it is
 * killed). Says on standard output what was acknowledged, when it was.
 */
const [directory = '', run = '', commits = '0'] = process.argv.slice(2)
const say = (report: Parameters<typeof reportLine>[0]): void => {
  writeSync(1, reportLine(report))
}

const opened = await openEmbeddedLog(join(directory, 'log'), KERNEL_LOG)
if (E.isLeft(opened)) throw new Error(JSON.stringify(opened.left))
const log = opened.right
const masterKey = Buffer.alloc(32, 7)
const clock = systemClock
const keyStore = openKeyStore(join(directory, 'keys'), {
  clock,
  masterKey,
  create: log.head().position === 0,
})
const quarantine = openQuarantine(join(directory, 'quarantine'), keyStore, clock)
let received = Math.max(log.head().received, clock.nowMs())

async function commit(number: number): Promise<void> {
  const events = Array.from({ length: (number % 3) + 1 }, (_, i) =>
    sealedEvent(keyStore, `${run}-${number}-${i}`),
  )
  try {
    await keyStore.flush()
  } catch (error) {
    if (!(error instanceof KeyStoreError)) throw error
    say({ kind: 'refused', what: 'keys', why: error.failure._tag })
    await setTimeout(REFUSED_MS)
    return
  }
  received = Math.max(received, clock.nowMs())
  const results = await log.append(events.map((event) => ({ event: { ...event, received } })))
  for (const [i, result] of results.entries()) {
    const { id = '' } = events[i] ?? {}
    if (E.isRight(result)) say({ kind: 'appended', id, position: result.right.position })
    else say({ kind: 'refused', what: 'log', why: result.left._tag })
  }
  if (number % 4 === 1) await keep(`${run}-${number}`)
}

function sealedEvent(keys: KeyStore, id: string) {
  const context = contextOf(id)
  const owner = keys.identify({ namespace: 'user', value: personOf(id) })
  const part = keys.seal(owner, 'profile', Buffer.from(sealedText(id)), context)
  const time = clock.nowMs()
  return {
    ...{ id, source: context.source, type: context.type, schema: 1, stream: `person-${owner}`, time },
    ...{ identities: [{ id: owner, namespace: 'user' }], data: { pad: 'x'.repeat(id.length * 40) } },
    ...{ normalised: {}, normaliser: 1, sealed: [part] },
  }
}

async function keep(id: string): Promise<void> {
  const body = Buffer.from(bodyText(id))
  const item = {
    body,
    reason: 'invalid_data' as const,
    message: 'm',
    source: 'web',
    id,
    received: clock.nowMs(),
  }
  for (const kept of await quarantine.put([item])) {
    if (E.isRight(kept)) say({ kind: 'kept', id, quarantineId: kept.right.quarantineId })
    else say({ kind: 'refused', what: 'quarantine', why: kept.left._tag })
  }
}

/** Whoever is refused tries again a little later. */
const REFUSED_MS = 10

say({ kind: 'up' })
for (let number = 0; commits === '0' || number < Number(commits); number++) await commit(number)
await quarantine.close()
await keyStore.close()
await log.close()
say({ kind: 'done' })
