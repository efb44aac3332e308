import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import * as t from 'io-ts'
import { CommandFailed, type ExitCode, type Terminal, UsageError } from './command.ts'
import { askOk, type Connection, decodeAnswer, findConnection } from './connection.ts'
import { findPerson, nobody, statedIdentity } from './person.ts'
import { printable, valueText } from './printable.ts'
import { explanation, sentenceOf } from './why-sentence.ts'

/** What `resolve`, `lock` and `unlock` have in common. */

export const DECISION_OPTIONS = {
  view: { type: 'string' },
  by: { type: 'string' },
  reason: { type: 'string' },
  remove: { type: 'boolean' },
  'value-json': { type: 'string' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const DECISION_HELP = [
  [
    '--view <name>',
    'of a record: opportunity, account, contact, lead, case or campaign; then its id is stated',
  ],
  ['--by <name>', 'who decides; default your user name'],
  ['--reason <text>', 'kept in the log in the clear: it must name nobody'],
  ['--remove', 'the value is to be none'],
  ['--value-json <json>', 'a value that is no text, such as an address or an amount'],
  ['--dry-run', 'print what would change, before → after, and append nothing'],
  ['--json', 'print the answer as one line of JSON'],
] as const

const then = t.type({ value: t.unknown, explanation: t.union([explanation, t.null]), conflict: t.unknown })
const answer = t.type({
  position: t.number,
  data: t.type({
    dryRun: t.boolean,
    event: t.type({ id: t.string, type: t.string, position: t.union([t.number, t.null]) }),
    view: t.string,
    id: t.string,
    field: t.string,
    from: then,
    to: then,
    changes: t.array(t.type({ column: t.string, from: t.unknown, to: t.unknown })),
  }),
})

interface Values {
  readonly view?: string | undefined
  readonly by?: string | undefined
  readonly reason?: string | undefined
  readonly remove?: boolean | undefined
  readonly 'value-json'?: string | undefined
  readonly 'dry-run'?: boolean | undefined
  readonly json?: boolean | undefined
}

/** The decided value as an object to be spread: empty where none is stated. */
export function statedValue(values: Values, text: string | undefined): { readonly value?: unknown } {
  const ways = [text !== undefined, values.remove === true, values['value-json'] !== undefined]
  if (ways.filter((stated) => stated).length > 1) {
    throw new UsageError('state a value, --remove or --value-json, one of them')
  }
  if (values.remove) return { value: null }
  const json = values['value-json']
  if (json === undefined) return text === undefined ? {} : { value: text }
  try {
    return { value: JSON.parse(json) as unknown }
  } catch {
    throw new UsageError('--value-json is not JSON')
  }
}

interface Asked {
  readonly command: string
  readonly who: string
  readonly values: Values
  /** Where the decision is posted. */
  readonly path: (place: { readonly view: string | undefined; readonly id: string }) => string
  readonly body: Readonly<Record<string, unknown>>
}

export async function decideAndPrint(terminal: Terminal, asked: Asked): Promise<ExitCode> {
  const { command, who, values, body } = asked
  const connection = await findConnection(terminal)
  const id = values.view === undefined ? await profileOf(terminal, connection, command, who) : who
  if (id === undefined) return 1
  const query = values['dry-run'] ? '?dryRun=true' : ''
  const path = `${asked.path({ view: values.view, id: encodeURIComponent(id) })}${query}`
  const reason = values.reason === undefined ? {} : { reason: values.reason }
  const stated = { ...body, steward: values.by ?? ownName(), ...reason }
  const decided = await askOk(connection, { path, body: stated, admin: true })
  if (values.json) terminal.out(JSON.stringify(decided))
  else print(terminal, decodeAnswer(answer, decided).data)
  return 0
}

async function profileOf(
  terminal: Terminal,
  connection: Connection,
  command: string,
  who: string,
): Promise<string | undefined> {
  const stated = statedIdentity(who)
  const { profile } = await findPerson(connection, stated)
  if (profile === undefined) nobody(terminal, command, stated)
  return profile
}

function ownName(): string {
  try {
    return userInfo().username
  } catch {
    // Some containers run users that have no name.
    return 'steward'
  }
}

function print(terminal: Terminal, data: t.TypeOf<typeof answer>['data']): void {
  const { style } = terminal
  const { field, from, to, dryRun, event, changes } = data
  terminal.out(
    `${style.bold(printable(field))}: ${valueText(from.value)} → ${style.bold(valueText(to.value))}`,
  )
  if (from.explanation !== null) terminal.out(`  before: ${sentenceOf(field, from.explanation)}`)
  if (to.explanation !== null) terminal.out(`  after: ${sentenceOf(field, to.explanation)}`)
  const [before, after] = [statusOf(from.conflict), statusOf(to.conflict)]
  if (before !== after) terminal.out(`  conflict: ${before} → ${after}`)
  for (const change of changes.filter(({ column }) => column !== field)) {
    terminal.out(`  ${change.column}: ${valueText(change.from)} → ${valueText(change.to)}`)
  }
  const end = dryRun ? 'A dry run: nothing was appended.' : `${event.type} at position ${event.position ?? 0}`
  terminal.out(style.dim(`  ${end}`))
}

const status = t.type({ status: t.string })

function statusOf(conflict: unknown): string {
  return status.is(conflict) ? conflict.status : 'none'
}

/** A file of rules. */
export function readJsonFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) throw new CommandFailed(`${file} is not JSON`)
    throw new CommandFailed(`${file} can't be read`)
  }
}
