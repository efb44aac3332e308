import * as t from 'io-ts'
import { GOVERNED_VIEWS } from '../../projections/governed-views.ts'
import { checkSurvivorship } from '../../projections/survivorship.ts'
import {
  CONNECTION_HELP,
  type Command,
  type ExitCode,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { askOk, type Connection, decodeAnswer, findConnection } from './connection.ts'
import { pastQuery, statedPast } from './person.ts'
import { printable } from './printable.ts'
import { readJsonFile } from './steward.ts'

const PATH = '/v1/rules/survivorship'

const ruled = t.type({
  view: t.string,
  field: t.string,
  default: t.string,
  rule: t.string,
  sources: t.union([t.array(t.string), t.null]),
  window_seconds: t.number,
})
const problem = t.type({ entry: t.string, code: t.string, message: t.string })
const answer = t.type({ data: t.array(ruled), problems: t.array(problem) })
const published = t.type({ data: t.type({ event: t.type({ id: t.string, position: t.number }) }) })

export const rules: Command = {
  help: `Usage: headwater rules [options]
       headwater rules check <file> [--running]
       headwater rules publish <file> [--by <name>]

Survivorship rules: how a field picks its value where several sources write it. Without anything else it lists the rules in
force. A file of rules is one JSON object:

  {"profile.phone": {"rule": "ranked", "sources": ["crm", "web"]}, "case.owner": {"rule": "review"},
   "profile": {"window": "90d"}}

Rules: latest, first, ranked and rankedUnlessBlank (with sources, else as they are registered), min, max, mostRestrictive (with
values), review. window: writes of different values no further apart contradict each other. check says what is wrong
with a file, without an engine: then it can't know the fields that departments have defined, and says where that matters;
publish puts it in place of what was published before.

${optionTable([
  ['--view <name>', 'the rules of this view alone'],
  ['--as-of <moment>', 'those in force on a day, at an RFC 3339 instant, or at a position of the log'],
  ['--running', 'check: ask the running engine, which knows defined fields and objects too'],
  ['--by <name>', 'who publishes'],
  ['--json', 'print the answer as one line of JSON'],
])}

${CONNECTION_HELP}
Publishing and check --running need both, the read token and the write key.

Exit codes: 0 done, or all in order · 1 something is wrong with the rules, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    const [what, file, ...others] = positionals
    if (what !== undefined && values['as-of'] !== undefined)
      throw new UsageError('--as-of is of the list of rules')
    if (others.length > 0) throw new UsageError('rules takes one file')
    if (what === undefined) return list(terminal, values)
    if (file === undefined || (what !== 'check' && what !== 'publish')) {
      throw new UsageError('rules takes check <file>, publish <file>, or nothing')
    }
    if (values.running === true && what !== 'check') throw new UsageError('--running is of check')
    const document = readJsonFile(file)
    if (what === 'publish') return publish(terminal, document, values)
    return values.running === true ? checkRunning(terminal, document) : check(terminal, document)
  },
}

const OPTIONS = {
  view: { type: 'string' },
  by: { type: 'string' },
  running: { type: 'boolean' },
  json: { type: 'boolean' },
  'as-of': { type: 'string' },
} as const

interface Values {
  readonly view?: string | undefined
  readonly by?: string | undefined
  readonly json?: boolean | undefined
  readonly 'as-of'?: string | undefined
}

function check(terminal: Terminal, document: unknown): ExitCode {
  const problems = checkSurvivorship(document, GOVERNED_VIEWS)
  const mayBeDefined = problems.some(({ _tag }) => _tag === 'UnknownField' || _tag === 'UnknownView')
  const code = report(terminal, problems)
  if (mayBeDefined) {
    terminal.err(
      'Without an engine only built-in fields are known. Fields and objects that departments have defined:',
    )
    terminal.err('  headwater rules check <file> --running')
  }
  return code
}

function report(terminal: Terminal, problems: Parameters<typeof printProblems>[1]): ExitCode {
  printProblems(terminal, problems)
  if (problems.length === 0) terminal.out('These rules are in order.')
  return problems.length === 0 ? 0 : 1
}

async function checkRunning(terminal: Terminal, document: unknown): Promise<ExitCode> {
  return report(terminal, await problemsThere(await findConnection(terminal), { rules: document }))
}

/** What the engine says, which knows the fields that are defined there, too. */
async function problemsThere(
  connection: Connection,
  body: Readonly<Record<string, unknown>>,
): Promise<t.TypeOf<typeof tried>['data']['problems']> {
  const reply = await askOk(connection, { path: `${PATH}?dryRun=true`, body, admin: true })
  return decodeAnswer(tried, reply).data.problems
}

function printProblems(
  terminal: Terminal,
  problems: readonly { readonly entry: string; readonly message: string }[],
): void {
  for (const { entry, message } of problems) terminal.err(`${printable(entry)}: ${printable(message)}`)
}

const tried = t.type({ data: t.type({ problems: t.array(problem) }) })

async function publish(terminal: Terminal, document: unknown, { by, json }: Values): Promise<ExitCode> {
  const connection = await findConnection(terminal)
  const body = { rules: document, ...(by === undefined ? {} : { by }) }
  const problems = await problemsThere(connection, body)
  printProblems(terminal, problems)
  if (problems.length > 0) return 1
  const reply = await askOk(connection, { path: PATH, body, admin: true })
  const { position } = decodeAnswer(published, reply).data.event
  terminal.out(json ? JSON.stringify(reply) : `Published at position ${position}; the views are folded anew.`)
  return 0
}

async function list(terminal: Terminal, { view, json, 'as-of': asOf }: Values): Promise<ExitCode> {
  const past = statedPast({ 'as-of': asOf })
  const connection = await findConnection(terminal)
  const path = past === undefined ? PATH : `${PATH}?${pastQuery(past)}`
  const body = await askOk(connection, { path })
  if (json) {
    terminal.out(JSON.stringify(body))
    return 0
  }
  const { data, problems } = decodeAnswer(answer, body)
  for (const each of data.filter((one) => view === undefined || one.view === view)) {
    const sources = each.sources === null ? '' : ` of ${each.sources.map(printable).join(' > ')}`
    const own = each.rule === each.default ? '' : terminal.style.dim(`  in place of ${each.default}`)
    terminal.out(`${each.view}.${each.field}  ${each.rule}${sources}${own}`)
  }
  for (const { entry, message } of problems) {
    terminal.err(terminal.style.warn(`ignored: ${printable(entry)}: ${printable(message)}`))
  }
  return 0
}
