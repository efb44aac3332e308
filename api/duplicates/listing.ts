import type { IdentityId } from '../../engine/events/identity.ts'
import { DEFAULT_RULES, type IdentityRules } from '../../engine/identity/identity.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import type { Answer } from '../../engine/store/store.ts'
import type { Row } from '../../engine/store/table.ts'
import type { ApiDeps } from '../deps.ts'
import { revealAll } from '../routes/identities.ts'
import { ask } from '../routes/rows.ts'
import type { Results } from './duplicates.ts'
import { comparedOf, type Kind, type Values } from './fields.ts'
import type { FoundCandidate } from './find.ts'
import { type Obstacle, obstacleBetween } from './obstacle.ts'
import { type Decided, isDecided } from './verdicts.ts'

/** What was found, less what was decided, linked or forgotten since, with the values as they are now. */

export interface ListAsk {
  readonly kind: Kind | undefined
  readonly minProbability: number
  /** Place in `candidates` to begin at. */
  readonly from: number
  readonly limit: number
}

interface Side {
  readonly id: IdentityId
  readonly name: string | null
  /** The first of them. */
  readonly identities: ReturnType<typeof revealAll>
}

export interface ShownDuplicate {
  readonly kind: Kind
  readonly a: Side
  readonly b: Side
  readonly probability: number
  readonly bits: number
  readonly priorBits: number
  readonly reasons: readonly ShownReason[]
  /** Why a link would not be followed as the rules are; null: it would. */
  readonly obstacle: Obstacle | null
}

interface ShownReason {
  readonly field: string
  readonly level: string
  readonly bits: number
  readonly a: string | null
  readonly b: string | null
}

interface Page {
  readonly shown: readonly ShownDuplicate[]
  /** Where the next page begins; undefined: nothing follows. */
  readonly next: number | undefined
}

/** Candidates that the store is asked about at once. */
const BATCH = 100
/** Candidates looked at for one page; where most of them are decided, pages are short. */
const MOST_LOOKED_AT = 2_000
const MAX_IDENTITIES = 10

export async function listDuplicates(
  deps: ApiDeps,
  results: Pick<Results, 'candidates'>,
  decided: Decided,
  asked: ListAsk,
): Promise<Answer<Page>> {
  const { candidates } = results
  const rules = identityRulesOf(await deps.publishedConfiguration(), DEFAULT_RULES)
  const shown: ShownDuplicate[] = []
  const until = Math.min(candidates.length, asked.from + MOST_LOOKED_AT)
  let standing = await ask(() => deps.store.members([]))
  let place = asked.from
  while (place < until && shown.length < asked.limit) {
    const batch = candidates.slice(place, Math.min(until, place + BATCH))
    const wanted = batch.filter((each) => asked.kind === undefined || asked.kind === each.kind)
    const world = await worldOf(deps, wanted)
    standing = world.members
    for (const candidate of batch) {
      // The surest come first, so nothing that follows is sure enough.
      if (candidate.probability < asked.minProbability)
        return { ...standing, value: { shown, next: undefined } }
      if (shown.length === asked.limit) break
      place += 1
      const duplicate = wanted.includes(candidate)
        ? show(deps, candidate, { ...world, decided, rules })
        : undefined
      if (duplicate !== undefined) shown.push(duplicate)
    }
  }
  return { ...standing, value: { shown, next: place < candidates.length ? place : undefined } }
}

interface StandingWorld {
  readonly members: Awaited<ReturnType<ApiDeps['store']['members']>>
  readonly rows: ReadonlyMap<IdentityId, Row>
}

async function worldOf(deps: ApiDeps, batch: readonly FoundCandidate[]): Promise<StandingWorld> {
  const ids = [...new Set(batch.flatMap(({ a, b }) => [a, b]))]
  const members = await ask(() => deps.store.members(ids))
  const profiles = new Set(ids.map((id) => members.value.get(id)?.profile ?? id))
  if (profiles.size === 0) return { members, rows: new Map() }
  const filters = [{ column: 'key', operator: 'in', value: [...profiles] }] as const
  const found = await ask(() => deps.store.list({ projection: 'profile', filters, limit: profiles.size }))
  return { members, rows: new Map(found.value.rows.map(({ key, row }) => [key, row])) }
}

/** undefined: it is no question any more. */
function show(
  deps: ApiDeps,
  { kind, a, b, probability, bits, priorBits, reasons }: FoundCandidate,
  {
    members,
    rows,
    decided,
    rules,
  }: StandingWorld & { readonly decided: Decided; readonly rules: IdentityRules },
): ShownDuplicate | undefined {
  const [one, other] = [a, b].map((id) => members.value.get(id) ?? { profile: id, members: [id] })
  if (one === undefined || other === undefined || one.profile === other.profile) return undefined
  if (isDecided(decided, one.members, other.members)) return undefined
  const [mine, theirs] = [rows.get(one.profile), rows.get(other.profile)]
  if (mine === undefined || theirs === undefined) return undefined
  const [values, others] = [comparedOf(mine)?.values ?? {}, comparedOf(theirs)?.values ?? {}]
  return {
    kind,
    a: sideOf(deps, one, mine),
    b: sideOf(deps, other, theirs),
    ...{ probability, bits, priorBits },
    reasons: reasons.map((reason) => ({
      ...reason,
      a: valueIn(values, reason.field),
      b: valueIn(others, reason.field),
    })),
    obstacle: obstacleBetween(deps.directory, one.members, other.members, rules) ?? null,
  }
}

function sideOf(
  deps: ApiDeps,
  { profile, members }: { readonly profile: IdentityId; readonly members: readonly IdentityId[] },
  { name }: Row,
): Side {
  const identities = revealAll(deps, members.slice(0, MAX_IDENTITIES))
  return { id: profile, name: typeof name === 'string' ? name : null, identities }
}

function valueIn(values: Values, field: string): string | null {
  return values[field] ?? null
}
