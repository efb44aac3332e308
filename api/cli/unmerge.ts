import { CONNECTION_HELP, type Command, readArguments, UsageError } from './command.ts'
import { askOk, decodeAnswer, findConnection } from './connection.ts'
import { DECISION_OPTION_HELP, DECISION_OPTIONS } from './identity-decisions.ts'
import { findPerson, nobody, statedIdentity, WHO_HELP } from './person.ts'
import { decisionAnswer, printDecision } from './show-decision.ts'

export const unmerge: Command = {
  help: `Usage: headwater unmerge <email | namespace:value | id> [<other identity>] [options]

Takes a profile apart that holds several people. With two identities these are cut from each other. With one, the people
whom a phone, browser or device alone holds together are, as headwater why-merged shows them. Each cut is an event;
traits, timeline, orders and revenue go with whom they belong to, and headwater lift takes a cut back.

${WHO_HELP}

${DECISION_OPTION_HELP}

${CONNECTION_HELP}
It needs both, the read token and the write key.

Exit codes: 0 taken apart, or shown · 1 nobody is known by that, there is nothing to take apart, or no answer ·
2 wrong command line · 3 in quarantine`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, DECISION_OPTIONS)
    const [who, other, ...more] = positionals
    if (who === undefined || more.length > 0) throw new UsageError('unmerge takes one or two identities')
    const stated = statedIdentity(who)
    const from = other === undefined ? undefined : statedIdentity(other)
    const connection = await findConnection(terminal)
    const { identity } = await findPerson(connection, stated)
    if (identity === undefined) return nobody(terminal, 'unmerge', stated)
    const { reason, steward } = values
    const answer = await askOk(connection, {
      path: `/v1/profiles/${identity}/unmerge?dryRun=${values['dry-run'] ?? false}`,
      admin: true,
      body: { from, reason, steward },
    })
    if (!values.json) return printDecision(terminal, decodeAnswer(decisionAnswer, answer))
    terminal.out(JSON.stringify(answer))
    return 0
  },
}
