import * as E from 'fp-ts/lib/Either.js'
import { type EsdbBackend, type EsdbRecord, type Followed, holds } from '../../api/esdb/backend.ts'
import { LocalHead } from '../../engine/log/follow.ts'

/** Of one answer to a reader. */
const BATCH_EVENTS = 256

/** Keeps events in memory and nothing else: what a log that lies in a server, and the client alone, are compared on. */
export function keptBackend(): EsdbBackend {
  const all: EsdbRecord[] = []
  const heads = new Map<string, { readonly revision: number; readonly position: number }>()
  const head = new LocalHead({ position: 0, received: 0 })
  return {
    async append(stream, expectation, events) {
      const current = heads.get(stream)
      if (!holds(expectation, current))
        return E.left({ _tag: 'WrongExpectedVersion', current: current?.revision })
      let revision = current?.revision ?? -1
      for (const event of events)
        all.push({ ...event, stream, revision: ++revision, position: all.length + 1, createdMs: 0 })
      if (events.length === 0) return E.right(current)
      const last = { revision, position: all.length }
      heads.set(stream, last)
      head.move({ position: all.length, received: 0 })
      return E.right(last)
    },
    head: () => all.length,
    streamHead: async (stream) => heads.get(stream),
    async *readStream(stream, { direction, limit }) {
      const of = all.filter((record) => record.stream === stream)
      const wanted = direction === 'forwards' ? of : of.reverse()
      if (wanted.length > 0) yield wanted.slice(0, limit)
    },
    async *readAll({ direction, from, limit }) {
      if (direction === 'backwards') throw new Error('only forwards here')
      const end = Math.min(all.length, (from ?? 1) - 1 + limit)
      for (let at = Math.max(0, (from ?? 1) - 1); at < end; at += BATCH_EVENTS)
        yield all.slice(at, Math.min(end, at + BATCH_EVENTS))
    },
    async *follow({ after, accepts, prepare, signal }) {
      for (let next = after; !signal.aborted; ) {
        const batch = all.slice(next, next + BATCH_EVENTS)
        const last = batch.at(-1)
        if (last === undefined) {
          await head.beyond(next, signal)
          continue
        }
        await prepare?.(batch)
        yield batch.map((record): Followed => {
          const { position, stream, type } = record
          return { position, record: accepts(stream, type) ? record : undefined }
        })
        next = last.position
      }
    },
  }
}
