/** gRPC's CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL (a stream that was cut off) and UNAVAILABLE. */
const PASSING_CODES: ReadonlySet<unknown> = new Set([1, 2, 4, 8, 10, 13, 14])

/**
 * Of the client's own: no node of a cluster was found; a channel was closed beneath a call. Where there is no connection it hands
 * gRPC's error on as it is.
 */
export function isAway(error: Error): boolean {
  if ('code' in error && PASSING_CODES.has(error.code)) return true
  const { message } = error
  return /failed to discover|channel has been shut ?down|channel has been closed|premature close/i.test(
    message,
  )
}
