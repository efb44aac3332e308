import type { IdentityDirectory } from '../../engine/events/codec.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import { Groups } from '../../engine/identity/groups.ts'
import type { IdentityRules, Refusal } from '../../engine/identity/identity.ts'

export type Obstacle = Pick<Refusal, 'reason' | 'detail'>

/** Identities of both that are looked at; more than that is an obstacle by itself. */
const MAX_LOOKED_AT = 2_000

/** Why the rules would refuse to make one profile of two; limits of a period count as if of all time. undefined: they wouldn't. */
export function obstacleBetween(
  directory: Pick<IdentityDirectory, 'reveal'>,
  mine: readonly IdentityId[],
  theirs: readonly IdentityId[],
  { periods: _, ...rules }: IdentityRules,
): Obstacle | undefined {
  const size = mine.length + theirs.length
  if (size > MAX_LOOKED_AT) return { reason: 'size', detail: `${size} identities` }
  const groups = new Groups(rules)
  const [a, b] = [mine, theirs].map((ids) =>
    ids
      .map((id) => groups.place(id, directory.reveal(id)?.namespace, undefined))
      .reduce((all, group) => groups.merge(all, group, undefined)),
  )
  return a === undefined || b === undefined || a === b ? undefined : groups.obstacle(a, b)
}
