import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import * as E from 'fp-ts/lib/Either.js'
import { systemClock } from '../../engine/clock.ts'
import { openQuarantine, type Quarantine } from '../../engine/intake/quarantine.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { KeyStoreError } from '../../engine/privacy/failure.ts'
import { openKeyStore } from '../../engine/privacy/key-store.ts'
import type { KeyStore } from '../../engine/privacy/privacy.ts'
import { bodyText, contextOf, KERNEL_LOG, personOf, type Report, sealedText } from './kernel-world.ts'

interface Writing {
  /** The data directory. */
  readonly directory: string
  /** Number of the life; its events' ids begin with it. */
  readonly run: number
  /** 0: until it is killed. */
  readonly commits: number
  /** Told of what was acknowledged, when it was. */
  readonly say: (report: Report) => void
}

/**
 * Log, key store and quarantine in one process, as the engine has them: a person's part is sealed, its key made durable,
 * the event appended; now and then something is quarantined.
 */
export async function write({ directory, run, commits, say }: Writing): Promise<void> {
  const opened = await openEmbeddedLog(join(directory, 'log'), KERNEL_LOG)
  if (E.isLeft(opened)) throw new Error(JSON.stringify(opened.left))
  const log = opened.right
  const masterKey = Buffer.alloc(32, 7)
  const create = log.head().position === 0
  const keyStore = openKeyStore(join(directory, 'keys'), { clock: systemClock, masterKey, create })
  const quarantine = openQuarantine(join(directory, 'quarantine'), keyStore, systemClock)
  const writer = new KernelWriter(log, keyStore, quarantine, say)
  say({ kind: 'up' })
  for (let number = 0; commits === 0 || number < commits; number++) await writer.commit(`${run}-${number}`)
  for (const part of [quarantine, keyStore, log]) await part.close()
  say({ kind: 'done' })
}

/** Whoever is refused tries again a little later. */
const REFUSED_MS = 10

class KernelWriter {
  readonly #log: EmbeddedLog
  readonly #keyStore: KeyStore
  readonly #quarantine: Quarantine
  readonly #say: Writing['say']
  #received: number
  #commits = 0

  constructor(log: EmbeddedLog, keyStore: KeyStore, quarantine: Quarantine, say: Writing['say']) {
    this.#log = log
    this.#keyStore = keyStore
    this.#quarantine = quarantine
    this.#say = say
    this.#received = Math.max(log.head().received, systemClock.nowMs())
  }

  async commit(name: string): Promise<void> {
    const number = this.#commits++
    const ids = Array.from({ length: (number % 3) + 1 }, (_, i) => `${name}-${i}`)
    const events = ids.map((id) => this.#sealedEvent(id))
    try {
      await this.#keyStore.flush()
    } catch (error) {
      if (!(error instanceof KeyStoreError)) throw error
      this.#say({ kind: 'refused', what: 'keys', why: error.failure._tag })
      await setTimeout(REFUSED_MS)
      return
    }
    this.#received = Math.max(this.#received, systemClock.nowMs())
    const received = this.#received
    const results = await this.#log.append(events.map((event) => ({ event: { ...event, received } })))
    for (const [i, result] of results.entries()) {
      if (E.isLeft(result)) this.#say({ kind: 'refused', what: 'log', why: result.left._tag })
      else this.#say({ kind: 'appended', id: ids[i] ?? '', position: result.right.position })
    }
    if (number % 4 === 1) await this.#keep(name)
  }

  #sealedEvent(id: string) {
    const context = contextOf(id)
    const owner = this.#keyStore.identify({ namespace: 'user', value: personOf(id) })
    const part = this.#keyStore.seal(owner, 'profile', Buffer.from(sealedText(id)), context)
    const time = systemClock.nowMs()
    return {
      ...{ id, source: context.source, type: context.type, schema: 1, stream: `person-${owner}`, time },
      ...{ identities: [{ id: owner, namespace: 'user' }], data: { pad: 'x'.repeat(id.length * 40) } },
      ...{ normalised: {}, normaliser: 1, sealed: [part] },
    }
  }

  async #keep(id: string): Promise<void> {
    const body = Buffer.from(bodyText(id))
    const what = { body, reason: 'invalid_data' as const, message: 'm', source: 'web', id }
    for (const kept of await this.#quarantine.put([{ ...what, received: systemClock.nowMs() }])) {
      if (E.isRight(kept)) this.#say({ kind: 'kept', id, quarantineId: kept.right.quarantineId })
      else this.#say({ kind: 'refused', what: 'quarantine', why: kept.left._tag })
    }
  }
}
