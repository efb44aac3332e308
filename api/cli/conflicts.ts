import * as t from 'io-ts'
import {
  CONNECTION_HELP,
  type Command,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { decodeAnswer, findConnection } from './connection.ts'
import { askAt } from './past-answer.ts'
import {
  findPerson,
  nobody,
  PAST_HELP,
  PAST_OPTIONS,
  statedIdentity,
  statedPast,
  WHO_HELP,
} from './person.ts'
import { printable, valueText } from './printable.ts'

const claim = t.type({ value: t.unknown, source: t.string, time: t.string, position: t.number })
const conflict = t.intersection([
  t.type({
    id: t.string,
    view: t.string,
    field: t.string,
    status: t.string,
    rule: t.string,
    winner: t.union([claim, t.null]),
    candidates: t.array(claim),
    since: t.string,
    decided_by: t.union([t.string, t.null]),
  }),
  t.partial({ record: t.string }),
])
type Conflict = t.TypeOf<typeof conflict>

const answer = t.type({ position: t.number, data: t.array(conflict), next: t.union([t.string, t.null]) })

export const conflicts: Command = {
  help: `Usage: headwater conflicts [<email | namespace:value | id>] [options]

Fields that sources contradict each other about: who claims what, whose value stands meanwhile and by which rule. The
oldest come first. headwater resolve settles one, headwater lock keeps a value whatever comes.

${WHO_HELP}

${optionTable([
  ['--all', 'resolved ones too'],
  ['--field <name>', 'of this field alone'],
  ['--records', 'of deals, accounts, contacts, leads, cases and campaigns, in place of people and companies'],
  ['--limit <n>', 'how many; default 20'],
  ...PAST_HELP,
  ['--json', 'print the answer as one line of JSON'],
])}

${CONNECTION_HELP}

Exit codes: 0 answered · 1 nobody is known by that, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    const [who, ...others] = positionals
    if (others.length > 0) throw new UsageError('conflicts takes at most one identity')
    if (who !== undefined && values.records)
      throw new UsageError('an identity and --records exclude each other')
    const past = statedPast(values)
    const connection = await findConnection(terminal)
    const query = new URLSearchParams({ sort: 'since', limit: values.limit ?? '20' })
    if (who !== undefined) {
      const stated = statedIdentity(who)
      const { profile, identity } = await findPerson(connection, stated)
      const id = past === undefined ? profile : identity
      if (id === undefined) return nobody(terminal, 'conflicts', stated)
      query.set('id', id)
    }
    if (!values.all) query.set('status[in]', 'open,review')
    if (values.field !== undefined) query.set('field', values.field)
    const path = `/v1/${values.records ? 'record-conflicts' : 'conflicts'}?${query}`
    const body = await askAt(terminal, connection, path, past)
    if (values.json) terminal.out(JSON.stringify(body))
    else print(terminal, decodeAnswer(answer, body))
    return 0
  },
}

const OPTIONS = {
  ...PAST_OPTIONS,
  all: { type: 'boolean' },
  field: { type: 'string' },
  records: { type: 'boolean' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
} as const

function print(terminal: Terminal, { data, next }: t.TypeOf<typeof answer>): void {
  if (data.length === 0) terminal.out('Nobody contradicts anybody.')
  for (const each of data) {
    for (const line of linesOf(each, terminal)) terminal.out(line)
  }
  if (next !== null) terminal.out(terminal.style.dim('There are more: --limit shows them.'))
}

function linesOf(each: Conflict, { style }: Pick<Terminal, 'style'>): readonly string[] {
  const { field, status, rule, winner, candidates, since, decided_by } = each
  const about = each.record === undefined ? each.id : `${each.view} ${printable(each.record)}`
  const by = decided_by === null ? printable(rule) : `${printable(rule)} by ${printable(decided_by)}`
  // A decided value is the steward's own, and no source's claim.
  const shown =
    winner === null || candidates.some(({ position }) => position === winner.position)
      ? candidates
      : [winner, ...candidates]
  return [
    `${style.bold(printable(field))} of ${about}: ${status} since ${since.slice(0, 10)} (${by})`,
    ...shown.map((claimed) => {
      const stands = claimed.position === winner?.position ? style.bold('  ← stands') : ''
      const when = style.dim(
        `${printable(claimed.source)}, ${claimed.time.slice(0, 10)}, position ${claimed.position}`,
      )
      return `  ${valueText(claimed.value)}  ${when}${stands}`
    }),
  ]
}
