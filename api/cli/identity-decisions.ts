import { CONNECTION_HELP, type Command, optionTable, readArguments, UsageError } from './command.ts'
import { askOk, decodeAnswer, findConnection } from './connection.ts'
import { statedIdentity, WHO_HELP } from './person.ts'
import { decisionAnswer, printDecision } from './show-decision.ts'

/** A steward's decisions about two identities, each an event in the log. */

export const DECISION_OPTIONS = {
  'dry-run': { type: 'boolean' },
  reason: { type: 'string' },
  steward: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const DECISION_OPTION_HELP = optionTable([
  ['--dry-run', 'show what would become of the profiles, and append nothing'],
  ['--reason <text>', 'kept in the log in clear: it must name nobody'],
  ['--steward <name>', 'who decides; default steward'],
  ['--json', 'print the answer as one line of JSON'],
])

function decide(name: string, decision: string, about: string): Command {
  return {
    help: `Usage: headwater ${name} <email | namespace:value | id> <email | namespace:value | id> [options]

${about}

${WHO_HELP}

${DECISION_OPTION_HELP}

${CONNECTION_HELP}
It needs both, the read token and the write key.

Exit codes: 0 decided, or shown · 1 nobody is known by that, or no answer · 2 wrong command line · 3 in quarantine`,
    run: async (args, terminal) => {
      const { values, positionals } = readArguments(args, DECISION_OPTIONS)
      const [a, b, ...others] = positionals
      if (a === undefined || b === undefined || others.length > 0)
        throw new UsageError(`${name} takes two identities`)
      const { reason, steward } = values
      const body = { decision, identities: [statedIdentity(a), statedIdentity(b)], reason, steward }
      const connection = await findConnection(terminal)
      const path = `/v1/identity/decisions?dryRun=${values['dry-run'] ?? false}`
      const answer = await askOk(connection, { path, admin: true, body })
      if (!values.json) return printDecision(terminal, decodeAnswer(decisionAnswer, answer))
      terminal.out(JSON.stringify(answer))
      return 0
    },
  }
}

export const link = decide(
  'link',
  'link',
  `Says that two identities are one person, or one company. It goes before what events state, but not beyond limits: the
answer says where one refuses it.`,
)

export const cut = decide(
  'cut',
  'cut',
  `Says that two identities are not the same person. It holds against old and new links until headwater lift; everything
else of a profile goes with whichever of the two it was linked with first.`,
)

export const lift = decide(
  'lift',
  'lift',
  'Lifts the cut between two identities: what events state of them counts again.',
)

export const keepApart = decide(
  'keep-apart',
  'keep_apart',
  `Answers a refused link of headwater review: the two look alike and are not the same. Nobody is taken apart by it; against
links to come use headwater cut.`,
)
