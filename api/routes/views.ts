import type { FastifyInstance, FastifyRequest } from 'fastify'
import * as t from 'io-ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { MAX_SEARCH_LENGTH, MAX_SEARCH_WORDS, searchWords } from '../../engine/store/search-text.ts'
import type { Answer, StoredRow } from '../../engine/store/store.ts'
import type { ApiDeps } from '../deps.ts'
import { itemSchema, listSchema } from '../openapi.ts'
import { Problem } from '../problem.ts'
import { awaitPosition, etagOf, notReached, sendContent, standing, unchanged } from './answer.ts'
import { explain } from './explain.ts'
import { parseFilters, parseSort } from './filters.ts'
import { asksForPast, HISTORY_QUERY, type ItemHistory } from './history.ts'
import { findIdentity, findStated, resolveIdentity } from './identities.ts'
import { decodeQuery, flag, parsed, position, queryPairs, splitQuery, wholeNumber } from './query.ts'
import type { ShownRow } from './rows.ts'
import { ask, assertNoReserved, listRows, shownColumns, showRows } from './rows.ts'

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
  /** Answers a single row's `asOf`. */
  readonly history?: ((deps: ApiDeps, projection: string) => ItemHistory) | undefined
}

type Detail = Readonly<Record<string, unknown>>

/** A single row, and who belongs to the profile that it is about. */
export interface FoundRow {
  readonly stored: StoredRow
  readonly members: readonly string[]
}

const DEFAULT_LIMIT = 50
const LIST_PARAMETERS = ['q', 'sort', 'limit', 'cursor', 'after']
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
  }
  const fallback = Math.min(DEFAULT_LIMIT, pageLimit)
  const schema = listSchema(view, projection, { maximum: pageLimit, fallback })
  app.get(view.path, { config: { access: 'read' }, schema }, async (request, reply) => {
    const { known, rest } = splitQuery(queryPairs(request.url), codecs)
    const columns = shownColumns(projection)
    const filters = parseFilters(rest, columns, LIST_PARAMETERS)
    const sort = known.sort === undefined ? undefined : parseSort(known.sort, columns)
    await awaitPosition(deps, known.after)
    const answer = await listRows(deps, projection, {
      projection: projection.name,
      filters,
      search: known.q,
      sort,
      limit: known.limit ?? fallback,
      cursor: known.cursor,
    })
    const { rows: data, next = null } = answer.value
    const at = standing(reply, answer)
    return unchanged(request, reply, etagOf([data, next])) ? reply.send() : { ...at, data, next }
  })
}

function registerItem(app: FastifyInstance, deps: ApiDeps, view: View, projection: AnyProjection): void {
  const schema = itemSchema(view, projection)
  const history = view.history?.(deps, projection.name)
  app.get(`${view.path}/:id`, { config: { access: 'read' }, schema }, async (request, reply) => {
    const pairs = queryPairs(request.url)
    const query = decodeQuery(pairs, history === undefined ? ITEM_QUERY : HISTORY_QUERY)
    const isPast = history !== undefined && asksForPast(query)
    // The past and explanations are of what is committed.
    if (isPast || query.explain === true) await awaitPosition(deps, query.after)
    if (isPast) return history(request, reply, idOf(request), query)
    const found = await findRow(
      deps,
      view,
      projection,
      idOf(request),
      query.explain === true ? 0 : query.after,
    )
    const { stored } = found.value
    const [row] = await showRows(deps, projection, [stored])
    const data: ShownRow = { ...row, ...(await view.detail?.(deps, found.value)) }
    const explained = query.explain === true ? await explain(deps, projection, stored.key) : undefined
    // Read after the row: what it explains may be newer, and the answer only vouches for the older.
    const at = standing(reply, found)
    const content = explained === undefined ? { data } : { data, explain: explained.value }
    return sendContent(request, reply, at, content)
  })
}

const idCodec = t.type({ id: t.string })

export function idOf(request: FastifyRequest): string {
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

function candidateKeys(deps: ApiDeps, view: View, projection: AnyProjection, id: string): readonly string[] {
  const keys =
    projection.table.grain === 'profile'
      ? [resolveIdentity(deps, id)]
      : [
          id,
          findStated(deps, id),
          view.namespace === undefined ? undefined : findIdentity(deps, view.namespace, id),
        ]
  return keys.filter((key) => key !== undefined)
}
