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

const OPTIONS = { by: { type: 'string' }, json: { type: 'boolean' } } as const

const OPTION_HELP = optionTable([
  ['--by <who>', 'stands in the log beside it'],
  ['--json', 'print the answer as one line of JSON'],
])

export const switchCommand: Command = {
  help: `Usage: headwater switch <projection> [--by <who>] [--json]

Lets the build of a read model serve that waits for it (HEADWATER_BUILDS=hold). headwater diff shows what changes. The one
before is kept, following the log, until the next switch. The switch is appended as projection.switched.

${OPTION_HELP}

${CONNECTION_HELP}

Exit codes: 0 switched · 1 nothing waits, or no answer · 2 wrong command line`,
  run: (args, terminal) => run('switch', args, terminal),
}

export const rollback: Command = {
  help: `Usage: headwater rollback <projection> [--by <who>] [--json]

Lets the build of a read model serve again that served before the last switch, as long as it is kept (HEADWATER_BUILDS=hold).
The build that it takes the place of waits from then on. It is appended as projection.switched.

${OPTION_HELP}

${CONNECTION_HELP}

Exit codes: 0 switched back · 1 no build before is kept, or no answer · 2 wrong command line`,
  run: (args, terminal) => run('rollback', args, terminal),
}

const answered = t.type({
  data: t.type({ projection: t.string, from: t.string, to: t.string, rows: t.number, digest: t.string }),
})

async function run(kind: 'switch' | 'rollback', args: readonly string[], terminal: Terminal): Promise<0> {
  const { values, positionals } = readArguments(args, OPTIONS)
  const [name, ...others] = positionals
  if (name === undefined || others.length > 0)
    throw new UsageError(`${kind} takes the name of one projection`)
  const body = values.by === undefined ? {} : { by: values.by }
  const path = `/v1/projections/${encodeURIComponent(name)}/${kind}`
  const answer = await askOk(await findConnection(terminal), { path, body, admin: true })
  const { data } = decodeAnswer(answered, answer)
  if (values.json) terminal.out(JSON.stringify(answer))
  else terminal.out(`${data.to} serves in place of ${data.from}: ${data.rows} rows, digest ${data.digest}`)
  return 0
}
