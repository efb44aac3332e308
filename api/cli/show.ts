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
import { askAt } from './past-answer.ts'
import {
  findPerson,
  nobody,
  PAST_HELP,
  PAST_OPTIONS,
  type Past,
  statedIdentity,
  statedPast,
  WHO_HELP,
} from './person.ts'
import { ordersAnswer, pastAnswer, printProfile, profileAnswer, timelineAnswer } from './show-profile.ts'

export const show: Command = {
  help: `Usage: headwater show <email | namespace:value | id> [--as-of <moment>] [--json]

Shows a profile: its fields, each with the write that won and those that it overruled, its identities, what was
ordered and invoiced in each currency, and the latest events. With --as-of, all of it as of that moment, folded from
the log with the identities and configuration of that moment.

${WHO_HELP}

${optionTable([
  ...PAST_HELP,
  ['--json', 'print the answers as one line of JSON'],
  ['--events <n>', 'how many of the latest events to show; default 5'],
])}

${CONNECTION_HELP}

Exit codes: 0 shown · 1 nobody is known by that, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, {
      ...PAST_OPTIONS,
      json: { type: 'boolean' },
      events: { type: 'string' },
    })
    const [who, ...others] = positionals
    if (who === undefined || others.length > 0) throw new UsageError('show takes one identity')
    const events = Number(values.events ?? '5')
    if (!Number.isInteger(events) || events < 0 || events > 100)
      throw new UsageError('--events takes 0 to 100')
    const stated = statedIdentity(who)
    const past = statedPast(values)
    const connection = await findConnection(terminal)
    const { profile, identity } = await findPerson(connection, stated)
    const options = { events, json: values.json ?? false }
    if (past !== undefined && identity !== undefined)
      return showPast(terminal, connection, identity, { ...options, past })
    if (profile === undefined) return nobody(terminal, 'show', stated)
    return showProfile(terminal, connection, profile, options)
  },
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

/** Asked for by the identity itself: who it belongs to now says nothing about who it belonged to then. */
async function showPast(
  terminal: Terminal,
  connection: Connection,
  identity: string,
  options: { readonly events: number; readonly json: boolean; readonly past: Past },
): Promise<ExitCode> {
  const path = `/v1/profiles/${encodeURIComponent(identity)}?explain=true&events=${options.events}`
  const profile = await askAt(terminal, connection, path, options.past)
  if (options.json) {
    terminal.out(JSON.stringify({ profile }))
    return 0
  }
  const decoded = decodeAnswer(pastAnswer, profile)
  printProfile(terminal, {
    profile: decoded,
    timeline: { data: decoded.timeline },
    orders: { data: decoded.orders, next: null },
  })
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
