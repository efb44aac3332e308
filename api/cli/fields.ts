import * as t from 'io-ts'
import {
  CONNECTION_HELP,
  type Command,
  type ExitCode,
  optionTable,
  readArguments,
  type Terminal,
  UsageError,
} from './command.ts'
import { askOk, decodeAnswer, findConnection } from './connection.ts'
import {
  DEFINITION_HELP,
  DEFINITION_OPTIONS,
  type DefinitionValues,
  definition,
  publish,
  queryOf,
} from './definitions.ts'
import { ignoredDefinitions, printIgnored } from './ignored-definitions.ts'
import { printable } from './printable.ts'

const PATH = '/v1/fields'

const OPTIONS = {
  ...DEFINITION_OPTIONS,
  object: { type: 'string' },
  type: { type: 'string' },
  rule: { type: 'string' },
  sources: { type: 'string' },
  values: { type: 'string' },
  options: { type: 'string' },
} as const

export const fields: Command = {
  help: `Usage: headwater fields [list] [--object <name>]
       headwater fields define <object>.<field> --type <type> [options]
       headwater fields archive <object>.<field> [options]

Fields that departments define: without a restart they are columns of their view, with values from all events so far, in filters,
sort, explanations, decisions and the documentation. <object> is profile, account, contact, lead, opportunity, case, campaign, or an
object of headwater objects. Defining a field again changes it; archiving takes the column back, and events keep the values.

${optionTable([
  ['--object <name>', 'list: of this view or object alone'],
  ['--type <type>', 'text, integer, real, boolean, instant, day, money or json'],
  ['--rule <rule>', 'how it picks among several sources; default latest'],
  ['--sources <a,b>', 'of the rules ranked and rankedUnlessBlank: most trusted first'],
  ['--values <a,b>', 'of the rule mostRestrictive: most restrictive first'],
  ['--options <a,b>', 'texts that it may hold; another is not taken over'],
  ...DEFINITION_HELP,
])}

${CONNECTION_HELP}
Defining and archiving need both, the read token and the write key.

Exit codes: 0 done, or shown · 1 refused, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    const [what = 'list', place, ...others] = positionals
    if (others.length > 0) throw new UsageError('fields takes one field')
    switch (what) {
      case 'list':
        if (place !== undefined) throw new UsageError('fields list takes --object')
        return list(terminal, values)
      case 'define':
        return publish(terminal, { path: `${PATH}${queryOf(values)}`, body: bodyOf(place, values) }, values)
      case 'archive': {
        const { object, field } = splitPlace(place)
        const path = `${PATH}/${encodeURIComponent(object)}/${encodeURIComponent(field)}`
        return publish(terminal, { path: `${path}${queryOf(values, values.by)}`, method: 'DELETE' }, values)
      }
      default:
        throw new UsageError('fields takes list, define or archive')
    }
  },
}

interface Values extends DefinitionValues {
  readonly object?: string | undefined
  readonly type?: string | undefined
  readonly rule?: string | undefined
  readonly sources?: string | undefined
  readonly values?: string | undefined
  readonly options?: string | undefined
}

function splitPlace(place: string | undefined): { readonly object: string; readonly field: string } {
  const [object, field, ...others] = place?.split('.') ?? []
  if (!object || !field || others.length > 0) throw new UsageError('a field is named <object>.<field>')
  return { object, field }
}

function bodyOf(place: string | undefined, values: Values): Readonly<Record<string, unknown>> {
  const { type, rule } = values
  if (type === undefined) throw new UsageError('fields define takes --type')
  return {
    ...splitPlace(place),
    type,
    ...(rule === undefined ? {} : { rule }),
    ...listed('sources', values.sources),
    ...listed('values', values.values),
    ...listed('options', values.options),
    ...definition(values),
  }
}

function listed(name: string, text: string | undefined): Readonly<Record<string, readonly string[]>> {
  return text === undefined ? {} : { [name]: text.split(',').map((each) => each.trim()) }
}

const answer = t.type({
  data: t.array(
    t.type({
      object: t.string,
      field: t.string,
      type: t.string,
      rule: t.string,
      description: t.string,
      department: t.union([t.string, t.null]),
      served: t.boolean,
    }),
  ),
  ignored: ignoredDefinitions,
})

async function list(terminal: Terminal, { object, json }: Values): Promise<ExitCode> {
  const connection = await findConnection(terminal)
  const query = object === undefined ? '' : `?object=${encodeURIComponent(object)}`
  const body = await askOk(connection, { path: `${PATH}${query}` })
  if (json) {
    terminal.out(JSON.stringify(body))
    return 0
  }
  const { data, ignored } = decodeAnswer(answer, body)
  for (const field of data) {
    const { description, department, served } = field
    const of = department === null ? '' : ` (${printable(department)})`
    const state = served ? '' : terminal.style.warn('  not served yet')
    terminal.out(`${field.object}.${field.field}  ${field.type}, ${field.rule}${state}`)
    terminal.out(terminal.style.dim(`  ${printable(description)}${of}`))
  }
  if (data.length === 0) terminal.out('No field is defined.')
  printIgnored(terminal, ignored)
  return 0
}
