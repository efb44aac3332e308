import * as E from 'fp-ts/lib/Either.js'
import type { Named } from './backend.ts'
import type { CallFailure } from './errors.ts'
import { patternOf } from './filter-pattern.ts'
import type { messages } from './protocol.ts'
import { invalid } from './wire.ts'

export interface Filter {
  readonly accepts: (stream: string, type: string) => boolean
  /** Awaited before `accepts` is asked, where there is one. Rejects with `FilterTooSlow`. */
  readonly prepare: ((events: readonly Named[]) => Promise<void>) | undefined
  /** A checkpoint is told after so many events looked at. */
  readonly checkpointEvents: number
}

/** As in EventStoreDB, where the client names no window. */
const DEFAULT_WINDOW = 32
const MAX_PREFIXES = 1_000

export function filterOf(options: messages.ReadReq.Options.FilterOptions): E.Either<CallFailure, Filter> {
  const byStream = options.getStreamIdentifier()
  const expression = byStream ?? options.getEventType()
  if (expression === undefined) return invalid('a filter looks at streams or at types')
  const window = options.hasMax() ? options.getMax() : DEFAULT_WINDOW
  const checkpointEvents = Math.max(1, options.getCheckpointintervalmultiplier()) * Math.max(1, window)
  const nameOf = byStream === undefined ? ({ type }: Named) => type : ({ stream }: Named) => stream
  const pattern = expression.getRegex()
  const matching = pattern === '' ? byPrefix(expression.getPrefixList()) : patternOf(pattern)
  if (E.isLeft(matching)) return invalid(matching.left)
  const { matches, decide } = matching.right
  return E.right({
    accepts: (stream, type) => matches(nameOf({ stream, type })),
    prepare: decide && ((events) => decide(events.map(nameOf))),
    checkpointEvents,
  })
}

function byPrefix(prefixes: readonly string[]): ReturnType<typeof patternOf> {
  if (prefixes.length > MAX_PREFIXES) return E.left(`a filter has at most ${MAX_PREFIXES} prefixes`)
  return E.right({
    matches: (name) => prefixes.some((prefix) => name.startsWith(prefix)),
    decide: undefined,
  })
}
