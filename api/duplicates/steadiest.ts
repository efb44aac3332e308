import type { IdentityDirectory } from '../../engine/events/codec.ts'
import { type IdentityId, namespaceOf, type StatedIdentity } from '../../engine/events/identity.ts'

export interface Named extends StatedIdentity {
  readonly id: IdentityId
}

/** The identity that a decision about a profile is best made by: its most lasting one; undefined: all are erased. */
export function steadiestOf(
  directory: Pick<IdentityDirectory, 'reveal'>,
  members: readonly IdentityId[],
): Named | undefined {
  let found: Named | undefined
  for (const id of members) {
    const stated = directory.reveal(id)
    if (stated === undefined) continue
    const { namespace, value } = stated
    const named = { id, namespace, value }
    if (found === undefined || comesBefore(named, found)) found = named
  }
  return found
}

function comesBefore(one: Named, other: Named): boolean {
  const [a, b] = [namespaceOf(one.namespace).priority, namespaceOf(other.namespace).priority]
  return a === b ? one.id < other.id : a < b
}
