import { CONNECTION_HELP, type Command, optionTable, readArguments, UsageError } from './command.ts'
import { askOk, decodeAnswer, findConnection } from './connection.ts'
import { findPerson, nobody, statedIdentity, WHO_HELP } from './person.ts'
import { identityAnswer, printIdentity } from './show-identity.ts'

export const whyMerged: Command = {
  help: `Usage: headwater why-merged <email | namespace:value | id> [--json]

Says which identities make up a profile and which event linked each of them, by which rule. Where a phone, browser or
device alone holds several people together, it prints the command that takes them apart again.

${WHO_HELP}

${optionTable([['--json', 'print the answer as one line of JSON']])}

${CONNECTION_HELP}

Exit codes: 0 answered · 1 nobody is known by that, or no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } })
    const [who, ...others] = positionals
    if (who === undefined || others.length > 0) throw new UsageError('why-merged takes one identity')
    const stated = statedIdentity(who)
    const connection = await findConnection(terminal)
    const { profile, identity } = await findPerson(connection, stated)
    const id = profile ?? identity
    if (id === undefined) return nobody(terminal, 'why-merged', stated)
    const body = await askOk(connection, { path: `/v1/profiles/${encodeURIComponent(id)}/identity` })
    if (values.json) terminal.out(JSON.stringify(body))
    else printIdentity(terminal, decodeAnswer(identityAnswer, body))
    return 0
  },
}
