import { BoundedCache } from '../../engine/bounded-cache.ts'
import { COMPANY_BY_DOMAIN } from '../../engine/events/company-domain.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import type { AnyProjection, Configuration } from '../../engine/projector/projection.ts'
import type { StoredRow } from '../../engine/store/store.ts'
import { spellingsOf } from '../../projections/company.ts'
import type { ApiDeps } from '../deps.ts'
import type { PastProfiles } from '../history/past-profile.ts'
import { explain, explainState, type ShownExplanation } from './explain.ts'
import { ask, type People } from './rows.ts'
import { servedBy } from './served.ts'
import type { FoundRow } from './views.ts'

/**
 * Which company a person belongs to by mail domain, and who belongs to a company. Nothing of it is stored beyond the domain
 * in either row, so merged companies and new rules show at once.
 */

interface Employer {
  /** null: no company of this domain is known. */
  readonly id: string | null
  readonly name: string | null
  readonly domain: string
  /** Where the answer explains itself. */
  readonly because?: Because | undefined
}

interface Because {
  readonly rule: typeof COMPANY_BY_DOMAIN
  /** Of the identity rules. */
  readonly version: string
  /** What gave the address; absent while that isn't committed. */
  readonly event?: string | undefined
  readonly source?: string | undefined
  readonly position?: number | undefined
  readonly time?: string | undefined
}

type Detail = Readonly<Record<string, unknown>>

const PROFILE = 'profile'
const COLUMN = 'company_domain'

/**
 * What a profile's single row says beyond its columns. Asked for with every person, so the company is looked up by key; why
 * takes the person's states.
 */
export async function employment(
  deps: ApiDeps,
  { stored }: Pick<FoundRow, 'stored'>,
  isExplained: boolean,
): Promise<Detail> {
  const { kind, [COLUMN]: domain } = stored.row
  if (domain === undefined) return {}
  if (kind === 'company') return { people: typeof domain === 'string' ? await peopleOf(deps, domain) : null }
  if (kind !== 'person') return {}
  if (typeof domain !== 'string') return { employer: null }
  const served = await servedBy(deps, PROFILE, undefined)
  const config = served?.config ?? (await deps.publishedConfiguration())
  const company = await companyOf(deps, domain, config)
  if (!isExplained) return { employer: { ...company, domain } satisfies Employer }
  const [explained, published] = await Promise.all([
    explain(deps, PROFILE, stored.key),
    // Rules that don't concern this build may have been published since.
    deps.publishedConfiguration(),
  ])
  const because = becauseOf(domain, explained?.value[COLUMN], published)
  return { employer: { ...company, domain, because } satisfies Employer }
}

/** A profile folded for a moment: its row, and the state behind it. */
interface FoldedThen {
  readonly state: unknown
  readonly rows: readonly StoredRow[]
}

interface Then {
  readonly moment: Moment
  readonly people: People
  readonly config: Configuration
  readonly isExplained: boolean
}

/** The same as of a moment, of a profile folded for it; the company is the one that the domain named then. */
export async function employmentThen(
  deps: Pick<ApiDeps, 'directory'>,
  past: PastProfiles,
  projection: AnyProjection,
  { state, rows }: FoldedThen,
  { moment, people, config, isExplained }: Then,
): Promise<Detail> {
  const { kind, [COLUMN]: domain } = rows[0]?.row ?? {}
  if (kind !== 'person' || domain === undefined) return {}
  if (typeof domain !== 'string') return { employer: null }
  const explained = isExplained ? await explainState(people, projection, state, config) : undefined
  const why = isExplained ? { because: becauseOf(domain, explained?.[COLUMN], config) } : {}
  for (const spelling of spellingsOf(config, domain)) {
    const identity = deps.directory.find('domain', spelling)
    const found = identity === undefined ? undefined : await past(identity, moment)
    const company = found?._tag === 'Right' ? found.right?.fold(projection).rows[0] : undefined
    if (company?.row[COLUMN] !== domain) continue
    return { employer: { ...named(company), domain, ...why } satisfies Employer }
  }
  return { employer: { ...named(undefined), domain, ...why } satisfies Employer }
}

function named(company: StoredRow | undefined): Pick<Employer, 'id' | 'name'> {
  return { id: company?.key ?? null, name: textOf(company?.row['name']) }
}

/** Whose identity the domain is, where rules keep several companies of it apart. */
async function companyOf(
  deps: ApiDeps,
  domain: string,
  config: Configuration,
): Promise<Pick<Employer, 'id' | 'name'>> {
  for (const spelling of keptSpellings(config, domain)) {
    const identity = deps.directory.find('domain', spelling)
    if (identity === undefined) continue
    const { value } = await ask(() => deps.store.get([PROFILE], identity))
    const company = value.rows.get(PROFILE)?.[0]
    if (company?.row[COLUMN] === domain && company.row['kind'] === 'company') return named(company)
  }
  return named(undefined)
}

/** Of the domains that most people are of: asked for with each of them. */
const MAX_SPELLED = 2_000
const spellingsUnder = new WeakMap<Configuration, BoundedCache<string, readonly string[]>>()

function keptSpellings(config: Configuration, domain: string): readonly string[] {
  const kept = spellingsUnder.get(config) ?? new BoundedCache<string, readonly string[]>(MAX_SPELLED)
  spellingsUnder.set(config, kept)
  const known = kept.get(domain)
  if (known !== undefined) return known
  const spellings = spellingsOf(config, domain)
  kept.set(domain, spellings)
  return spellings
}

async function peopleOf(deps: ApiDeps, domain: string): Promise<Detail> {
  const { value } = await ask(() =>
    deps.store.aggregate({
      projection: PROFILE,
      filters: [equals(COLUMN, domain), equals('kind', 'person')],
      by: [],
      figures: [{ name: 'count', of: 'count' }],
      limit: 1,
    }),
  )
  const list = `/v1/profiles?kind=person&company_domain=${encodeURIComponent(domain)}`
  return { count: value[0]?.['count'] ?? 0, list }
}

function equals(column: string, value: string) {
  return { column, operator: 'eq', value } as const
}

/** Rows may be newer than what is committed and can be explained: an explanation of another value isn't theirs. */
function becauseOf(domain: string, explained: ShownExplanation | undefined, config: Configuration): Because {
  const { version } = identityRulesOf(config, DEFAULT_RULES)
  const because = { rule: COMPANY_BY_DOMAIN, version } as const
  const write = explained?.value === domain ? explained.winners[0] : undefined
  if (write === undefined) return because
  const { event, source, position, time } = write
  return { ...because, event, source, position, time }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
