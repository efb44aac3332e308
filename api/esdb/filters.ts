import * as E from 'fp-ts/lib/Either.js'
import type { CallFailure } from './errors.ts'
import type { messages } from './protocol.ts'
import { invalid } from './wire.ts'

export interface Filter {
  readonly accepts: (stream: string, type: string) => boolean
  /** A checkpoint is told after so many events looked at. */
  readonly checkpointEvents: number
}

/** As in EventStoreDB, where the client names no window. */
const DEFAULT_WINDOW = 32
const MAX_PATTERN_LENGTH = 1_024
const MAX_PREFIXES = 1_000

export function filterOf(options: messages.ReadReq.Options.FilterOptions): E.Either<CallFailure, Filter> {
  const byStream = options.getStreamIdentifier()
  const expression = byStream ?? options.getEventType()
  if (expression === undefined) return invalid('a filter looks at streams or at types')
  const matches = matcherOf(expression)
  if (E.isLeft(matches)) return matches
  const fits = matches.right
  const window = options.hasMax() ? options.getMax() : DEFAULT_WINDOW
  const checkpointEvents = Math.max(1, options.getCheckpointintervalmultiplier()) * Math.max(1, window)
  const accepts = byStream === undefined ? (_: string, type: string) => fits(type) : fits
  return E.right({ accepts, checkpointEvents })
}

type Expression = messages.ReadReq.Options.FilterOptions.Expression

function matcherOf(expression: Expression): E.Either<CallFailure, (text: string) => boolean> {
  const pattern = expression.getRegex()
  const prefixes = expression.getPrefixList()
  if (pattern === '') {
    if (prefixes.length > MAX_PREFIXES) return invalid(`a filter has at most ${MAX_PREFIXES} prefixes`)
    return E.right((text) => prefixes.some((prefix) => text.startsWith(prefix)))
  }
  if (pattern.length > MAX_PATTERN_LENGTH)
    return invalid(`a filter's expression has at most ${MAX_PATTERN_LENGTH} characters`)
  try {
    const regex = new RegExp(pattern, 'u')
    return E.right((text) => regex.test(text))
  } catch {
    return invalid("the filter's regular expression can't be read")
  }
}
