import * as t from 'io-ts'
import {
  CONNECTION_HELP,
  type Command,
  CommandFailed,
  optionTable,
  readArguments,
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
import { type Explanation, explanation, sentenceOf } from './why-sentence.ts'

const profileAnswer = t.type({
  position: t.number,
  data: t.UnknownRecord,
  explain: t.record(t.string, explanation),
})

export const why: Command = {
  help: `Usage: headwater why <email | namespace:value | id> <field> [--as-of <moment>] [--json]

Says in one sentence why a field of a profile is what it is: the value, who sent it and when, the rule that chose it,
and the values that it overruled. A trait is a field too: plan, or traits.plan.

${WHO_HELP}

${optionTable([...PAST_HELP, ['--json', 'print the explanation as one line of JSON']])}

${CONNECTION_HELP}

Exit codes: 0 answered · 1 nobody is known by that, there is no such field, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, { ...PAST_OPTIONS, json: { type: 'boolean' } })
    const [who, stated, ...others] = positionals
    if (who === undefined || stated === undefined || others.length > 0)
      throw new UsageError('why takes one identity and one field')
    const identity = statedIdentity(who)
    const past = statedPast(values)
    const connection = await findConnection(terminal)
    const person = await findPerson(connection, identity)
    const id = past === undefined ? person.profile : person.identity
    if (id === undefined) return nobody(terminal, 'why', identity)
    const path = `/v1/profiles/${encodeURIComponent(id)}?explain=true`
    const body = await askAt(terminal, connection, path, past)
    const { data, explain, position } = decodeAnswer(profileAnswer, body)
    const field = fieldOf(stated, data, explain)
    const explained = Object.hasOwn(explain, field) ? explain[field] : undefined
    const moment = past === undefined ? {} : { asOf: past.asOf, by: past.by }
    if (values.json)
      terminal.out(JSON.stringify({ position, ...moment, field, ...(explained ?? { value: data[field] }) }))
    else
      terminal.out(explained === undefined ? unexplained(field, data[field]) : sentenceOf(field, explained))
    return 0
  },
}

/** Not columns: what a profile is, and who it is made of. */
const NO_FIELDS = new Set(['id', 'identities', 'employer', 'people'])

/** A column, `column.member`, or a trait by its bare name. */
function fieldOf(
  stated: string,
  data: Readonly<Record<string, unknown>>,
  explain: Readonly<Record<string, Explanation>>,
): string {
  const columns = Object.keys(data).filter((name) => !NO_FIELDS.has(name))
  const known = [...new Set([...columns, ...Object.keys(explain)])]
  const found = [stated, `traits.${stated}`].find((name) => known.includes(name))
  if (found !== undefined) return found
  // A trait's name is whatever a customer's event called it.
  const names = known.sort().map(printable).join(', ')
  throw new CommandFailed(`there is no field ${stated}; these exist: ${names}`)
}

function unexplained(field: string, value: unknown): string {
  if (value === null || value === undefined) return `${field} has no value: nobody ever sent one.`
  if (typeof value === 'object')
    return `${field} is ${valueText(value)}: ask for one of its members, ${field}.<name>.`
  return `${field} is ${valueText(value)}: the view derives it; no source sends it.`
}
