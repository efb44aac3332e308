/** gRPC's CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL (a stream that was cut off) and UNAVAILABLE. */
const PASSING_CODES: ReadonlySet<unknown> = new Set([1, 2, 4, 8, 10, 13, 14])
/** A message that is larger than gRPC carries has RESOURCE_EXHAUSTED too, and is as large the next time. */
const TOO_LARGE = /message larger than max/i

/**
 * Of the client's own: no node of a cluster was found; a channel was closed beneath a call. Where there is no connection it hands
 * gRPC's error on as it is.
 */
const PASSING = /failed to discover|channel has been shut ?down|channel has been closed|premature close/i

/**
 * What the server answers to an append in the words of its own reaches us as a text alone: the client drops the status that it came
 * with. These ask for patience (the server's `NotHandled`); whatever else it says it would say again.
 */
const ANSWERED = 'Could not recognize '
const ASKS_FOR_PATIENCE = /^(server is (not ready|busy)|no leader info|unknown NotHandledReason)/i

/** What the server said, without the client's own words before it. */
export function said({ message }: Error): string {
  return message.startsWith(ANSWERED) ? message.slice(ANSWERED.length) : message
}

/** Whether it befell a whole call: what the server answers to an append has no code of gRPC's. */
export function isOfCall(error: Error): boolean {
  return 'code' in error && error.code !== undefined
}

/** Whether an error that the client has no type for, or only the one for what it doesn't know, may pass. */
export function isAway(error: Error): boolean {
  const { message } = error
  if ('code' in error && isOfCall(error)) return PASSING_CODES.has(error.code) && !TOO_LARGE.test(message)
  if (message.startsWith(ANSWERED)) return ASKS_FOR_PATIENCE.test(said(error))
  // Without a word the server says that it doesn't know what became of an append.
  return message === '' || PASSING.test(message)
}
