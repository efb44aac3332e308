import { strict as assert } from 'node:assert'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as t from 'io-ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import { definedObjects } from '../../projections/defined.ts'
import type { ApiDeps } from '../deps.ts'
import { configurationAt, publishedOf } from '../history/configuration.ts'
import { objectChangesSchema, objectItemSchema, objectListSchema } from '../openapi-fields.ts'
import { withExplanations, withPast } from '../openapi-history.ts'
import { Problem } from '../problem.ts'
import type { Served } from '../served-projections.ts'
import { awaitPosition, etagOf, sendContent, standing, unchanged } from './answer.ts'
import { changesOfRow, changesQuery, nothing } from './changes.ts'
import { explain, explainRows, type ShownExplanation } from './explain.ts'
import {
  CUSTOM_RECORDS,
  keyOf,
  objectFields,
  objectRow,
  objectView,
  shownColumn,
  storedQuery,
} from './object-rows.ts'
import {
  asksForPast,
  inThePast,
  PAST_QUERY,
  type PastQuery,
  requestedMoment,
  type ShownMoment,
} from './past.ts'
import { decodeQuery, flag, position, queryPairs, splitQuery } from './query.ts'
import { ask, showRows } from './rows.ts'
import { baseOf, readBy, servedBy, shownBy } from './served.ts'
import {
  type AskedList,
  DEFAULT_LIMIT,
  idOf,
  listCodecs,
  listQuery,
  MAX_EXPLAINED,
  tooManyToExplain,
} from './views.ts'

/** `GET /v1/objects/:object`, `…/:id` and `…/:id/changes`: the records of an object that a department has defined. */

interface Past {
  readonly at: ReturnType<typeof standing>
  readonly history: ShownMoment
}

export function registerObjectRecords(app: FastifyInstance, deps: ApiDeps, path: string): void {
  const base = baseOf(deps, CUSTOM_RECORDS)
  registerList(app, deps, `${path}/:object`, base)
  registerItem(app, deps, `${path}/:object/:id`, base)
  registerChanges(app, deps, `${path}/:object/:id/changes`, base)
}

function registerChanges(app: FastifyInstance, deps: ApiDeps, path: string, projection: AnyProjection): void {
  const published = publishedOf(deps)
  const schema = objectChangesSchema(projection)
  app.get(path, { config: { access: 'read' }, schema }, async (request, reply) => {
    const object = objectOf(request)
    const key = keyOf(object, idOf(request))
    const query = await changesQuery(deps, request)
    const shownAs = (column: string): string | undefined => shownColumn(object, column)
    const row = { ...query, projection, key, isOfIdentities: false, shownAs }
    const found = await changesOfRow(deps, published, row)
    if (found === undefined) throw nothing()
    return sendContent(request, reply, standing(reply, query.to), found)
  })
}

function registerList(app: FastifyInstance, deps: ApiDeps, path: string, base: AnyProjection): void {
  const { pageLimit } = deps.configuration
  const codecs = listCodecs(deps, base)
  const fallback = Math.min(DEFAULT_LIMIT, pageLimit)
  const explained = withExplanations(objectListSchema({ maximum: pageLimit, fallback }), MAX_EXPLAINED)
  const schema = deps.past === undefined ? explained : withPast(explained)
  app.get(path, { config: { access: 'read' }, schema }, async (request, reply) => {
    const { known: query, rest } = splitQuery(queryPairs(request.url), codecs)
    const isExplained = query.explain === true
    const limit = query.limit ?? fallback
    if (isExplained && limit > MAX_EXPLAINED) throw tooManyToExplain()
    await awaitPosition(deps, query.after)
    const { q: search, cursor, sort } = query
    const asked = { rest, known: Object.keys(codecs), sort, search, limit, cursor }
    const page = { object: objectOf(request), asked, isExplained }
    if (!asksForPast(query)) return sendPage(request, reply, deps, page)
    const then = await servedThen(deps, base, query)
    assertDefined(then, page.object)
    listQuery(objectView(then.projection, page.object).shown, asked)
    return inThePast(deps, reply, base, query, (past, at, history) =>
      sendPage(request, reply, past, { ...page, past: { at, history } }),
    )
  })
}

interface Page {
  readonly object: string
  readonly asked: AskedList
  readonly isExplained: boolean
  readonly past?: Past | undefined
}

async function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: ApiDeps,
  { object, asked, isExplained, past }: Page,
): Promise<unknown> {
  await assertServed(deps, object)
  const query = await readBy(deps, CUSTOM_RECORDS, (projection) => {
    const view = objectView(projection, object)
    return storedQuery(deps, view, listQuery(view.shown, asked))
  })
  const answer = await ask(() => deps.store.list(query))
  const view = objectView(await shownBy(deps, CUSTOM_RECORDS, answer.build), object)
  const { rows, next = null } = answer.value
  const data = await showRows(
    deps,
    view.shown,
    rows.map((row) => objectRow(view, row)),
  )
  const keys = rows.map(({ key }) => key)
  const explanations = isExplained ? await explainRows(deps, CUSTOM_RECORDS, keys) : []
  const explained = isExplained
    ? { explain: explanations.map((each) => (each === null ? null : objectFields(view, each))) }
    : {}
  const at = past?.at ?? standing(reply, answer)
  if (unchanged(request, reply, etagOf([data, next, explained]))) return reply.send()
  return { ...at, ...(past === undefined ? {} : { history: past.history }), data, ...explained, next }
}

function registerItem(app: FastifyInstance, deps: ApiDeps, path: string, base: AnyProjection): void {
  const codecs = { explain: flag, after: position, ...(deps.past === undefined ? {} : PAST_QUERY) }
  const schema = deps.past === undefined ? objectItemSchema() : withPast(objectItemSchema())
  app.get(path, { config: { access: 'read' }, schema }, async (request, reply) => {
    const query: ItemQuery = decodeQuery(queryPairs(request.url), codecs)
    await awaitPosition(deps, query.after)
    const asked = { object: objectOf(request), id: idOf(request), isExplained: query.explain === true }
    if (!asksForPast(query)) return sendItem(request, reply, deps, asked)
    assertDefined(await servedThen(deps, base, query), asked.object)
    return inThePast(deps, reply, base, query, (past, at, history) =>
      sendItem(request, reply, past, { ...asked, past: { at, history } }),
    )
  })
}

interface ItemQuery extends PastQuery {
  readonly explain?: boolean | undefined
}

interface Item {
  readonly object: string
  readonly id: string
  readonly isExplained: boolean
  readonly past?: Past | undefined
}

async function sendItem(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: ApiDeps,
  { object, id, isExplained, past }: Item,
): Promise<FastifyReply> {
  await assertServed(deps, object)
  const key = keyOf(object, id)
  const found = await ask(() => deps.store.get([CUSTOM_RECORDS], key))
  const stored = found.value.rows.get(CUSTOM_RECORDS)?.[0]
  if (stored === undefined) throw new Problem('not_found', 'There is nothing of this id.')
  const view = objectView(await shownBy(deps, CUSTOM_RECORDS, found.build), object)
  const [data] = await showRows(deps, view.shown, [objectRow(view, stored)])
  const explained = isExplained ? await explain(deps, CUSTOM_RECORDS, key) : undefined
  const content = {
    ...(past === undefined ? {} : { history: past.history }),
    data,
    ...(explained === undefined ? {} : { explain: byField(view, explained.value) }),
  }
  return sendContent(request, reply, past?.at ?? standing(reply, found), content)
}

function byField(
  view: ReturnType<typeof objectView>,
  explained: Readonly<Record<string, ShownExplanation>>,
): Readonly<Record<string, ShownExplanation>> {
  return objectFields(view, explained)
}

const objectParameter = t.type({ object: t.string })

function objectOf({ params }: Pick<FastifyRequest, 'params'>): string {
  const decoded = objectParameter.decode(params)
  assert(decoded._tag === 'Right', 'the route has this parameter')
  return decoded.right.object
}

/** Throws a problem where the object isn't served: by all that is known, and once more by what serves now. */
async function assertServed(deps: ApiDeps, object: string): Promise<void> {
  const isServed = async (): Promise<boolean> => {
    const served = await servedBy(deps, CUSTOM_RECORDS, undefined)
    return served !== undefined && isDefined(served, object)
  }
  if (await isServed()) return
  await deps.serving?.refresh()
  if (await isServed()) return
  const published = definedObjects(await deps.publishedConfiguration())
  const isComing = published.some((each) => each.object === object)
  throw new Problem('not_found', isComing ? 'This object isn’t served yet.' : 'No such object is defined.')
}

function isDefined({ config }: Pick<Served, 'config'>, object: string): boolean {
  return definedObjects(config).some((each) => each.object === object)
}

function assertDefined(served: Pick<Served, 'config'>, object: string): void {
  if (!isDefined(served, object)) throw new Problem('not_found', 'No such object was defined then.')
}

async function servedThen(deps: ApiDeps, base: AnyProjection, query: PastQuery): Promise<Served> {
  const config = await configurationAt(deps, await requestedMoment(deps, query))
  return { projection: projectionUnder(base, config), config }
}
