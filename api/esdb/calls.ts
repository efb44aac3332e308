import type { ServiceError } from '@grpc/grpc-js'
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import type { CheckAccess } from './access.ts'
import { type CallFailure, callError } from './errors.ts'
import type { Streams } from './streams.ts'
import type { Unfinished } from './unfinished.ts'

/** What every handler is handed. */
export interface CallContext {
  readonly backend: Streams
  readonly checkAccess: CheckAccess
  /** The most that one append may come to. */
  readonly maxAppendBytes: number
  readonly unfinished: Unfinished
  readonly nowMs: () => number
  /** Aborts when the server stops. */
  readonly stopping: AbortSignal
  /** Told of a defect of ours. */
  readonly onDefect: (error: unknown) => void
}

/** What of a call is needed to answer in a stream. */
interface StreamingCall<Response> {
  readonly cancelled: boolean
  readonly destroyed: boolean
  /** `written`: it has gone into the client's window. */
  write(response: Response, written?: () => void): boolean
  once(event: 'drain' | 'close' | 'cancelled', listener: () => void): unknown
  off(event: 'drain' | 'close' | 'cancelled', listener: () => void): unknown
  emit(event: 'error', error: Partial<ServiceError>): boolean
}

/** Aborts when the client has gone or the server stops. */
export function untilOver<Response>(call: StreamingCall<Response>, stopping: AbortSignal): AbortSignal {
  const over = new AbortController()
  const end = (): void => over.abort()
  call.once('cancelled', end)
  call.once('close', end)
  return AbortSignal.any([over.signal, stopping])
}

/** A call makes room for 16 messages of whatever size: larger ones go one by one. */
const LARGE_BYTES = 32 * 1024

/** Resolves when the client may be sent more: a slow reader has what fits into its window, and next to nothing is held for it. */
export async function send<Response>(
  call: StreamingCall<Response>,
  response: Response,
  over: AbortSignal,
  sizeBytes = 0,
): Promise<void> {
  const isLarge = sizeBytes >= LARGE_BYTES
  if (over.aborted || (!isLarge && call.write(response))) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      call.off('drain', done)
      over.removeEventListener('abort', done)
      resolve()
    }
    over.addEventListener('abort', done)
    if (isLarge) call.write(response, done)
    else call.once('drain', done)
  })
}

/** Ends a streaming call with a failure. */
export function fail<Response>(call: StreamingCall<Response>, failure: CallFailure, stream?: string): void {
  call.emit('error', callError(failure, stream))
}

export const STOPPING: CallFailure = { _tag: 'Unavailable', reason: 'the server is stopping' }

/** What a handler's work comes to; what it throws is a defect, told to the operator and not to the client. */
export async function guarded<T>(
  { onDefect }: Pick<CallContext, 'onDefect'>,
  work: () => Promise<Either<CallFailure, T>>,
): Promise<Either<CallFailure, T>> {
  try {
    return await work()
  } catch (error) {
    onDefect(error)
    return E.left({ _tag: 'Internal' })
  }
}
