import { CONNECTION_HELP, type Command, optionTable, readArguments, UsageError } from './command.ts'
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
import { identityAnswer, printIdentity } from './show-identity.ts'

export const whyMerged: Command = {
  help: `Usage: headwater why-merged <email | namespace:value | id> [--as-of <moment>] [--json]

Says which identities make up a profile and which event linked each of them, by which rule. Where a phone, browser or
device alone holds several people together, it prints the command that takes them apart again. With --as-of, which made it
up at that moment, by the links, cuts and rules of then.

${WHO_HELP}

${optionTable([...PAST_HELP, ['--json', 'print the answer as one line of JSON']])}

${CONNECTION_HELP}

Exit codes: 0 answered · 1 nobody is known by that, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, { ...PAST_OPTIONS, json: { type: 'boolean' } })
    const [who, ...others] = positionals
    if (who === undefined || others.length > 0) throw new UsageError('why-merged takes one identity')
    const stated = statedIdentity(who)
    const past = statedPast(values)
    const connection = await findConnection(terminal)
    const { profile, identity } = await findPerson(connection, stated)
    // Who it belongs to now says nothing about who it belonged to then.
    const id = past === undefined ? (profile ?? identity) : (identity ?? profile)
    if (id === undefined) return nobody(terminal, 'why-merged', stated)
    const body = await askAt(terminal, connection, `/v1/profiles/${encodeURIComponent(id)}/identity`, past)
    if (values.json) terminal.out(JSON.stringify(body))
    else printIdentity(terminal, decodeAnswer(identityAnswer, body), past !== undefined)
    return 0
  },
}
