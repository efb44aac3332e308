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
import { printable, valueText } from './printable.ts'

const PATH = '/v1/objects'

const OPTIONS = {
  ...DEFINITION_OPTIONS,
  label: { type: 'string' },
  field: { type: 'string', multiple: true },
} as const

export const objects: Command = {
  help: `Usage: headwater objects [list]
       headwater objects show <object> [<id>]
       headwater objects define <object> [--field <name>:<type>[:<rule>]]… [options]
       headwater objects archive <object> [options]

Objects that departments define. Events <object>.created, .updated and .archived then write records, which they name by <object>_id, or
id, in their data; GET /v1/objects/<object> lists them. show prints an object's fields and latest records, or one record. Defining an object
again changes it; fields that headwater fields has defined for it stay.

${optionTable([
  ['--label <text>', 'what it is called'],
  ['--field <name>:<type>', 'a field; with :<rule> behind it another rule than latest'],
  ...DEFINITION_HELP,
])}

${CONNECTION_HELP}
Defining and archiving need both, the read token and the write key.

Exit codes: 0 done, or shown · 1 refused, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, OPTIONS)
    const [what = 'list', object, id, ...others] = positionals
    if (others.length > 0 || (id !== undefined && what !== 'show'))
      throw new UsageError('objects takes one object')
    if (what === 'list' && object === undefined) return list(terminal, values)
    if (object === undefined || what === 'list')
      throw new UsageError('objects takes list, show, define or archive')
    const place = `${PATH}/${encodeURIComponent(object)}`
    switch (what) {
      case 'show':
        return id === undefined
          ? showObject(terminal, object, values)
          : showRecord(terminal, `${place}/${encodeURIComponent(id)}`, values)
      case 'define':
        return publish(terminal, { path: `${PATH}${queryOf(values)}`, body: bodyOf(object, values) }, values)
      case 'archive':
        return publish(terminal, { path: `${place}${queryOf(values, values.by)}`, method: 'DELETE' }, values)
      default:
        throw new UsageError('objects takes list, show, define or archive')
    }
  },
}

interface Values extends DefinitionValues {
  readonly label?: string | undefined
  readonly field?: readonly string[] | undefined
}

function bodyOf(object: string, values: Values): Readonly<Record<string, unknown>> {
  const { label, field: stated = [] } = values
  const fields = stated.map((text) => {
    const [field, type, rule, ...others] = text.split(':')
    if (!field || !type || others.length > 0) throw new UsageError(`--field takes <name>:<type>, not ${text}`)
    return { field, type, ...(rule === undefined ? {} : { rule }) }
  })
  return { object, ...(label === undefined ? {} : { label }), fields, ...definition(values) }
}

const defined = t.type({
  object: t.string,
  label: t.string,
  description: t.string,
  department: t.union([t.string, t.null]),
  fields: t.array(t.type({ field: t.string, type: t.string, rule: t.string })),
  records: t.number,
  served: t.boolean,
})
const listed = t.type({ data: t.array(defined), ignored: ignoredDefinitions })

async function list(terminal: Terminal, { json }: Values): Promise<ExitCode> {
  const body = await askOk(await findConnection(terminal), { path: PATH })
  if (json) {
    terminal.out(JSON.stringify(body))
    return 0
  }
  const { data, ignored } = decodeAnswer(listed, body)
  for (const each of data) printObject(terminal, each)
  if (data.length === 0) terminal.out('No object is defined.')
  printIgnored(terminal, ignored)
  return 0
}

function printObject({ out, style }: Terminal, each: t.TypeOf<typeof defined>): void {
  const { object, label, description, department, fields, records, served } = each
  const state = served ? '' : style.warn('  not served yet')
  out(`${style.bold(object)}  ${printable(label)}, ${records} records${state}`)
  out(style.dim(`  ${printable(description)}${department === null ? '' : ` (${printable(department)})`}`))
  for (const { field, type, rule } of fields) out(`  ${field}  ${type}, ${rule}`)
}

const records = t.type({ data: t.array(t.UnknownRecord) })
const record = t.type({ data: t.UnknownRecord })
const SHOWN = 10

async function showObject(terminal: Terminal, object: string, { json }: Values): Promise<ExitCode> {
  const connection = await findConnection(terminal)
  const body = await askOk(connection, { path: PATH })
  const found = decodeAnswer(listed, body).data.find((each) => each.object === object)
  if (found === undefined) {
    terminal.err(`headwater objects: no object ${printable(object)} is defined`)
    return 1
  }
  const path = `${PATH}/${encodeURIComponent(object)}?limit=${SHOWN}&sort=-updated_at`
  const latest = found.served ? decodeAnswer(records, await askOk(connection, { path })).data : []
  if (json) {
    terminal.out(JSON.stringify({ ...found, latest }))
    return 0
  }
  printObject(terminal, found)
  for (const row of latest) terminal.out(`  ${rowText(row)}`)
  return 0
}

function rowText({ id, ...row }: Readonly<Record<string, unknown>>): string {
  const values = Object.entries(row).filter(([, value]) => value !== null && value !== false)
  return [String(id), ...values.map(([name, value]) => `${name}=${valueText(value)}`)].join('  ')
}

async function showRecord(terminal: Terminal, path: string, { json }: Values): Promise<ExitCode> {
  const body = await askOk(await findConnection(terminal), { path })
  if (json) {
    terminal.out(JSON.stringify(body))
    return 0
  }
  for (const [name, value] of Object.entries(decodeAnswer(record, body).data)) {
    terminal.out(`${name}  ${value === null ? '-' : valueText(value)}`)
  }
  return 0
}
