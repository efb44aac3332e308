import * as t from 'io-ts'
import { CONNECTION_HELP, type Command, readArguments, type Terminal, UsageError } from './command.ts'
import { askOk, decodeAnswer, findConnection } from './connection.ts'
import { printable } from './printable.ts'

const nullableText = t.union([t.string, t.null])

/** As `/v1/erasures` shows one; the certificate is kept as it came. */
export const shownErasure = t.type({
  number: t.string,
  state: t.keyof({ scheduled: null, executing: null, done: null, cancelled: null }),
  identity: t.string,
  identities: t.number,
  requested: t.string,
  due: t.string,
  finished: nullableText,
  reason: nullableText,
  heldUp: nullableText,
  certificate: t.unknown,
})
export type ShownErasure = t.TypeOf<typeof shownErasure>

export const erasuresAnswer = t.type({ data: t.array(shownErasure) })

export const erasures: Command = {
  help: `Usage: headwater erasures [--json]

Lists erasures, newest first: their number, how they stand, and when they are due or were done. They name nobody.

  --json  print the answer as one line of JSON

${CONNECTION_HELP}

Exit codes: 0 listed · 1 no answer · 2 wrong command line`,
  run: async (args, terminal) => {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } })
    if (positionals.length > 0) throw new UsageError('erasures takes options only')
    const connection = await findConnection(terminal)
    const body = await askOk(connection, { path: '/v1/erasures' })
    if (values.json) terminal.out(JSON.stringify(body))
    else print(terminal, decodeAnswer(erasuresAnswer, body).data)
    return 0
  },
}

function print(terminal: Terminal, all: readonly ShownErasure[]): void {
  if (all.length === 0) terminal.out('Nobody was erased, and nobody is to be.')
  for (const each of all) {
    const reason = each.reason === null ? '' : terminal.style.dim(`  ${printable(each.reason)}`)
    terminal.out(`${terminal.style.bold(each.number)}  ${standingOf(each)}${reason}`)
    if (each.heldUp !== null) terminal.out(terminal.style.warn(`  held up: ${printable(each.heldUp)}`))
  }
}

export function standingOf({ state, due, finished, identities }: ShownErasure): string {
  switch (state) {
    case 'scheduled':
      return `waits until ${due}`
    case 'executing':
      return 'is under way'
    case 'done':
      return `done ${finished ?? ''}: ${identities} ${identities === 1 ? 'identity' : 'identities'}`
    case 'cancelled':
      return `cancelled ${finished ?? ''}`
  }
}
