import * as t from 'io-ts'
import { type ExitCode, type Terminal, UsageError } from './command.ts'
import { askOk, type Connection, decodeAnswer } from './connection.ts'

/** Who a command is about, as people type it. */

const IDENTITY_ID = /^[0-9a-f]{32}$/

/** As `namespace:value`, or an id as it stands. */
export function statedIdentity(who: string): string {
  if (IDENTITY_ID.test(who) || /^[a-z][a-z0-9_]{0,31}:./.test(who)) return who
  if (/^[^@\s]+@[^@\s]+$/.test(who)) return `email:${who}`
  if (/^\+[\d ()/-]{6,}$/.test(who)) return `phone:${who}`
  throw new UsageError(`${who} is no e-mail address, phone number (+…), namespace:value or id`)
}

const lookupAnswer = t.intersection([
  t.type({ data: t.array(t.union([t.type({ id: t.string }), t.null])) }),
  t.partial({ ids: t.array(t.union([t.string, t.null])) }),
])

interface Person {
  /** Of the profile as it is now; undefined: nobody has one. */
  readonly profile: string | undefined
  /** The identity itself, which may have belonged to another profile in the past; undefined: never heard of. */
  readonly identity: string | undefined
}

/** Looked up by a body: the address of a request names nobody. */
export async function findPerson(connection: Connection, stated: string): Promise<Person> {
  const body = await askOk(connection, { path: '/v1/profiles/lookup', body: { identities: [stated] } })
  const answer = decodeAnswer(lookupAnswer, body)
  const profile = answer.data[0]?.id
  return { profile, identity: answer.ids?.[0] ?? profile }
}

export function nobody(terminal: Terminal, command: string, stated: string): ExitCode {
  terminal.err(
    `headwater ${command}: nobody is known as ${stated}. If it was sent just now, the views may be behind: ` +
      'headwater stats tells. An event in quarantine adds nothing to a profile.',
  )
  return 1
}

export const WHO_HELP = `Who is meant is stated by an e-mail address, a phone number in international form (+44…), an identity
such as user:42, erp:17850 or account:Cancity, or a profile's id. The address of the request names nobody.`

/** `asOf` and `by` of a request about the past. */
export interface Past {
  readonly asOf: string
  readonly by: 'received' | 'occurred'
}

export const PAST_OPTIONS = { 'as-of': { type: 'string' }, by: { type: 'string' } } as const

export const PAST_HELP = [
  ['--as-of <moment>', 'a day, an RFC 3339 instant, or a position of the log'],
  ['--by occurred', 'what had happened by then, as far as is known today; the default for days and instants'],
  ['--by received', 'what had reached the engine by then; always so for a position'],
] as const

/** undefined: the present. */
export function statedPast(values: {
  readonly 'as-of'?: string | undefined
  readonly by?: string | undefined
}): Past | undefined {
  const { 'as-of': asOf, by } = values
  if (by !== undefined && by !== 'received' && by !== 'occurred')
    throw new UsageError(`--by takes received or occurred, not ${by}`)
  if (asOf === undefined) {
    if (by !== undefined) throw new UsageError('--by needs --as-of')
    return undefined
  }
  const isPosition = /^\d+$/.test(asOf)
  if (isPosition && by === 'occurred')
    throw new UsageError('--by occurred takes a day or an instant, not a position')
  return { asOf, by: by ?? (isPosition ? 'received' : 'occurred') }
}

export function pastQuery({ asOf, by }: Past): string {
  return `asOf=${encodeURIComponent(asOf)}&by=${by}`
}
