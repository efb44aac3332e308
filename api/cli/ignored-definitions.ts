import * as t from 'io-ts'
import type { Terminal } from './command.ts'
import { printable } from './printable.ts'

/** Definitions without effect, as the routes list them beside the others. */
export const ignoredDefinitions = t.array(
  t.type({
    object: t.string,
    field: t.union([t.string, t.null]),
    message: t.string,
    defined: t.type({ source: t.string, position: t.number }),
  }),
)

export function printIgnored({ err, style }: Terminal, ignored: t.TypeOf<typeof ignoredDefinitions>): void {
  for (const { object, field, message, defined } of ignored) {
    const name = printable(field === null ? object : `${object}.${field}`)
    const by = `${printable(defined.source)}, position ${defined.position}`
    err(style.warn(`ignored: ${name} (${by}): ${printable(message)}`))
  }
}
