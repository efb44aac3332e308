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
import { answered, ask, askOk, decodeAnswer, findConnection } from './connection.ts'
import { findPerson, nobody, statedIdentity, WHO_HELP } from './person.ts'
import { printable, valueText } from './printable.ts'

const cause = t.partial({
  event: t.type({ id: t.string, source: t.string, type: t.string, time: t.string, position: t.number }),
  deadline: t.string,
})
type Cause = t.TypeOf<typeof cause>

const causes = t.array(cause)
const change = t.intersection([
  t.type({ field: t.string, from: t.unknown, to: t.unknown, times: t.number, because: causes }),
  t.partial({ part: t.string }),
])
type Change = t.TypeOf<typeof change>

const identity = t.intersection([
  t.type({ id: t.string }),
  t.partial({ namespace: t.string, value: t.string }),
])
type Identity = t.TypeOf<typeof identity>

const changesAnswer = t.intersection([
  t.type({ position: t.number, data: t.array(change) }),
  /** Of profiles alone. */
  t.partial({
    identities: t.type({ joined: t.array(identity), left: t.array(identity), because: causes }),
  }),
])
type ChangesAnswer = t.TypeOf<typeof changesAnswer>

/** Where the rows of each record view are asked for, by the name that other commands know it by. */
export const RECORD_VIEWS: Readonly<Record<string, string>> = {
  lead: 'leads',
  account: 'accounts',
  contact: 'contacts',
  opportunity: 'opportunities',
  case: 'cases',
  campaign: 'campaigns',
  campaign_member: 'campaign-members',
  quarantine: 'quarantine',
}
const PEOPLE: ReadonlySet<string> = new Set(['profile', 'profiles'])

export const changes: Command = {
  help: `Usage: headwater changes <email | namespace:value | id> [--from <moment>] [--to <moment>] [--json]
       headwater changes <view> <id> [--from <moment>] [--to <moment>] [--json]

Says what changed between two moments, in a profile or in a record of another view: field by field what it was and what
it became, and because of which events. A moment is a day, an RFC 3339 instant, or a position of the log.

${WHO_HELP}
A record is stated by its view and its id: ${Object.keys(RECORD_VIEWS).slice(0, 6).join(', ')},
${Object.keys(RECORD_VIEWS).slice(6).join(', ')}, or the name of an object that a department has defined.

${optionTable([
  ['--from <moment>', 'the earlier moment; default: before everything'],
  ['--to <moment>', 'the later moment; default: now'],
  ['--by occurred', 'by when things happened, as far as is known today; the default for days and instants'],
  ['--by received', 'by when they reached the engine; always so for positions'],
  ['--json', 'print the answer as one line of JSON'],
])}

${CONNECTION_HELP}

Exit codes: 0 answered · 1 nothing was known by that then, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, {
      ...{ from: { type: 'string' }, to: { type: 'string' }, by: { type: 'string' } },
      json: { type: 'boolean' },
    })
    const [first, second, ...others] = positionals
    if (first === undefined || others.length > 0)
      throw new UsageError('changes takes one identity, or a view and an id')
    const query = queryOf(values)
    if (second === undefined && viewNamed(first) !== undefined)
      throw new UsageError(`${first} is a view: behind it the record's id is needed`)
    if (second === undefined || PEOPLE.has(first)) {
      const stated = statedIdentity(second ?? first)
      const connection = await findConnection(terminal)
      const { identity: known, profile } = await findPerson(connection, stated)
      const id = known ?? profile
      if (id === undefined) return nobody(terminal, 'changes', stated)
      const path = `/v1/profiles/${encodeURIComponent(id)}/changes?${query}`
      return tell(terminal, await askOk(connection, { path }), values)
    }
    const view = viewNamed(first)
    const place = view ?? `objects/${encodeURIComponent(first)}`
    const path = `/v1/${place}/${encodeURIComponent(second)}/changes?${query}`
    const connection = await findConnection(terminal)
    const reply = await ask(connection, { path })
    // The past may know an object that is defined no more, so the engine says no more than that there is nothing.
    if (reply.status === 404 && view === undefined) throw new CommandFailed(unknownObject(first))
    return tell(terminal, answered(connection, reply), values)
  },
}

/** Where a view is asked for, by either of its names. */
function viewNamed(view: string): string | undefined {
  return Object.entries(RECORD_VIEWS).find((names) => names.includes(view))?.[1]
}

function unknownObject(name: string): string {
  return `there was no such record, or no object ${printable(name)}; views are ${Object.keys(RECORD_VIEWS).join(', ')}`
}

function tell(
  terminal: Terminal,
  body: unknown,
  { json }: { readonly json?: boolean | undefined },
): ExitCode {
  if (json) terminal.out(JSON.stringify(body))
  else print(terminal, decodeAnswer(changesAnswer, body))
  return 0
}

interface Stated {
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly by?: string | undefined
}

function queryOf({ from, to, by }: Stated): string {
  if (by !== undefined && by !== 'received' && by !== 'occurred')
    throw new UsageError(`--by takes received or occurred, not ${by}`)
  const moments = [from, to].filter((moment) => moment !== undefined)
  const hasPosition = moments.some((moment) => /^\d+$/.test(moment))
  if (hasPosition && by === 'occurred')
    throw new UsageError('--by occurred takes days or instants, not positions')
  const query = new URLSearchParams({
    by: by ?? (hasPosition || moments.length === 0 ? 'received' : 'occurred'),
  })
  if (from !== undefined) query.set('from', from)
  if (to !== undefined) query.set('to', to)
  return String(query)
}

const NOBODY = { joined: [], left: [], because: [] }

function print(terminal: Terminal, { data, identities = NOBODY }: ChangesAnswer): void {
  const { joined, left, because } = identities
  if (joined.length > 0) terminal.out(`${terminal.style.bold('joined')}: ${joined.map(nameOf).join(', ')}`)
  if (left.length > 0) terminal.out(`${terminal.style.bold('left')}: ${left.map(nameOf).join(', ')}`)
  if (joined.length + left.length > 0) printCauses(terminal, because)
  for (const each of data) printChange(terminal, each)
  if (data.length + joined.length + left.length === 0) terminal.out('nothing changed')
}

function nameOf({ id, namespace, value }: Identity): string {
  return value === undefined ? `${id} (erased)` : printable(`${namespace}:${value}`)
}

function printChange(terminal: Terminal, { field, part, from, to, times, because }: Change): void {
  const name = printable(part === undefined ? field : `${field} (${part})`)
  const often = times > 1 ? terminal.style.dim(` (changed ${times} times)`) : ''
  terminal.out(`${terminal.style.bold(name)}: ${shown(from)} → ${shown(to)}${often}`)
  printCauses(terminal, because)
}

function shown(value: unknown): string {
  return value === null || value === undefined ? 'nothing' : valueText(value)
}

function printCauses(terminal: Terminal, because: readonly Cause[]): void {
  for (const { event, deadline } of because) {
    if (deadline !== undefined) terminal.out(`  at ${deadline}, because time passed`)
    if (event === undefined) continue
    const { id, source, type, time, position } = event
    terminal.out(
      `  ${time}  ${printable(type)} from ${printable(source)}, event ${printable(id)}, position ${position}`,
    )
  }
}
