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
  /** Ids of the batches that are being appended, each batch's by itself. */
  const underWay = new Set<ReadonlySet<string>>()
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
      const ids = new Set<string>()
      for (const event of batch) {
        for (const others of underWay) if (others.has(event.id)) assert.fail('an event of a bench came twice')
        suspects += log.idCandidates(event.source, event.id).length
        ids.add(event.id)
        appends.push({ event })
      }
      underWay.add(ids)
      assert(ids.size === batch.length, 'an event of a bench came twice')
      // Two ids in some million share a hash; then the log itself tells.
      if (suspects > 0) await refuseKnown(batch)
      const results = await log.append(appends)
      if (!results.every(E.isRight)) throw new Error('the log did not take every event')
      underWay.delete(ids)
    },
    close: () => log.close(),
  }
}
