import type * as t from 'io-ts'
import { namespaceOf } from '../../engine/events/identity.ts'
import { CommandFailed, type Terminal } from './command.ts'
import { ask, type Connection, decodeAnswer, refusalText } from './connection.ts'
import { printable } from './printable.ts'
import { identityAnswer } from './show-identity.ts'

type Answer = t.TypeOf<typeof identityAnswer>['data']

/** What an erasure would take with it, as far as that is known before it is carried out. */
interface Preview {
  readonly identities: Answer['identities']
  /** Each alone holds several parts together: these may be different people who share a device or a number. */
  readonly bridges: Answer['bridges']
}

const NOT_FOUND = 404

/** `stated` is what it was found by: an identity that no event names yet has nothing else to show. */
export async function askPreview(connection: Connection, identity: string, stated: string): Promise<Preview> {
  const reply = await ask(connection, { path: `/v1/profiles/${identity}/identity` })
  if (reply.status === NOT_FOUND) return { identities: [alone(identity, stated)], bridges: [] }
  if (reply.status !== 200) throw new CommandFailed(refusalText(connection, reply))
  const { identities, bridges } = decodeAnswer(identityAnswer, reply.body).data
  return { identities, bridges }
}

function alone(id: string, stated: string): Preview['identities'][number] {
  const colon = stated.indexOf(':')
  return colon < 0 ? { id } : { id, namespace: stated.slice(0, colon), value: stated.slice(colon + 1) }
}

export function printPreview(terminal: Terminal, { identities, bridges }: Preview): void {
  const { style } = terminal
  const known = identities.filter(({ value }) => value !== undefined)
  const gone = identities.length - known.length
  terminal.out(
    style.bold(`To be erased: ${counted(known.length, 'identity', 'identities')}, the whole profile`),
  )
  const namespaces = Map.groupBy(known, ({ namespace = 'unknown' }) => namespace)
  const order = [...namespaces].sort(([a], [b]) => namespaceOf(a).priority - namespaceOf(b).priority)
  for (const [namespace, members] of order)
    terminal.out(`  ${printable(namespace)}: ${members.map(({ value = '' }) => printable(value)).join(', ')}`)
  if (gone > 0) terminal.out(`  and ${counted(gone, 'identity', 'identities')} erased before`)
  const names = new Map(identities.map(({ id, namespace, value }) => [id, `${namespace}:${value ?? id}`]))
  const nameOf = (id: string): string => printable(names.get(id) ?? id)
  for (const { identity, sides } of bridges) {
    terminal.out('')
    terminal.out(
      style.warn(
        `${nameOf(identity)} alone holds ${sides.length} parts of it together: these may be different people.`,
      ),
    )
    for (const [i, side] of sides.entries()) terminal.out(`  ${i + 1}. ${side.map(nameOf).join(', ')}`)
    terminal.out(
      `All of them would go. headwater why-merged ${nameOf(identity)} says how to take them apart first.`,
    )
  }
  terminal.out('')
  terminal.out(
    'Values, keys and everything personal go. Events stay without a name, so totals stay as they are.',
  )
  terminal.out('Exports, other systems and older backups are yours to erase.')
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}
