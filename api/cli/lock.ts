import { isDay, localInstant, parseInstant } from '../../engine/events/instant.ts'
import { CONNECTION_HELP, type Command, optionTable, readArguments, UsageError } from './command.ts'
import { WHO_HELP } from './person.ts'
import { DECISION_HELP, DECISION_OPTIONS, decideAndPrint, statedValue } from './steward.ts'

export const lock: Command = {
  help: `Usage: headwater lock <email | namespace:value | id> <field> [<value>] [options]

Holds a field at a value, whatever sources write, until headwater unlock lifts it or it expires. Without a value it is held
at what it is now. What sources write meanwhile is kept, and counts again afterwards.

${WHO_HELP}

${optionTable([['--until <instant | day>', 'when the lock ends by itself'], ...DECISION_HELP])}

${CONNECTION_HELP}
It needs both, the read token and the write key.

Exit codes: 0 locked, or shown · 1 nobody is known by that, or it was refused · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, { ...DECISION_OPTIONS, until: { type: 'string' } })
    const [who, field, text, ...others] = positionals
    if (who === undefined || field === undefined || others.length > 0)
      throw new UsageError('lock takes an identity, a field and a value')
    const expires = values.until === undefined ? {} : { expires_at: instantOf(values.until) }
    const body = { act: 'lock', field, ...statedValue(values, text), ...expires }
    return decideAndPrint(terminal, { command: 'lock', who, values, path: pathOf, body })
  },
}

export const unlock: Command = {
  help: `Usage: headwater unlock <email | namespace:value | id> <field> [options]

Lifts a lock: the rule decides again among all that sources wrote, meanwhile too.

${WHO_HELP}

${optionTable(DECISION_HELP.filter(([option]) => !option.startsWith('--remove') && !option.startsWith('--value')))}

${CONNECTION_HELP}
It needs both, the read token and the write key.

Exit codes: 0 unlocked, or shown · 1 nobody is known by that, or it was refused · 2 wrong command line`,
  run: async (args, terminal) => {
    const { remove: _, 'value-json': __, ...options } = DECISION_OPTIONS
    const { values, positionals } = readArguments(args, options)
    const [who, field, ...others] = positionals
    if (who === undefined || field === undefined || others.length > 0)
      throw new UsageError('unlock takes an identity and a field')
    const body = { act: 'unlock', field }
    return decideAndPrint(terminal, { command: 'unlock', who, values, path: pathOf, body })
  },
}

function pathOf({ view, id }: { readonly view: string | undefined; readonly id: string }): string {
  return view === undefined
    ? `/v1/profiles/${id}/locks`
    : `/v1/records/${encodeURIComponent(view)}/${id}/locks`
}

function instantOf(text: string): string {
  const ms = isDay(text) ? localInstant(text, 'UTC') : parseInstant(text)
  if (ms === undefined) throw new UsageError(`--until takes a day or an RFC 3339 instant, not ${text}`)
  return new Date(ms).toISOString()
}
