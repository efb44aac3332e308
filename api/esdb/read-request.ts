import * as E from 'fp-ts/lib/Either.js'
import type { AllRead, StreamRead } from './backend.ts'
import type { CallFailure } from './errors.ts'
import { type Filter, filterOf } from './filters.ts'
import { messages } from './protocol.ts'
import { invalid, placeOf, streamNameOf } from './wire.ts'

/** Where a subscription begins: after this place; undefined: with what comes from now on. */
type After = number | undefined

export type AskedRead = {
  readonly structuredIds: boolean
  /** Whether links are resolved. */
  readonly resolvesLinks: boolean
  /** Whether the client understands where a stream's events begin and end. */
  readonly tellsBounds?: boolean | undefined
}

export type AskedSubscription = AskedRead &
  (
    | { readonly kind: 'subscribe_all'; readonly after: After; readonly filter: Filter | undefined }
    /** `after`: a revision. */
    | { readonly kind: 'subscribe_stream'; readonly stream: string; readonly after: After }
  )

/** What a read request comes to. */
export type Asked =
  | (AskedRead & AllRead & { readonly kind: 'read_all' })
  | (AskedRead & StreamRead & { readonly kind: 'read_stream'; readonly stream: string })
  | AskedSubscription

type Options = messages.ReadReq.Options

export function readAsked(request: messages.ReadReq): E.Either<CallFailure, Asked> {
  const options = request.getOptions()
  if (options === undefined) return invalid('a read without options')
  const shape = {
    structuredIds: options.getUuidOption()?.hasString() !== true,
    resolvesLinks: options.getResolveLinks(),
  }
  const stream = options.getStream()
  if (stream === undefined) return allAsked(options, shape)
  if (options.hasFilter()) return invalid('only $all can be filtered')
  const name = streamNameOf(stream.getStreamIdentifier())
  if (E.isLeft(name)) return name
  const from = stream.hasRevision() ? placeOf(stream.getRevision()) : undefined
  if (options.hasSubscription()) {
    const after = stream.hasEnd() ? undefined : (from ?? -1)
    return E.right({ kind: 'subscribe_stream', stream: name.right, after, ...shape })
  }
  const place = placeIn(options, from, stream.hasEnd(), stream.hasStart())
  const tellsBounds = (options.getControlOption()?.getCompatibility() ?? 0) >= 1
  return E.right({ kind: 'read_stream', stream: name.right, ...place, ...shape, tellsBounds })
}

function allAsked(options: Options, shape: AskedRead): E.Either<CallFailure, Asked> {
  const all = options.getAll()
  if (all === undefined) return invalid('a read names a stream, or $all')
  const position = all.getPosition()
  const from = position === undefined ? undefined : placeOf(position.getCommitPosition())
  if (options.hasSubscription()) {
    const stated = options.getFilter()
    const filter = stated === undefined ? E.right(undefined) : filterOf(stated)
    if (E.isLeft(filter)) return filter
    const after = all.hasEnd() ? undefined : (from ?? 0)
    return E.right({ kind: 'subscribe_all', after, filter: filter.right, ...shape })
  }
  if (options.hasFilter()) return invalid('filters are for subscriptions')
  return E.right({ kind: 'read_all', ...placeIn(options, from, all.hasEnd(), all.hasStart()), ...shape })
}

/** Reading forwards from the end, or backwards from the start, finds what stands there and no more. */
function placeIn(options: Options, from: number | undefined, atEnd: boolean, atStart: boolean): StreamRead {
  const forwards = options.getReadDirection() === messages.ReadReq.Options.ReadDirection.FORWARDS
  const limit = placeOf(options.getCount())
  if (forwards) return { direction: 'forwards', from: atEnd ? Number.MAX_SAFE_INTEGER : from, limit }
  return { direction: 'backwards', from: atStart ? 0 : from, limit }
}
