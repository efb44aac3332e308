import { join } from 'node:path'
import type { Clock } from '../engine/clock.ts'
import type { LogReader } from '../engine/log/log.ts'
import { KeyStoreError } from '../engine/privacy/failure.ts'
import { openKeyStore } from '../engine/privacy/key-store.ts'
import { type KeyStore, SealBroken } from '../engine/privacy/privacy.ts'

type Remote = Pick<LogReader, 'head' | 'at'>

interface KeysOptions {
  readonly directory: string
  readonly masterKey: Uint8Array | undefined
  readonly clock: Clock
  /** Nothing says that the log has been this directory's before. */
  readonly isUnknown: boolean
}

/** The newest sealed parts that keys are tried on: people may have been erased, but hardly all of these. */
const TRIED_PARTS = 200
/** How many events are looked at for them. */
const MOST_EVENTS = 10_000

/**
 * Why an engine with the keys of a data directory must not take over a log that has events: it would stop whoever writes it, and make
 * everybody in it somebody new. A whole sentence that says what to do; undefined: nothing speaks against it.
 */
export async function keysObjection(remote: Remote, options: KeysOptions): Promise<string | undefined> {
  if (remote.head().position === 0) return undefined
  const { directory, masterKey, clock, isUnknown } = options
  try {
    const keys = openKeyStore(join(directory, 'keys'), { clock, masterKey, create: false })
    try {
      return isUnknown && (await areOthers(remote, keys)) ? OTHERS : undefined
    } finally {
      await keys.close()
    }
  } catch (error) {
    if (!(error instanceof KeyStoreError)) throw error
    return `the log in EventStoreDB has events, whose keys ${directory} doesn't have: ${error.message}. ${ADVICE}`
  }
}

const ADVICE =
  'Set HEADWATER_DATA to the data directory that belongs to this log (restored from its backup, if need be), or HEADWATER_LOG to a log of its own; nothing was changed'
const OTHERS = `the keys in this data directory open nothing of the log in EventStoreDB: it is another engine's. ${ADVICE}`

async function areOthers(remote: Remote, keys: Pick<KeyStore, 'open'>): Promise<boolean> {
  const { position: head } = remote.head()
  let tried = 0
  for (let position = head; position > Math.max(0, head - MOST_EVENTS) && tried < TRIED_PARTS; position--) {
    const event = await remote.at(position)
    for (const part of event?.sealed ?? []) {
      if (event !== undefined && opens(keys, part, event)) return false
      tried += 1
    }
  }
  return tried > 0
}

function opens(keys: Pick<KeyStore, 'open'>, ...sealed: Parameters<KeyStore['open']>): boolean {
  try {
    return keys.open(...sealed) !== undefined
  } catch (error) {
    if (error instanceof SealBroken) return false
    throw error
  }
}
