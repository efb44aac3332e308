import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as t from 'io-ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { MAX_SEARCH_LENGTH, MAX_SEARCH_WORDS, searchWords } from '../../engine/store/search-text.ts'
import type { Answer, ListQuery, StoredRow } from '../../engine/store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { itemSchema, listSchema } from '../openapi.ts'
import { withExplanations, withPast } from '../openapi-history.ts'
import { withDetail } from '../openapi-identity.ts'
import { invalidQuery, Problem } from '../problem.ts'
import type { JsonSchema } from '../schemas.ts'
import { awaitPosition, etagOf, notReached, sendContent, standing, unchanged } from './answer.ts'
import { registerChanges } from './changes.ts'
import { explain, explainRows } from './explain.ts'
import { parseFilters, parseSort } from './filters.ts'
import { entityHistory, type ItemHistory } from './history.ts'
import {
  asksForPast,
  inThePast,
  PAST_PARAMETERS,
  PAST_QUERY,
  type PastQuery,
  type ShownMoment,
} from './past.ts'
import { projectionThen } from './projection-then.ts'
import {
  decodeQuery,
  flag,
  type Pairs,
  parsed,
  position,
  queryPairs,
  splitQuery,
  wholeNumber,
} from './query.ts'
import type { ShownRow } from './rows.ts'
import { ask, assertNoReserved, candidateKeys, listRows, shownColumns, showRows } from './rows.ts'
import { baseOf, projectionOf, readBy, shownBy } from './served.ts'

/** A read model as a collection of rows: its list and, where `items`, its single rows. All follow from the table. */
export interface View {
  readonly path: string
  readonly projection: string
  readonly tag: string
  readonly items: boolean
  /** Namespace of the identity that a row's key is, so that the sender's own id finds it too. */
  readonly namespace?: string | undefined
  /** Adds to a single row what stands in no column. */
  readonly detail?:
    | ((deps: ApiDeps, found: FoundRow, isExplained: boolean) => Detail | Promise<Detail>)
    | undefined
  /** Documents what `detail` adds. */
  readonly detailSchema?: Readonly<Record<string, JsonSchema>> | undefined
  /** Answers a single row's `asOf`, in place of what all views answer. */
  readonly history?: ((deps: ApiDeps, projection: AnyProjection) => ItemHistory) | undefined
}

type Detail = Readonly<Record<string, unknown>>

/** A single row, and who belongs to the profile that it is about. */
export interface FoundRow {
  readonly stored: StoredRow
  readonly members: readonly string[]
}

export const DEFAULT_LIMIT = 50
/** Rows of a page that explains itself. */
export const MAX_EXPLAINED = 100
const LIST_PARAMETERS = ['q', 'sort', 'limit', 'cursor', 'after', 'explain', ...PAST_PARAMETERS]
const SEARCH = parsed(
  `words to find, at most ${MAX_SEARCH_LENGTH} characters and ${MAX_SEARCH_WORDS} different words`,
  t.string.is,
  (text) =>
    text.length <= MAX_SEARCH_LENGTH && searchWords(text).length <= MAX_SEARCH_WORDS ? text : undefined,
)
const ITEM_QUERY = { explain: flag, after: position }

export function registerView(app: FastifyInstance, deps: ApiDeps, view: View): void {
  if (!deps.projections.has(view.projection)) return
  const base = baseOf(deps, view.projection)
  assertNoReserved(base, LIST_PARAMETERS)
  registerList(app, deps, view, base)
  if (view.items) registerItem(app, deps, view, base)
}

function registerList(app: FastifyInstance, deps: ApiDeps, view: View, base: AnyProjection): void {
  const { pageLimit } = deps.configuration
  const codecs = listCodecs(deps, base)
  const fallback = Math.min(DEFAULT_LIMIT, pageLimit)
  const schema = listSchemaOf(deps, view, base, { maximum: pageLimit, fallback })
  app.get(view.path, { config: { access: 'read' }, schema }, async (request, reply) => {
    const { known: query, rest } = splitQuery(queryPairs(request.url), codecs)
    const isExplained = query.explain === true
    const limit = query.limit ?? fallback
    if (isExplained && limit > MAX_EXPLAINED) throw tooManyToExplain()
    await awaitPosition(deps, query.after)
    const { q: search, cursor, sort } = query
    const asked = { rest, known: Object.keys(codecs), sort, search, limit, cursor }
    const page = { name: base.name, asked, isExplained }
    if (!asksForPast(query)) return sendPage(request, reply, deps, page)
    // What was no column then is refused before anything is built.
    listQuery(await projectionThen(deps, base, query), asked)
    return inThePast(deps, reply, base, query, (then, at, history) =>
      sendPage(request, reply, then, { ...page, past: { at, history } }),
    )
  })
}

export function listCodecs(deps: ApiDeps, base: AnyProjection) {
  return {
    q: SEARCH,
    sort: t.string,
    limit: wholeNumber(1, deps.configuration.pageLimit),
    cursor: t.string,
    after: position,
    ...(base.explain === undefined ? {} : { explain: flag }),
    ...(deps.past === undefined ? {} : PAST_QUERY),
  }
}

/** A list as it was asked for, its columns not looked at yet. */
export interface AskedList extends Pick<ListQuery, 'search' | 'limit' | 'cursor'> {
  readonly rest: Pairs
  /** The route's own parameters. */
  readonly known: readonly string[]
  readonly sort: string | undefined
}

export function listQuery(projection: AnyProjection, { rest, known, sort, ...others }: AskedList): ListQuery {
  const columns = shownColumns(projection)
  return {
    ...others,
    projection: projection.name,
    filters: parseFilters(rest, columns, known),
    sort: sort === undefined ? undefined : parseSort(sort, columns),
  }
}

function listSchemaOf(
  deps: ApiDeps,
  view: View,
  projection: AnyProjection,
  limits: { readonly maximum: number; readonly fallback: number },
) {
  const schema = listSchema(view, projection, limits)
  const explained = projection.explain === undefined ? schema : withExplanations(schema, MAX_EXPLAINED)
  return deps.past === undefined ? explained : withPast(explained)
}

export function tooManyToExplain(): Problem {
  return invalidQuery([{ parameter: 'limit', message: `is at most ${MAX_EXPLAINED} with explain` }])
}

type Standing = ReturnType<typeof standing>

interface PageOptions {
  readonly isExplained: boolean
  readonly past?: { readonly at: Standing; readonly history: ShownMoment } | undefined
}

interface Page extends PageOptions {
  readonly name: string
  readonly asked: AskedList
}

async function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: ApiDeps,
  { name, asked, isExplained, past }: Page,
): Promise<unknown> {
  const { projection, query } = await readBy(deps, name, (now) => ({
    projection: now,
    query: listQuery(now, asked),
  }))
  const answer = await listRows(deps, projection, query)
  const { rows: data, next = null } = answer.value
  const ids = data.map(({ id }) => String(id))
  const explained = isExplained ? { explain: await explainRows(deps, name, ids) } : {}
  const at = past?.at ?? standing(reply, answer)
  if (unchanged(request, reply, etagOf([data, next, explained]))) return reply.send()
  return { ...at, ...(past === undefined ? {} : { history: past.history }), data, ...explained, next }
}

function registerItem(app: FastifyInstance, deps: ApiDeps, view: View, base: AnyProjection): void {
  const history = view.history?.(deps, base) ?? entityHistory(deps, view, base)
  const isBuilt = history === undefined && deps.past !== undefined
  const codecs = history?.query ?? (isBuilt ? { ...ITEM_QUERY, ...PAST_QUERY } : ITEM_QUERY)
  const schema = withDetail(itemSchema(view, base), view.detailSchema ?? {})
  registerChanges(app, deps, view, base, idOf)
  const hasPast = history !== undefined || isBuilt
  const options = {
    schema: hasPast ? withPast(schema, { isBuilt: deps.past !== undefined }) : schema,
  }
  app.get(`${view.path}/:id`, { config: { access: 'read' }, ...options }, async (request, reply) => {
    const query: ItemQuery = decodeQuery(queryPairs(request.url), codecs)
    const isPast = asksForPast(query) || query.events !== undefined
    const isExplained = query.explain === true
    // The past and explanations are of what is committed.
    if (isPast || isExplained) await awaitPosition(deps, query.after)
    const id = idOf(request)
    if (isPast && history !== undefined) return history.answer(request, reply, id, query)
    if (!isPast) {
      const after = isExplained ? 0 : query.after
      return sendItem(request, reply, deps, view, { id, isExplained, after })
    }
    return inThePast(deps, reply, base, query, (then, at, moment) =>
      sendItem(request, reply, then, view, { id, isExplained, past: { at, history: moment } }),
    )
  })
}

interface ItemQuery extends PastQuery {
  readonly explain?: boolean | undefined
  readonly events?: number | undefined
}

interface ItemOptions extends PageOptions {
  readonly id: string
  readonly after?: number | undefined
}

async function sendItem(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: ApiDeps,
  view: View,
  { id, isExplained, after, past }: ItemOptions,
): Promise<FastifyReply> {
  const found = await findRow(deps, view, id, after)
  const { stored } = found.value
  const projection = await shownBy(deps, view.projection, found.build)
  const [row] = await showRows(deps, projection, [stored])
  const data: ShownRow = { ...row, ...(await view.detail?.(deps, found.value, isExplained)) }
  const explained = isExplained ? await explain(deps, view.projection, stored.key) : undefined
  // Read after the row: what it explains may be newer, and the answer only vouches for the older.
  const at = past?.at ?? standing(reply, found)
  const content = {
    ...(past === undefined ? {} : { history: past.history }),
    data,
    ...(explained === undefined ? {} : { explain: explained.value }),
  }
  return sendContent(request, reply, at, content)
}

const idCodec = t.type({ id: t.string })

export function idOf(request: Pick<FastifyRequest, 'params'>): string {
  const decoded = idCodec.decode(request.params)
  if (decoded._tag === 'Right' && decoded.right.id.isWellFormed()) return decoded.right.id
  throw new Problem('not_found', 'There is nothing of this id.')
}

/** The row that an id names: a key, an identity id, `namespace:value`, or the sender's own id. */
async function findRow(
  deps: ApiDeps,
  view: View,
  id: string,
  after: number | undefined,
): Promise<Answer<FoundRow>> {
  const { projection: name } = view
  for (const key of candidateKeys(deps, view, projectionOf(deps, name), id)) {
    const answer = await ask(() => getRow(deps, name, key, after ?? 0))
    const { rows, members } = answer.value
    const stored = rows.get(name)?.[0]
    if (stored !== undefined) return { ...answer, value: { stored, members } }
  }
  throw new Problem('not_found', 'There is nothing of this id.')
}

async function getRow(
  deps: ApiDeps,
  projection: string,
  key: string,
  after: number,
): ReturnType<ApiDeps['store']['get']> {
  if (after === 0) return deps.store.get([projection], key)
  const found = await deps.liveRows.get([projection], key, after, deps.configuration.afterWaitMs)
  if (found === undefined) throw notReached(deps, after)
  return found
}
