import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Log } from '../../engine/log/log.ts'

export interface ArrayLog extends Log {
  /** Records an event at the next position, or at the one given. */
  push(event: Partial<RecordedEvent>): RecordedEvent
}

const BLANK = {
  stream: 'stream-1',
  id: '1',
  source: 'web',
  type: 'cdp.track',
  schema: 1,
  time: 0,
  received: 0,
  identities: [],
  data: {},
  normalised: {},
  normaliser: 1,
  sealed: [],
  revision: 0,
} as const

/** A log that is an array, for reading only; batches are small on purpose, so that readers meet several. */
export function arrayLog(batchSize = 2): ArrayLog {
  const events: RecordedEvent[] = []
  const wakers = new Set<() => void>()
  async function* batches(found: readonly RecordedEvent[], limit = Number.POSITIVE_INFINITY) {
    const wanted = found.slice(0, limit)
    for (let at = 0; at < wanted.length; at += batchSize) yield wanted.slice(at, at + batchSize)
  }
  const ofType = (types: ReadonlySet<string> | undefined) => (event: RecordedEvent) =>
    types === undefined || types.has(event.type)
  const directed = (found: readonly RecordedEvent[], backwards: boolean, from: number | undefined) =>
    backwards
      ? found.filter(({ position }) => position <= (from ?? Number.MAX_SAFE_INTEGER)).reverse()
      : found.filter(({ position }) => position >= (from ?? 1))
  return {
    push(event) {
      const position = event.position ?? (events.at(-1)?.position ?? 0) + 1
      const recorded = { ...BLANK, ...event, position }
      events.push(recorded)
      for (const wake of wakers) wake()
      return recorded
    },
    head: () => ({ position: events.at(-1)?.position ?? 0, received: events.at(-1)?.received ?? 0 }),
    read: ({ from, limit, types } = {}) =>
      batches(directed(events, false, from).filter(ofType(types)), limit),
    readBackwards: ({ from, limit, types } = {}) =>
      batches(directed(events, true, from).filter(ofType(types)), limit),
    at: async (position) => events.find((event) => event.position === position),
    async *subscribe({ from = 1, types, signal }) {
      let next = from
      while (!signal.aborted) {
        const found = directed(events, false, next).filter(ofType(types))
        const last = found.at(-1)
        if (last !== undefined) {
          next = last.position + 1
          yield found
          continue
        }
        const { promise, resolve } = Promise.withResolvers<void>()
        wakers.add(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
        await promise
        wakers.delete(resolve)
      }
    },
    append: () => Promise.reject(new Error('this log is for reading')),
    idCandidates: (source, id) =>
      events.filter((event) => event.source === source && event.id === id).map(({ position }) => position),
    streamHead: () => undefined,
    readStream: (stream, { direction, from, limit } = {}) => {
      const found = events.filter((event) => event.stream === stream)
      return batches(directed(found, direction === 'backwards', from), limit)
    },
    readIdentity: (id, { direction, from, limit } = {}) => {
      const found = events.filter(({ identities }) => identities.some((identity) => identity.id === id))
      return batches(directed(found, direction === 'backwards', from), limit)
    },
    close: async () => undefined,
  }
}
