import { CONNECTION_HELP, type Command, optionTable, readArguments, UsageError } from './command.ts'
import { WHO_HELP } from './person.ts'
import { DECISION_HELP, DECISION_OPTIONS, decideAndPrint, statedValue } from './steward.ts'

export const resolve: Command = {
  help: `Usage: headwater resolve <email | namespace:value | id> <field> [<value>] [options]

Settles what a field is where sources contradict each other: the value beats every write that is not newer, and later
ones compete with it again. Without a value the rule's choice stands, and the conflict is settled. headwater conflicts
lists what there is to resolve; headwater lock holds a value against later writes too.

${WHO_HELP}

${optionTable(DECISION_HELP)}

${CONNECTION_HELP}
It needs both, the read token and the write key.

Exit codes: 0 resolved, or shown · 1 nobody is known by that, or it was refused · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, DECISION_OPTIONS)
    const [who, field, text, ...others] = positionals
    if (who === undefined || field === undefined || others.length > 0)
      throw new UsageError('resolve takes an identity, a field and a value')
    const last = `${encodeURIComponent(field)}/resolution`
    return decideAndPrint(terminal, {
      command: 'resolve',
      who,
      values,
      path: ({ view, id }) =>
        view === undefined
          ? `/v1/conflicts/${id}/${last}`
          : `/v1/record-conflicts/${encodeURIComponent(view)}/${id}/${last}`,
      body: statedValue(values, text),
    })
  },
}
