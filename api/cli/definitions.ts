import * as t from 'io-ts'
import type { ExitCode, Terminal } from './command.ts'
import { ask, decodeAnswer, findConnection, refusalText } from './connection.ts'
import { printable } from './printable.ts'

/** What `fields` and `objects` have in common. */

export const DEFINITION_OPTIONS = {
  description: { type: 'string' },
  department: { type: 'string' },
  by: { type: 'string' },
  replace: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const DEFINITION_HELP = [
  ['--description <text>', 'one sentence for the documentation'],
  ['--department <name>', 'whose it is'],
  ['--by <name>', 'who decides'],
  ['--replace', 'what is in use may become narrower: another type, fewer options'],
  ['--dry-run', 'print what speaks against it and which views would be folded anew; append nothing'],
  ['--json', 'print the answer as one line of JSON'],
] as const

export interface DefinitionValues {
  readonly description?: string | undefined
  readonly department?: string | undefined
  readonly by?: string | undefined
  readonly replace?: boolean | undefined
  readonly 'dry-run'?: boolean | undefined
  readonly json?: boolean | undefined
}

/** What is stated, for a body. */
export function definition(values: DefinitionValues): Readonly<Record<string, unknown>> {
  const { description, department, by, replace } = values
  return {
    ...(description === undefined ? {} : { description }),
    ...(department === undefined ? {} : { department }),
    ...(by === undefined ? {} : { by }),
    ...(replace === true ? { replace } : {}),
  }
}

/** `by`: of requests without a body. */
export function queryOf({ 'dry-run': dryRun }: DefinitionValues, by?: string | undefined): string {
  const stated = [
    ...(dryRun === true ? ['dryRun=true'] : []),
    ...(by === undefined ? [] : [`by=${encodeURIComponent(by)}`]),
  ]
  return stated.length === 0 ? '' : `?${stated.join('&')}`
}

const answer = t.type({
  data: t.type({
    dryRun: t.boolean,
    problems: t.array(t.type({ path: t.string, message: t.string })),
    views: t.array(
      t.type({
        view: t.string,
        rows: t.number,
        columns: t.type({ added: t.array(t.string), removed: t.array(t.string) }),
      }),
    ),
    event: t.union([t.type({ position: t.number }), t.null]),
  }),
})
const refusal = t.type({ errors: t.array(t.type({ path: t.string, message: t.string })) })

interface Asked {
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>> | undefined
  readonly method?: 'DELETE' | undefined
}

/** Defines or archives, or tells what that would do. */
export async function publish(
  terminal: Terminal,
  asked: Asked,
  { json }: DefinitionValues,
): Promise<ExitCode> {
  const connection = await findConnection(terminal)
  const reply = await ask(connection, { ...asked, admin: true })
  if (reply.status >= 300) {
    terminal.err(printable(refusalText(connection, reply)))
    const errors = refusal.is(reply.body) ? reply.body.errors : []
    for (const { path, message } of errors) terminal.err(`  ${printable(path)}: ${printable(message)}`)
    return 1
  }
  const { data } = decodeAnswer(answer, reply.body)
  if (json) terminal.out(JSON.stringify(reply.body))
  else print(terminal, data)
  return data.problems.length === 0 ? 0 : 1
}

function print(terminal: Terminal, { problems, views, event }: t.TypeOf<typeof answer>['data']): void {
  for (const { path, message } of problems) terminal.err(`${printable(path)}: ${printable(message)}`)
  for (const { view, rows, columns } of views) {
    const changed = [
      ...columns.added.map((name) => `+${name}`),
      ...columns.removed.map((name) => `-${name}`),
    ].join(' ')
    terminal.out(`${view}: ${rows} rows, folded anew${changed === '' ? '' : `; ${printable(changed)}`}`)
  }
  const end = event === null ? 'A dry run: nothing was appended.' : `defined at position ${event.position}`
  terminal.out(terminal.style.dim(end))
}
