import * as t from 'io-ts'
import {
  CONNECTION_HELP,
  type Command,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { askOk, decodeAnswer, findConnection } from './connection.ts'
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

const changesAnswer = t.type({
  position: t.number,
  data: t.array(change),
  identities: t.type({ joined: t.array(identity), left: t.array(identity), because: causes }),
})
type ChangesAnswer = t.TypeOf<typeof changesAnswer>

export const changes: Command = {
  help: `Usage: headwater changes <email | namespace:value | id> [--from <moment>] [--to <moment>] [--json]

Says what changed in a profile between two moments: field by field what it was and what it became, and because of which
events. A moment is a day, an RFC 3339 instant, or a position of the log.

${WHO_HELP}

${optionTable([
  ['--from <moment>', 'the earlier moment; default: before everything'],
  ['--to <moment>', 'the later moment; default: now'],
  ['--by occurred', 'by when things happened, as far as is known today; the default for days and instants'],
  ['--by received', 'by when they reached the engine; always so for positions'],
  ['--json', 'print the answer as one line of JSON'],
])}

${CONNECTION_HELP}

Exit codes: 0 answered · 1 nobody was known by that then, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, {
      ...{ from: { type: 'string' }, to: { type: 'string' }, by: { type: 'string' } },
      json: { type: 'boolean' },
    })
    const [who, ...others] = positionals
    if (who === undefined || others.length > 0) throw new UsageError('changes takes one identity')
    const stated = statedIdentity(who)
    const query = queryOf(values)
    const connection = await findConnection(terminal)
    const person = await findPerson(connection, stated)
    const id = person.identity ?? person.profile
    if (id === undefined) return nobody(terminal, 'changes', stated)
    const path = `/v1/profiles/${encodeURIComponent(id)}/changes?${query}`
    const body = await askOk(connection, { path })
    if (values.json) terminal.out(JSON.stringify(body))
    else print(terminal, decodeAnswer(changesAnswer, body))
    return 0
  },
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

function print(terminal: Terminal, { data, identities }: ChangesAnswer): void {
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
