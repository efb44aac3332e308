import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as t from 'io-ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { MAX_SEARCH_LENGTH, MAX_SEARCH_WORDS, searchWords } from '../../engine/store/search-text.ts'
import type { Answer, ListQuery, StoredRow } from '../../engine/store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { itemSchema, listSchema } from '../openapi.ts'
import { withExplanations, withPast } from '../openapi-history.ts'
import { invalidQuery, Problem } from '../problem.ts'
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
import { decodeQuery, flag, parsed, position, queryPairs, splitQuery, wholeNumber } from './query.ts'
import type { ShownRow } from './rows.ts'
import { ask, assertNoReserved, candidateKeys, listRows, shownColumns, showRows } from './rows.ts'

/** A read model as a collection of rows: its list and, where `items`, its single rows. All follow from the table. */
export interface View {
  readonly path: string
  readonly projection: string
  readonly tag: string
  readonly items: boolean
  /** Namespace of the identity that a row's key is, so that the sender's own id finds it too. */
  readonly namespace?: string | undefined
  /** Adds to a single row what stands in no column. */
  readonly detail?: ((deps: ApiDeps, found: FoundRow) => Detail | Promise<Detail>) | undefined
  /** Answers a single row's `asOf`, in place of what all views answer. */
  readonly history?: ((deps: ApiDeps, projection: AnyProjection) => ItemHistory) | undefined
}

type Detail = Readonly<Record<string, unknown>>

/** A single row, and who belongs to the profile that it is about. */
export interface FoundRow {
  readonly stored: StoredRow
  readonly members: readonly string[]
}

const DEFAULT_LIMIT = 50
/** Rows of a page that explains itself. */
const MAX_EXPLAINED = 100
const LIST_PARAMETERS = ['q', 'sort', 'limit', 'cursor', 'after', 'explain', ...PAST_PARAMETERS]
const SEARCH = parsed(
  `words to find, at most ${MAX_SEARCH_LENGTH} characters and ${MAX_SEARCH_WORDS} different words`,
  t.string.is,
  (text) =>
    text.length <= MAX_SEARCH_LENGTH && searchWords(text).length <= MAX_SEARCH_WORDS ? text : undefined,
)
const ITEM_QUERY = { explain: flag, after: position }

export function registerView(app: FastifyInstance, deps: ApiDeps, view: View): void {
  const projection = deps.projections.get(view.projection)
  if (projection === undefined) return
  assertNoReserved(projection, LIST_PARAMETERS)
  registerList(app, deps, view, projection)
  if (view.items) registerItem(app, deps, view, projection)
}

function registerList(app: FastifyInstance, deps: ApiDeps, view: View, projection: AnyProjection): void {
  const { pageLimit } = deps.configuration
  const codecs = {
    q: SEARCH,
    sort: t.string,
    limit: wholeNumber(1, pageLimit),
    cursor: t.string,
    after: position,
    ...(projection.explain === undefined ? {} : { explain: flag }),
    ...(deps.past === undefined ? {} : PAST_QUERY),
  }
  const known = Object.keys(codecs)
  const fallback = Math.min(DEFAULT_LIMIT, pageLimit)
  const schema = listSchemaOf(deps, view, projection, { maximum: pageLimit, fallback })
  app.get(view.path, { config: { access: 'read' }, schema }, async (request, reply) => {
    const { known: query, rest } = splitQuery(queryPairs(request.url), codecs)
    const columns = shownColumns(projection)
    const filters = parseFilters(rest, columns, known)
    const sort = query.sort === undefined ? undefined : parseSort(query.sort, columns)
    const isExplained = query.explain === true
    const limit = query.limit ?? fallback
    if (isExplained && limit > MAX_EXPLAINED) throw tooManyToExplain()
    await awaitPosition(deps, query.after)
    const { q: search, cursor } = query
    const asked = { projection: projection.name, filters, search, sort, limit, cursor }
    if (!asksForPast(query)) return sendPage(request, reply, deps, projection, asked, { isExplained })
    return inThePast(deps, reply, projection, query, (then, at, history) =>
      sendPage(request, reply, then, projection, asked, { isExplained, past: { at, history } }),
    )
  })
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

function tooManyToExplain(): Problem {
  return invalidQuery([{ parameter: 'limit', message: `is at most ${MAX_EXPLAINED} with explain` }])
}

type Standing = ReturnType<typeof standing>

interface PageOptions {
  readonly isExplained: boolean
  readonly past?: { readonly at: Standing; readonly history: ShownMoment } | undefined
}

async function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: ApiDeps,
  projection: AnyProjection,
  asked: ListQuery,
  { isExplained, past }: PageOptions,
): Promise<unknown> {
  const answer = await listRows(deps, projection, asked)
  const { rows: data, next = null } = answer.value
  const ids = data.map(({ id }) => String(id))
  const explained = isExplained ? { explain: await explainRows(deps, projection, ids) } : {}
  const at = past?.at ?? standing(reply, answer)
  if (unchanged(request, reply, etagOf([data, next, explained]))) return reply.send()
  return { ...at, ...(past === undefined ? {} : { history: past.history }), data, ...explained, next }
}

function registerItem(app: FastifyInstance, deps: ApiDeps, view: View, projection: AnyProjection): void {
  const history = view.history?.(deps, projection) ?? entityHistory(deps, view, projection)
  const isBuilt = history === undefined && deps.past !== undefined
  const codecs = history?.query ?? (isBuilt ? { ...ITEM_QUERY, ...PAST_QUERY } : ITEM_QUERY)
  const schema = itemSchema(view, projection)
  if (history !== undefined) registerChanges(app, deps, view, projection, idOf)
  const options = { schema: history === undefined && !isBuilt ? schema : withPast(schema, { isBuilt }) }
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
      return sendItem(request, reply, deps, view, projection, { id, isExplained, after })
    }
    return inThePast(deps, reply, projection, query, (then, at, moment) =>
      sendItem(request, reply, then, view, projection, { id, isExplained, past: { at, history: moment } }),
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
  projection: AnyProjection,
  { id, isExplained, after, past }: ItemOptions,
): Promise<FastifyReply> {
  const found = await findRow(deps, view, projection, id, after)
  const { stored } = found.value
  const [row] = await showRows(deps, projection, [stored])
  const data: ShownRow = { ...row, ...(await view.detail?.(deps, found.value)) }
  const explained = isExplained ? await explain(deps, projection, stored.key) : undefined
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
  projection: AnyProjection,
  id: string,
  after: number | undefined,
): Promise<Answer<FoundRow>> {
  for (const key of candidateKeys(deps, view, projection, id)) {
    const answer = await ask(() => getRow(deps, projection.name, key, after ?? 0))
    const { rows, members } = answer.value
    const stored = rows.get(projection.name)?.[0]
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
