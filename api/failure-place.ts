/**
 * What may be logged of an error that nobody expected: its class and where it arose. Its message may quote a customer.
 */
export function nameAndPlace(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  // The stack begins with the message, whose lines may look like anything.
  const stack = error.stack ?? ''
  const from = stack.indexOf(error.message)
  const frames = stack
    .slice(from < 0 ? 0 : from + error.message.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
  return [error.name, ...frames.slice(0, MOST_FRAMES)].join('\n')
}

const MOST_FRAMES = 10

/** Errors whose messages are ours, and name files, positions and formats. */
const OWN: ReadonlySet<string> = new Set([
  'ErasureUnfinished',
  'KeyStoreError',
  'LogDamaged',
  'OperationsUnreadable',
  'QuarantineUnreadable',
  'SealBroken',
  'StoreUnusable',
  'StoreVersionError',
  'StreamCaptures',
  'UnsupportedFormat',
])

/** One text for the operator's log: the message where it can't quote anybody, else where the error arose. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  return OWN.has(error.name) || isOfTheSystem(error) ? `${error.name}: ${error.message}` : nameAndPlace(error)
}

/** `ENOSPC` and the like, and what SQLite says. */
function isOfTheSystem(error: Error): boolean {
  const code = 'code' in error ? String(error.code) : ''
  return code === 'ERR_SQLITE_ERROR' || /^E(?!RR_)[A-Z0-9]+$/.test(code)
}

/** Addresses of NATS servers, separated by commas, as they may be shown: without user, password or token. */
export function withoutCredentials(urls: string): string {
  return urls
    .split(',')
    .map((url) => url.replace(/^([a-z]+:\/\/)?.*@/i, '$1'))
    .join(',')
}
