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
      if (suspects > 0) await refuseKnown(batch)
      const results = await log.append(appends)
      if (!results.every(E.isRight)) throw new Error('the log did not take every event')
      done()
    },
    close: () => log.close(),
  }
}

/** Ids of batches that began about the same time, let go together. */
interface Generation {
  readonly ids: Set<string>
  underWay: number
}

/** Refuses an id that is under way already. */
function idsUnderWay(): { hold(batch: readonly BenchEvent[]): () => void } {
  let young: Generation = { ids: new Set(), underWay: 0 }
  let old: Generation = young
  return {
    hold: (batch) => {
      if (old.underWay === 0) {
        old = young
        young = { ids: new Set(), underWay: 0 }
      }
      const mine = young
      const before = mine.ids.size
      for (const { id } of batch) {
        assert(!old.ids.has(id), 'an event of a bench came twice')
        mine.ids.add(id)
      }
      assert(mine.ids.size === before + batch.length, 'an event of a bench came twice')
      mine.underWay++
      return () => {
        mine.underWay--
      }
    },
  }
}
