import * as t from 'io-ts'
import {
  CONNECTION_HELP,
  type Command,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
  wholeNumber,
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
import { printable } from './printable.ts'

const DEFAULT_LIMIT = 20

const event = t.type({
  position: t.number,
  time: t.string,
  type: t.string,
  source: t.string,
  id: t.string,
})
const answer = t.type({ position: t.number, data: t.array(event), next: t.union([t.string, t.null]) })

export const timeline: Command = {
  help: `Usage: headwater timeline <email | namespace:value | id> [--as-of <moment>] [--limit <n>] [--json]

Lists a person's events, newest first. With --as-of, those of whoever belonged together at that moment: as received in the
order of the log, as occurred in the order of time.

${WHO_HELP}

${optionTable([
  ...PAST_HELP,
  ['--limit <n>', `how many; default ${DEFAULT_LIMIT}`],
  ['--cursor <next>', "`next` of an answer before: go on behind it; --as-of and --by must be that answer's"],
  ['--json', 'print the answer as one line of JSON'],
])}

${CONNECTION_HELP}

Exit codes: 0 listed · 1 nobody is known by that, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, {
      ...PAST_OPTIONS,
      limit: { type: 'string' },
      cursor: { type: 'string' },
      json: { type: 'boolean' },
    })
    const [who, ...others] = positionals
    if (who === undefined || others.length > 0) throw new UsageError('timeline takes one identity')
    const stated = statedIdentity(who)
    const past = statedPast(values)
    const limit = wholeNumber('limit', values.limit, 1) ?? DEFAULT_LIMIT
    const connection = await findConnection(terminal)
    const { profile, identity } = await findPerson(connection, stated)
    const id = past === undefined ? (profile ?? identity) : (identity ?? profile)
    if (id === undefined) return nobody(terminal, 'timeline', stated)
    const query = new URLSearchParams({ limit: String(limit) })
    if (values.cursor !== undefined) query.set('cursor', values.cursor)
    const path = `/v1/profiles/${encodeURIComponent(id)}/timeline?${query}`
    const body = await askAt(terminal, connection, path, past)
    if (values.json) terminal.out(JSON.stringify(body))
    else print(terminal, decodeAnswer(answer, body))
    return 0
  },
}

function print(terminal: Terminal, { data, next }: t.TypeOf<typeof answer>): void {
  for (const { time, type, source, id, position } of data)
    terminal.out(
      `${time}  ${printable(type)} from ${printable(source)}, event ${printable(id)}, position ${position}`,
    )
  if (next !== null) terminal.out(terminal.style.dim(`There are more: --cursor ${printable(next)}`))
}
