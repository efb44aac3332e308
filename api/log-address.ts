import * as E from 'fp-ts/lib/Either.js'

/** Of the log that lies beside the data it belongs to. */
export const EMBEDDED = 'embedded'

const ADDRESS = /^(?:esdb|kurrentdb|kdb)(?:\+discover)?:\/\/\S+$/
/** What EventStoreDB's client reads, in lower case. Told of any other it would print the whole string, password and all. */
const OPTIONS: ReadonlySet<string> = new Set([
  'dnsdiscover',
  'maxdiscoverattempts',
  'discoveryinterval',
  'gossiptimeout',
  'nodepreference',
  'tls',
  'tlscafile',
  'usercertfile',
  'userkeyfile',
  'throwonappendfailure',
  'keepaliveinterval',
  'keepalivetimeout',
  'defaultdeadline',
  'connectionname',
])

/** Left: what is wrong with it, to follow its variable's name; never repeats it. */
export function parseLogAddress(text: string): E.Either<string, string> {
  if (text === EMBEDDED) return E.right(text)
  if (!ADDRESS.test(text))
    return E.left(`must be ${EMBEDDED}, or EventStoreDB's connection string: esdb://host:2113?tls=false, say`)
  const query = text.slice(text.lastIndexOf('@') + 1).split('?')[1] ?? ''
  const keys = query.split('&').map((pair) => pair.split('=')[0] ?? '')
  const unknown = keys.filter((key) => key !== '' && !OPTIONS.has(key.toLowerCase()))
  if (unknown.length > 0)
    return E.left("has an option that EventStoreDB's client doesn't know: is it misspelt?")
  return E.right(text)
}

/** As it may be shown: without user, password and options. */
export function shownLogAddress(address: string): string {
  const [, scheme = '', hosts = ''] = /^([a-z+]+:\/\/)(?:.*@)?([^/?@]*)/s.exec(address) ?? []
  return scheme + hosts
}
