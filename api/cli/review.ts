import * as t from 'io-ts'
import {
  CONNECTION_HELP,
  type Command,
  optionTable,
  readArguments,
  UsageError,
  wholeNumber,
} from './command.ts'
import { decodeAnswer, findConnection } from './connection.ts'
import { askAt } from './past-answer.ts'
import { PAST_HELP, PAST_OPTIONS, statedPast } from './person.ts'
import { printable } from './printable.ts'
import { nameOf, shownIdentity } from './show-identity.ts'

const DEFAULT_LIMIT = 20

const refusal = t.type({
  identities: t.array(shownIdentity),
  reason: t.string,
  detail: t.string,
  event: t.intersection([
    t.type({ id: t.string, time: t.string, position: t.number }),
    t.partial({ source: t.string, type: t.string }),
  ]),
  profiles: t.array(t.type({ id: t.string, size: t.number, identities: t.array(shownIdentity) })),
})
type Refusal = t.TypeOf<typeof refusal>

const reviewAnswer = t.type({
  position: t.number,
  data: t.array(refusal),
  next: t.union([t.number, t.null]),
  rules: t.type({ version: t.string }),
})

export const review: Command = {
  help: `Usage: headwater review [--limit <n>] [--as-of <moment>] [--json]

Lists links between people that events state and that were not followed, because a limit, the size of a profile or a
cut forbids it: the oldest first, with the event behind each. Answer each by headwater link, cut or keep-apart.

${optionTable([
  ...PAST_HELP,
  ['--limit <n>', `how many; default ${DEFAULT_LIMIT}`],
  ['--json', 'print the answer as one line of JSON'],
])}

${CONNECTION_HELP}

Exit codes: 0 answered · 1 no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const options = { ...PAST_OPTIONS, limit: { type: 'string' }, json: { type: 'boolean' } } as const
    const { values, positionals } = readArguments(args, options)
    if (positionals.length > 0) throw new UsageError('review takes no identity')
    const limit = wholeNumber('limit', values.limit, 1) ?? DEFAULT_LIMIT
    const past = statedPast(values)
    const connection = await findConnection(terminal)
    const body = await askAt(terminal, connection, `/v1/identity/review?limit=${limit}`, past)
    if (values.json) {
      terminal.out(JSON.stringify(body))
      return 0
    }
    const { data, next, rules } = decodeAnswer(reviewAnswer, body)
    for (const each of data) for (const line of linesOf(each)) terminal.out(line)
    if (data.length === 0) terminal.out('Nothing waits for a decision.')
    else if (next !== null) terminal.out('There are more: --limit tells how many are shown.')
    terminal.out(terminal.style.dim(`identity rules version ${printable(rules.version)}`))
    return 0
  },
}

function linesOf({ identities, reason, detail, event, profiles }: Refusal): readonly string[] {
  const [a, b] = identities.map(nameOf)
  const where = event.source === undefined ? '' : `${event.source} `
  const from = printable(`${where}event ${event.id} (${event.time}, position ${event.position})`)
  const sides = profiles.map(({ size, identities: some }) => {
    const more = size > some.length ? ` and ${size - some.length} more` : ''
    return `    ${some.map(nameOf).join(', ')}${more}`
  })
  return [`${a} with ${b}: ${reason}, ${printable(detail)}; ${from}`, ...sides]
}
