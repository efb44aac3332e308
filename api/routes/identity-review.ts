import type { FastifyInstance } from 'fastify'
import type { IdentityId } from '../../engine/events/identity.ts'
import { Groups } from '../../engine/identity/groups.ts'
import { DEFAULT_RULES, type IdentityRules, type LinkEvidence } from '../../engine/identity/identity.ts'
import { decodeEvidence } from '../../engine/identity/stored.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import type { ApiDeps } from '../deps.ts'
import { withPast } from '../openapi-history.ts'
import { reviewSchema } from '../openapi-identity.ts'
import { awaitPosition, standing } from './answer.ts'
import { formatInstant } from './cells.ts'
import { revealAll } from './identities.ts'
import { asksForPast, inThePast, PAST_QUERY, type PastQuery } from './past.ts'
import { decodeQuery, position, queryPairs, wholeNumber } from './query.ts'
import { ask } from './rows.ts'

const DEFAULT_LIMIT = 50
/** Identities of a profile that are shown; all are counted. */
const MAX_SHOWN = 10
/** Identities of both profiles that are looked at to say why a link was refused. */
const MAX_LOOKED_AT = 2_000

/** `GET /v1/identity/review`: links that a limit, a cut or a profile's size refused, for a steward to answer. */
export function registerReview(app: FastifyInstance, deps: ApiDeps): void {
  const maximum = deps.configuration.pageLimit
  const past = deps.past === undefined ? {} : PAST_QUERY
  const codecs = { limit: wholeNumber(1, maximum), cursor: position, after: position, ...past }
  const fallback = Math.min(DEFAULT_LIMIT, maximum)
  const documented = reviewSchema({ maximum, fallback })
  const schema = deps.past === undefined ? documented : withPast(documented)
  const options = { config: { access: 'read' }, schema } as const
  const profile = deps.projections.get('profile')
  app.get('/v1/identity/review', options, async (request, reply) => {
    const query: ReviewQuery = decodeQuery(queryPairs(request.url), codecs)
    await awaitPosition(deps, query.after)
    const page = { cursor: query.cursor ?? 0, limit: query.limit ?? fallback }
    if (!asksForPast(query) || profile === undefined) {
      const { at, ...content } = await pageOf(deps, page)
      return { ...standing(reply, at), ...content }
    }
    // Who was refused is kept beside whatever read models of people there are.
    return inThePast(deps, reply, profile, query, async (then, at, history) => {
      const { at: _, ...content } = await pageOf(then, page)
      return { ...at, history, ...content }
    })
  })
}

interface ReviewQuery extends PastQuery {
  readonly limit?: number | undefined
  readonly cursor?: number | undefined
}

async function pageOf(deps: ApiDeps, { cursor, limit }: { readonly cursor: number; readonly limit: number }) {
  const found = await ask(() => deps.store.review(cursor, limit))
  const links = found.value.flatMap(({ bytes }) => {
    const evidence = decodeEvidence(bytes)
    return evidence.kind === 'link' ? [evidence] : []
  })
  const rules = identityRulesOf(await deps.publishedConfiguration(), DEFAULT_RULES)
  const data = await showRefusals(deps, links, rules)
  const last = found.value.at(-1)?.place
  const next = found.value.length < limit || last === undefined ? null : last
  return { at: found, data, next, rules: { version: rules.version } }
}

async function showRefusals(deps: ApiDeps, links: readonly LinkEvidence[], rules: IdentityRules) {
  if (links.length === 0) return []
  const ids = [...new Set(links.flatMap(({ a, b }) => [a, b]))]
  const profiles = await ask(() => deps.store.members(ids))
  const profileOf = (id: IdentityId) => profiles.value.get(id) ?? { profile: id, members: [id] }
  const shown = []
  for (const link of links) {
    const [a, b] = [profileOf(link.a), profileOf(link.b)]
    const recorded = await deps.log.at(link.position)
    shown.push({
      ...{ a: link.a, b: link.b, rule: link.rule },
      identities: revealAll(deps, [link.a, link.b]),
      ...reasonFor(deps, a.members, b.members, rules),
      event: {
        ...{ id: link.eventId, source: recorded?.source, type: recorded?.type },
        ...{ time: formatInstant(link.time), position: link.position },
      },
      profiles: [a, b].map(({ profile, members }) => ({
        id: profile,
        size: members.length,
        identities: revealAll(deps, members.slice(0, MAX_SHOWN)),
      })),
    })
  }
  return shown
}

/** What stands between two profiles as they are now. Where no limit does, it is a cut between members of theirs. */
function reasonFor(
  deps: ApiDeps,
  mine: readonly IdentityId[],
  theirs: readonly IdentityId[],
  { periods: _, ...rules }: IdentityRules,
) {
  if (mine.length + theirs.length > MAX_LOOKED_AT) return { reason: 'size', detail: 'of a limit or the size' }
  const groups = new Groups(rules)
  const [a, b] = [mine, theirs].map((ids) =>
    ids
      .map((id) => groups.place(id, deps.directory.reveal(id)?.namespace, undefined))
      .reduce((all, group) => groups.merge(all, group, undefined)),
  )
  const obstacle = a === undefined || b === undefined || a === b ? undefined : groups.obstacle(a, b)
  return obstacle ?? { reason: 'cut', detail: 'between other identities of theirs' }
}
