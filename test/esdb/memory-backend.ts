import * as E from 'fp-ts/lib/Either.js'
import {
  type Appended,
  type AppendedBeside,
  type AppendFailure,
  type EsdbBackend,
  type EsdbRecord,
  type Expectation,
  type Followed,
  holds,
  type ProposedEvent,
} from '../../api/esdb/backend.ts'
import { LocalHead } from '../../engine/log/follow.ts'

interface Options {
  /** Of the first event; later ones come every millisecond. */
  readonly createdMs?: number | undefined
  /** When events are written; default: as `createdMs` says. */
  readonly nowMs?: (() => number) | undefined
  /** Resolves before each append is made; default at once. */
  readonly hold?: (() => Promise<void>) | undefined
}

/** Opaque events in memory, after the rules of EventStoreDB for expectations and repetitions. */
export function memoryBackend({ createdMs = 0, nowMs, hold }: Options = {}): EsdbBackend {
  const all: EsdbRecord[] = []
  const streams = new Map<string, EsdbRecord[]>()
  const head = new LocalHead({ position: 0, received: 0 })
  const of = (stream: string): EsdbRecord[] => streams.get(stream) ?? []

  const add = (stream: string, events: readonly ProposedEvent[]): EsdbRecord | undefined => {
    const before = of(stream)
    const records = events.map((event, index) => ({
      ...event,
      stream,
      revision: before.length + index,
      position: all.length + index + 1,
      createdMs: nowMs?.() ?? createdMs + all.length + index,
    }))
    streams.set(stream, [...before, ...records])
    all.push(...records)
    return records.at(-1)
  }

  const appendNow = (
    stream: string,
    expectation: Expectation,
    events: readonly ProposedEvent[],
    beside: AppendedBeside | undefined,
  ): E.Either<AppendFailure, Appended> => {
    const before = of(stream)
    const made = events.length === 0 ? undefined : repetition(before, expectation, events)
    if (made !== undefined) return made
    const current = before.at(-1)
    if (!holds(expectation, current))
      return E.left({ _tag: 'WrongExpectedVersion', current: current?.revision })
    if (beside !== undefined && of(beside.stream).at(-1)?.revision !== beside.revision)
      return E.left({ _tag: 'WrongExpectedVersion', current: current?.revision })
    const last = add(stream, events) ?? current
    if (beside !== undefined) add(beside.stream, [beside.event])
    head.move({ position: all.length, received: createdMs })
    return E.right(last && { revision: last.revision, position: last.position })
  }

  return {
    async append(stream, expectation, events, beside) {
      await hold?.()
      return appendNow(stream, expectation, events, beside)
    },
    head: () => all.length,
    streamHead: async (stream) => of(stream).at(-1),
    async *readStream(stream, { direction, from, limit }) {
      const wanted =
        direction === 'forwards'
          ? of(stream).filter(({ revision }) => revision >= (from ?? 0))
          : of(stream)
              .filter(({ revision }) => revision <= (from ?? Number.MAX_SAFE_INTEGER))
              .reverse()
      if (wanted.length > 0) yield wanted.slice(0, limit)
    },
    async *readAll({ direction, from, limit }) {
      const wanted =
        direction === 'forwards'
          ? all.filter(({ position }) => position >= (from ?? 0))
          : all.filter(({ position }) => position < (from ?? Number.MAX_SAFE_INTEGER)).reverse()
      if (wanted.length > 0) yield wanted.slice(0, limit)
    },
    async *follow({ after, accepts, prepare, signal }) {
      for (let next = after; !signal.aborted; ) {
        const records = all.filter(({ position }) => position > next)
        await prepare?.(records)
        const batch = records.map((record): Followed => {
          const { position, stream, type } = record
          return { position, record: accepts(stream, type) ? record : undefined }
        })
        if (batch.length > 0) yield batch
        next = batch.at(-1)?.position ?? next
        await head.beyond(next, signal)
      }
    },
  }
}

/** What an append answers that was made before, whole or in part. */
function repetition(
  before: readonly EsdbRecord[],
  expectation: Expectation,
  events: readonly ProposedEvent[],
): E.Either<AppendFailure, Appended> | undefined {
  const found = events.map(({ id }) => before.find((record) => record.id === id))
  if (found.every((record) => record === undefined)) return undefined
  const [first, last] = [found[0], found.at(-1)]
  const expected =
    expectation.kind === 'revision'
      ? expectation.revision + 1
      : expectation.kind === 'no_stream'
        ? 0
        : undefined
  const isWhole = found.every((record) => record !== undefined)
  if (isWhole && last !== undefined && (expected === undefined || first?.revision === expected))
    return E.right({ revision: last.revision, position: last.position })
  return E.left({ _tag: 'WrongExpectedVersion', current: before.at(-1)?.revision })
}
