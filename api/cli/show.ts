import * as t from 'io-ts'
import {
  CONNECTION_HELP,
  type Command,
  CommandFailed,
  type ExitCode,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { askOk, type Connection, decodeAnswer, findConnection } from './connection.ts'
import { ordersAnswer, printProfile, profileAnswer, timelineAnswer } from './show-profile.ts'

export const show: Command = {
  help: `Usage: headwater show <email | namespace:value | id> [--json]

Shows a profile: its fields, each with the write that won and those that it overruled, its identities, what was
ordered and invoiced in each currency, and the latest events. Who is meant is stated by an e-mail address, a phone number in international form (+44…), an
identity such as user:42, erp:17850 or account:Cancity, or a profile's id. The address of the request names nobody.

${optionTable([
  ['--json', 'print the answers as one line of JSON'],
  ['--events <n>', 'how many of the latest events to show; default 5'],
])}

${CONNECTION_HELP}

Exit codes: 0 shown · 1 nobody is known by that, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, {
      json: { type: 'boolean' },
      events: { type: 'string' },
    })
    const [who, ...others] = positionals
    if (who === undefined || others.length > 0) throw new UsageError('show takes one identity')
    const events = Number(values.events ?? '5')
    if (!Number.isInteger(events) || events < 0 || events > 100)
      throw new UsageError('--events takes 0 to 100')
    const stated = statedIdentity(who)
    const connection = await findConnection(terminal)
    const id = await findProfile(connection, stated)
    if (id === undefined) return unknown(terminal, stated)
    return showProfile(terminal, connection, id, { events, json: values.json ?? false })
  },
}

const IDENTITY_ID = /^[0-9a-f]{32}$/

/** What people type, as `namespace:value`, or an id as it stands. */
function statedIdentity(who: string): string {
  if (IDENTITY_ID.test(who) || /^[a-z][a-z0-9_]{0,31}:./.test(who)) return who
  if (/^[^@\s]+@[^@\s]+$/.test(who)) return `email:${who}`
  if (/^\+[\d ()/-]{6,}$/.test(who)) return `phone:${who}`
  throw new UsageError(`${who} is no e-mail address, phone number (+…), namespace:value or id`)
}

const lookupAnswer = t.type({ data: t.array(t.union([t.type({ id: t.string }), t.null])) })

async function findProfile(connection: Connection, stated: string): Promise<string | undefined> {
  const body = await askOk(connection, { path: '/v1/profiles/lookup', body: { identities: [stated] } })
  return decodeAnswer(lookupAnswer, body).data[0]?.id
}

function unknown(terminal: Terminal, stated: string): ExitCode {
  terminal.err(
    `headwater show: nobody is known as ${stated}. If it was sent just now, the views may be behind: ` +
      'headwater stats tells. An event in quarantine adds nothing to a profile.',
  )
  return 1
}

async function showProfile(
  terminal: Terminal,
  connection: Connection,
  id: string,
  options: { readonly events: number; readonly json: boolean },
): Promise<ExitCode> {
  const path = `/v1/profiles/${encodeURIComponent(id)}`
  const part = (name: string, address: string) => askPart(terminal, connection, name, address)
  const [profile, timeline, orders] = await Promise.all([
    askOk(connection, { path: `${path}?explain=true` }),
    options.events === 0 ? { data: [] } : part('latest events', `${path}/timeline?limit=${options.events}`),
    part('orders', `/v1/orders?id=${encodeURIComponent(id)}`),
  ])
  if (options.json) terminal.out(JSON.stringify({ profile, timeline, orders }))
  else {
    printProfile(terminal, {
      profile: decodeAnswer(profileAnswer, profile),
      timeline: timeline === undefined ? undefined : decodeAnswer(timelineAnswer, timeline),
      orders: orders === undefined ? undefined : decodeAnswer(ordersAnswer, orders),
    })
  }
  return 0
}

/** A profile is worth showing without this part, but not as if the part were empty: standard error says what it lacks. */
async function askPart(
  terminal: Terminal,
  connection: Connection,
  name: string,
  path: string,
): Promise<unknown> {
  try {
    return await askOk(connection, { path })
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    terminal.err(`headwater show: without ${name}: ${error.message}`)
    return undefined
  }
}
