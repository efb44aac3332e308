import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { type IdentityId, namespaceOf as namespace } from '../../engine/events/identity.ts'
import { DEFAULT_RULES, type IdentityRules } from '../../engine/identity/identity.ts'
import { partition } from '../../engine/identity/partition.ts'
import { condense } from '../../engine/identity/slot.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import type { Moment } from '../../engine/projector/asof.ts'
import { foldEntity } from '../../engine/projector/asof.ts'
import { identityRulesOf } from '../../engine/projector/identity-rules.ts'
import type { Configuration } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import type { ApiDeps } from '../deps.ts'
import { eventsNaming, HISTORY_LIMITS, type Region, regionAt } from '../history/component.ts'
import { bridgesOf, linksOf } from '../history/links.ts'
import { storedRows } from '../history/past-profile.ts'
import { DECISION_EVENTS, type Decision, type Pair, type Preview, previewOf } from '../history/preview.ts'
import { cutsFor } from '../history/undo.ts'
import { decisionsSchema, unmergeSchema } from '../openapi-identity.ts'
import { invalidBody, Problem } from '../problem.ts'
import { awaitPosition, standing } from './answer.ts'
import { tooMuchHistory } from './history.ts'
import { resolveIdentity, revealAll } from './identities.ts'
import { decodeQuery, flag, position, queryPairs } from './query.ts'
import { ask, showRows } from './rows.ts'
import { statedText } from './stated-text.ts'
import { idOf } from './views.ts'
import { lastPosition, problemOfRefusal } from './way-in.ts'

/** What stewards decide about who is who, tried out before it is appended. */

/** More pairs than this are nothing that a steward should decide at once. */
const MAX_PAIRS = 40
/** Where nobody says which system a decision was made in. */
const SOURCE = 'steward'

const QUERY = { dryRun: flag, after: position }

const stewardCodec = t.partial({ steward: statedText, reason: t.union([statedText, t.null]) })
const decisionCodec = t.intersection([
  t.type({
    decision: t.keyof({ link: null, cut: null, lift: null, keep_apart: null }),
    identities: t.tuple([t.string, t.string]),
  }),
  stewardCodec,
])
const unmergeCodec = t.intersection([t.partial({ from: t.string }), stewardCodec])

/** `POST /v1/identity/decisions` and `POST /v1/profiles/:id/unmerge`. */
export function registerDecisions(app: FastifyInstance, deps: ApiDeps): void {
  const decide = { config: { access: 'admin' }, schema: decisionsSchema() } as const
  app.post('/v1/identity/decisions', decide, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), QUERY)
    const body = decisionCodec.decode(request.body)
    // What a tuple has too much is cut off in silence.
    const stated = E.isRight(body) ? body.right : undefined
    if (stated === undefined || !isExact(request.body, ['decision', 'identities']) || !isPair(request.body))
      throw invalidBody(
        '',
        'The body is {"decision": "link", "cut", "lift" or "keep_apart", "identities": [a, b]}, with steward and reason.',
      )
    await awaitPosition(deps, query.after)
    const { decision, identities, ...steward } = stated
    const [a, b] = identities.map((each, i) => known(deps, each, `/identities/${i}`))
    if (a === undefined || b === undefined || a === b)
      throw invalidBody('/identities', 'A decision is about two different identities.')
    const deciding = await decidingAbout(deps, [a, b])
    refuseOfTwoKinds(deps, deciding, [a, b])
    if (decision === 'lift') refuseUncut(deciding, [a, b])
    return answer(deps, reply, deciding, {
      decision,
      pairs: [[a, b]],
      steward,
      dryRun: query.dryRun ?? false,
    })
  })
  const unmerge = { config: { access: 'admin' }, schema: unmergeSchema() } as const
  app.post('/v1/profiles/:id/unmerge', unmerge, async (request, reply) => {
    const query = decodeQuery(queryPairs(request.url), QUERY)
    const body = unmergeCodec.decode(request.body ?? {})
    if (E.isLeft(body) || !isExact(request.body ?? {}, ['from']))
      throw invalidBody('', 'The body is {"from": "namespace:value or id"}, with steward and reason.')
    await awaitPosition(deps, query.after)
    const { from, ...steward } = body.right
    const id = resolveIdentity(deps, idOf(request))
    if (id === undefined) throw nobody()
    const deciding = await decidingAbout(deps, [id])
    const other = from === undefined ? undefined : known(deps, from, '/from')
    const pairs = other === undefined ? bridgeCuts(deciding) : memberCuts(deciding, id, other)
    return answer(deps, reply, deciding, { decision: 'cut', pairs, steward, dryRun: query.dryRun ?? false })
  })
}

/** Misspelt, a property would be taken for one that was left out, and others be cut apart than was meant. */
function isExact(body: unknown, known: readonly string[]): boolean {
  return Object.keys(Object(body)).every((name) => [...known, 'steward', 'reason'].includes(name))
}

function isPair(body: unknown): boolean {
  return t.type({ identities: t.UnknownArray }).is(body) && body.identities.length === 2
}

/** What is decided about a person and a company says nothing: no profile is both. */
function refuseOfTwoKinds(deps: ApiDeps, { namespaces }: Deciding, pair: Pair): void {
  const kinds = pair.map((id) => {
    const name = namespaces.get(id) ?? deps.directory.reveal(id)?.namespace
    return name === undefined ? undefined : namespace(name).kind
  })
  if (kinds[0] !== kinds[1])
    throw invalidBody('/identities', 'A person and a company are never one, so nothing is to be decided.')
}

/** To hear that something is no longer cut which never was would hide that another pair is. */
function refuseUncut({ region }: Deciding, pair: Pair): void {
  for (const { kind, a, b } of condense(region.evidence).values())
    if (kind === 'cut' && pair.includes(a) && pair.includes(b)) return
  throw new Problem('nothing_to_decide', 'These two are not cut from each other, so no cut can be lifted.')
}

function known(deps: ApiDeps, stated: string, path: string): IdentityId {
  const id = resolveIdentity(deps, stated)
  if (id === undefined) throw invalidBody(path, 'Nobody is known by this identity.')
  return id
}

function nobody(): Problem {
  return new Problem('not_found', 'Nobody is known by this id.')
}

/** Everything that decisions about some identities are tried on. */
interface Deciding {
  readonly moment: Moment
  readonly region: Region
  readonly config: Configuration
  readonly rules: IdentityRules
  /** Of the first identity's profile. */
  readonly members: readonly IdentityId[]
  readonly namespaces: ReadonlyMap<IdentityId, string>
}

/** As the log stands, which the read models may be behind. */
async function decidingAbout(deps: ApiDeps, identities: readonly IdentityId[]): Promise<Deciding> {
  const [first = ''] = identities
  const moment: Moment = { by: 'received', ...deps.log.head() }
  const config = await deps.publishedConfiguration()
  const region = await regionAt(deps.log, identities, moment, HISTORY_LIMITS)
  if (E.isLeft(region)) throw tooMuchHistory(region.left)
  const { events } = region.right
  if (events.size === 0) throw nobody()
  const namespaces = new Map<IdentityId, string>()
  for (const event of events.values())
    for (const { id, namespace } of event.identities) namespaces.set(id, namespace)
  const rules = identityRulesOf(config, DEFAULT_RULES)
  const { profiles } = partition(region.right.evidence, rules)
  const members = profiles.find((profile) => profile.members.includes(first))?.members ?? [first]
  return { moment, region: region.right, config, rules, namespaces, members }
}

function memberCuts({ members }: Deciding, id: IdentityId, other: IdentityId): readonly Pair[] {
  if (id === other) throw invalidBody('/from', 'Nobody can be taken apart from themselves.')
  if (!members.includes(other)) throw apartAlready()
  return [[id, other]]
}

/** Cuts at everything that alone holds several people together. */
function bridgeCuts({ members, region, rules }: Deciding): readonly Pair[] {
  const links = linksOf(members, eventsNaming(members, region.events.values()), rules)
  const bridges = bridgesOf(members, links)
  const cuts = bridges.flatMap((bridge) => cutsFor(bridge, links, rules) ?? [])
  const unique = new Map(cuts.map((pair) => [[...pair].sort().join(), pair]))
  if (unique.size === 0 || unique.size > MAX_PAIRS) throw nothingToUndo()
  return [...unique.values()]
}

function apartAlready(): Problem {
  return new Problem('cannot_unmerge', 'These two are of different profiles already.')
}

function nothingToUndo(): Problem {
  const detail =
    'No phone, browser or device alone holds several people together here; name the identity to take it apart from.'
  return new Problem('cannot_unmerge', detail)
}

interface Asked {
  readonly decision: Decision
  readonly pairs: readonly Pair[]
  readonly steward: t.TypeOf<typeof stewardCodec>
  readonly dryRun: boolean
}

async function answer(deps: ApiDeps, reply: FastifyReply, deciding: Deciding, asked: Asked) {
  const { decision, pairs, dryRun } = asked
  const { region, namespaces, rules } = deciding
  const namespaceOf = (id: IdentityId) => namespaces.get(id) ?? deps.directory.reveal(id)?.namespace
  const preview = previewOf(region, decision, pairs, namespaceOf, rules)
  const shown = await showPreview(deps, deciding, preview)
  const results = dryRun ? undefined : await append(deps, asked)
  const reached = results === undefined ? undefined : lastPosition(results)
  const data = {
    decision,
    dryRun,
    rules: { version: rules.version },
    pairs: pairs.map((pair) => revealAll(deps, pair)),
    ...shown,
    refused: preview.refused,
    results: results ?? null,
  }
  const at = { position: reached ?? deciding.moment.position, received: deciding.moment.received }
  return { ...standing(reply, at), data }
}

/** One event a pair: a decision about more identities would be one about each of them and the first. */
async function append(deps: ApiDeps, { decision, pairs, steward }: Asked): Promise<readonly IntakeResult[]> {
  const events = pairs.map((pair) => ({
    id: `${decision}-${randomUUID()}`,
    source: SOURCE,
    type: DECISION_EVENTS[decision],
    identities: pair.map((id) => stated(deps, id)),
    data: {
      steward: steward.steward ?? SOURCE,
      ...(steward.reason === undefined ? {} : { reason: steward.reason }),
    },
  }))
  const results = await deps.intake.submit(
    events.map((value) => ({ value })),
    { defaultSource: SOURCE },
  )
  const refusal = results.find((result) => result.status === 'refused')
  if (refusal?.status === 'refused') throw problemOfRefusal(refusal.refusal, results)
  return results
}

function stated(deps: ApiDeps, id: IdentityId) {
  const found = deps.directory.reveal(id)
  if (found === undefined) throw new Problem('cannot_unmerge', 'One of these identities was erased.')
  return found
}

async function showPreview(deps: ApiDeps, deciding: Deciding, { before, after }: Preview) {
  const show = async (profiles: Preview['before']) => {
    const shown = []
    for (const profile of profiles) shown.push(await showProfile(deps, deciding, profile.members))
    return shown
  }
  return { before: await show(before), after: await show(after) }
}

/** A profile as these members alone would make it: who, how many events, and its rows in every view of profiles. */
async function showProfile(
  deps: ApiDeps,
  { region, moment, config }: Deciding,
  members: readonly IdentityId[],
) {
  const [id = ''] = members
  const events = eventsNaming(members, region.events.values())
  const views: Record<string, unknown> = {}
  for (const base of (deps.catalogue ?? deps.projections).values()) {
    if (base.table.grain !== 'profile') continue
    const projection = projectionUnder(base, config)
    const entity = { projection, key: id, atoms: members, config }
    const { rows } = foldEntity(entity, events, moment, deps.openEvent)
    views[projection.name] = await ask(() => showRows(deps, projection, storedRows(projection, id, rows)))
  }
  return { id, identities: revealAll(deps, members), events: events.length, views }
}
