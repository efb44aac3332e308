import { randomUUID } from 'node:crypto'
import type { IdentityDirectory } from '../../engine/events/codec.ts'
import type { IdentityId } from '../../engine/events/identity.ts'
import type { IdentityRules } from '../../engine/identity/identity.ts'
import type { EngineIntake } from '../../engine/intake/intake.ts'
import type { StoreReader } from '../../engine/store/store.ts'
import { contradicts, type Kind, MODEL_VERSION } from './fields.ts'
import type { Found, FoundCandidate } from './find.ts'
import { obstacleBetween } from './obstacle.ts'
import { type Named, steadiestOf } from './steadiest.ts'
import { type Decided, isDecided } from './verdicts.ts'

/** Linking without asking, in the mode `link` alone. Each link is a steward's like any other: a cut undoes it for good. */

/** Fixed beforehand, as the one for proposals is: one wrong link in ten thousand, if the model is right. */
export const LINK_PROBABILITY = 0.9999
/** In one run. Whatever is wrong with the records, no more than this has to be taken apart. */
export const MOST_LINKS = 100
export const LINKING_STEWARD = 'headwater'

interface LinkingParts {
  readonly intake: Pick<EngineIntake, 'record'>
  readonly directory: Pick<IdentityDirectory, 'reveal'>
  readonly store: Pick<StoreReader, 'members'>
  readonly rules: () => Promise<IdentityRules>
  readonly decided: () => Promise<Decided>
}

/** Fields that must speak for it: without them namesakes and households can't be told from one person, nor branches from one company. */
const NEEDED: Readonly<Record<Kind, readonly string[]>> = {
  person: ['first_name', 'last_name', 'birth_date'],
  company: ['name', 'address'],
}

/**
 * Those that may be linked without asking: sure enough, no field speaks against it, by weights that can be relied on. Of each
 * profile the surest alone: a chain of links is for a steward to judge.
 */
export function surestOf({
  candidates,
  kinds,
}: Pick<Found, 'candidates' | 'kinds'>): readonly FoundCandidate[] {
  const reliable = new Set(kinds.filter((count) => count.reliable).map(({ kind }) => kind))
  const taken = new Set<IdentityId>()
  return candidates.filter(({ kind, a, b, probability, reasons }) => {
    if (!reliable.has(kind) || probability < LINK_PROBABILITY || taken.has(a) || taken.has(b)) return false
    if (reasons.some((reason) => contradicts(kind, reason))) return false
    const told = reasons.filter(({ bits }) => bits > 0).map(({ field }) => field)
    if (!NEEDED[kind].every((field) => told.includes(field))) return false
    taken.add(a).add(b)
    return true
  })
}

/** How many it linked. */
export async function linkSurest(parts: LinkingParts, found: Found): Promise<number> {
  const { directory, store, intake } = parts
  const rules = await parts.rules()
  const decided = await parts.decided()
  let linked = 0
  for (const { a, b, probability } of surestOf(found)) {
    if (linked >= MOST_LINKS) break
    const { value } = await store.members([a, b])
    const [one, other] = [a, b].map((id) => value.get(id) ?? { profile: id, members: [id] })
    if (one === undefined || other === undefined || one.profile === other.profile) continue
    if (isDecided(decided, one.members, other.members)) continue
    // It would wait in review.
    if (obstacleBetween(directory, one.members, other.members, rules) !== undefined) continue
    const pair = [steadiestOf(directory, one.members), steadiestOf(directory, other.members)]
    const identities = pair.flatMap((named) => (named === undefined ? [] : [statedOf(named)]))
    if (identities.length < 2) continue
    const reason = `probability ${probability.toFixed(6)}`
    const data = { identities, steward: LINKING_STEWARD, rule: MODEL_VERSION, reason }
    const { status } = await intake.record({ type: 'identity.linked', id: `duplicate-${randomUUID()}`, data })
    // No room, or the clock jumped: the next run begins with the same.
    if (status === 'refused') break
    if (status === 'appended') linked += 1
  }
  return linked
}

function statedOf({ namespace, value }: Named) {
  return { namespace, value }
}
