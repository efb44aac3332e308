import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import { findDuplicate } from '../../engine/intake/duplicates.ts'
import {
  type EmbeddedLog,
  type EmbeddedLogOptions,
  openEmbeddedLog,
} from '../../engine/log/embedded/embedded.ts'
import type { AppendEvent } from '../../engine/log/log.ts'
import type { BenchEvent } from './events.ts'
import type { Contender } from './peers/peer.ts'
import { BATCHES_IN_FLIGHT } from './plan.ts'

/** The embedded log with the check that no (source, id) is stored twice, as the intake makes it. */
export interface CheckedLog extends Contender {
  readonly log: EmbeddedLog
}

export const LOG_NAME = 'log'

export async function openCheckedLog(
  directory: string,
  options: EmbeddedLogOptions = {},
): Promise<CheckedLog> {
  const opened = await openEmbeddedLog(directory, options)
  if (E.isLeft(opened)) throw new Error(`the log does not open: ${opened.left._tag}`)
  const log = opened.right
  const underWay = idsUnderWay()
  /** Settles when the batches before are in order; undefined: they are. */
  let before: Promise<void> | undefined
  const inTurn = async (checked: () => Promise<void>): Promise<void> => {
    const last = before
    const mine = Promise.resolve(last)
      .catch(() => undefined)
      .then(checked)
    before = mine
    try {
      await mine
    } finally {
      if (before === mine) before = undefined
    }
  }
  const refuseKnown = async (batch: readonly BenchEvent[]): Promise<void> => {
    for (const event of batch) {
      const candidates = log.idCandidates(event.source, event.id)
      const found = await findDuplicate(candidates, event, (position) => log.at(position))
      assert(found === undefined, 'an event of a bench came twice')
    }
  }
  return {
    name: LOG_NAME,
    inFlight: BATCHES_IN_FLIGHT,
    log,
    append: async (batch) => {
      let suspects = 0
      const appends: AppendEvent[] = []
      const done = underWay.hold(batch)
      for (const event of batch) {
        suspects += log.idCandidates(event.source, event.id).length
        appends.push({ event })
      }
      // Two ids in some million share a hash; then the log itself tells.
      if (suspects > 0) await inTurn(() => refuseKnown(batch))
      else if (before !== undefined) await inTurn(async () => undefined)
      const results = await log.append(appends)
      if (!results.every(E.isRight)) throw new Error('the log did not take every event')
      done()
    },
    close: () => log.close(),
  }
}

/** Refuses an id that is under way already; as the intake does, ids are held until their events are durable. */
function idsUnderWay(): { hold(batch: readonly BenchEvent[]): () => void } {
  const held = new Set<string>()
  return {
    hold: (batch) => {
      const before = held.size
      for (const { id } of batch) held.add(id)
      assert(held.size === before + batch.length, 'an event of a bench came twice')
      return () => {
        for (const { id } of batch) held.delete(id)
      }
    },
  }
}
