import type { FastifyInstance } from 'fastify'
import type { Moment } from '../../engine/projector/asof.ts'
import type { Cause, Changes, FieldChange } from '../../engine/projector/past-changes.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import { projectionUnder } from '../../engine/projector/projection-under.ts'
import type { ApiDeps } from '../deps.ts'
import { changesOf } from '../history/changes.ts'
import type { TooMuchHistory } from '../history/component.ts'
import { configurationAt, publishedOf } from '../history/configuration.ts'
import { changesSchema } from '../openapi-history.ts'
import { invalidQuery, Problem } from '../problem.ts'
import { awaitPosition, sendContent, standing } from './answer.ts'
import { formatInstant, type ProfileOf } from './cells.ts'
import { presentField } from './explain.ts'
import { peopleAt } from './history.ts'
import { revealAll } from './identities.ts'
import { AS_OF, BY, type PastQuery, requestedMoment, shownMoment } from './past.ts'
import { decodeQuery, position, queryPairs } from './query.ts'
import { ask, candidateKeys, type Keyed } from './rows.ts'

/** `GET <view>/:id/changes?from=&to=`: what changed between two moments, and because of which events. */

const QUERY = { from: AS_OF, to: AS_OF, by: BY, after: position }

interface ChangesQuery extends Pick<PastQuery, 'by'> {
  readonly from?: PastQuery['asOf']
  readonly to?: PastQuery['asOf']
}

interface ChangingView extends Keyed {
  readonly path: string
  readonly tag: string
}

/** For a view that has single rows. */
export function registerChanges(
  app: FastifyInstance,
  deps: ApiDeps,
  view: ChangingView,
  projection: AnyProjection,
  idOf: (request: { readonly params: unknown }) => string,
): void {
  const published = publishedOf(deps)
  const isOfIdentities = projection.table.grain === 'profile' || view.namespace !== undefined
  const schema = changesSchema(view, projection)
  app.get(`${view.path}/:id/changes`, { config: { access: 'read' }, schema }, async (request, reply) => {
    const query = await changesQuery(deps, request)
    for (const key of candidateKeys(deps, view, projection, idOf(request))) {
      const found = await changesOfRow(deps, published, { ...query, projection, key, isOfIdentities })
      if (found !== undefined) return sendContent(request, reply, standing(reply, query.to), found)
    }
    throw nothing()
  })
}

export function nothing(): Problem {
  return new Problem('not_found', 'There was nothing of this id at the later moment.')
}

interface AskedChanges {
  readonly from: Moment
  readonly to: Moment
  readonly query: ChangesQuery
}

/** The moments that a request names, once the position is there that it waits for. */
export async function changesQuery(deps: ApiDeps, { url }: { readonly url: string }): Promise<AskedChanges> {
  const query = decodeQuery(queryPairs(url), QUERY)
  await awaitPosition(deps, query.after)
  return { query, ...(await momentsOf(deps, query)) }
}

interface ChangingRow extends AskedChanges {
  readonly projection: AnyProjection
  readonly key: string
  /** Its key is an identity's id, by which the log has an index. */
  readonly isOfIdentities: boolean
  /** A column as readers know it; undefined: they don't. */
  readonly shownAs?: ((column: string) => string | undefined) | undefined
}

/** undefined: nothing was known of it at the later moment. */
export async function changesOfRow(
  deps: ApiDeps,
  published: ReturnType<typeof publishedOf>,
  { projection, key, isOfIdentities, shownAs, from, to, query }: ChangingRow,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const then = await viewsThen(deps, projection, [from, to])
  const views = isOfIdentities ? undefined : then
  const found = await changesOf(deps, published, { projection, key, views, from, to })
  if (found._tag === 'Left') throw tooManyChanges(found.left, from, to, query)
  if (found.right === undefined) return undefined
  const fields = found.right.fields.flatMap((field) => {
    const column = shownAs === undefined ? field.column : shownAs(field.column)
    return column === undefined ? [] : [{ field, column }]
  })
  const shown = await showFields(deps, withColumnsOf(projection, then), fields, from, to)
  return {
    history: { by: to.by, from: shownFrom(from, query), to: shownMoment(to, query.to).until },
    data: shown,
    ...(projection.table.grain === 'profile' ? { identities: showMembers(deps, found.right) } : {}),
  }
}

/** Too much to look at it after each event; what it was at either moment is known all the same. */
function tooManyChanges(
  { what, limit }: TooMuchHistory,
  from: Moment,
  to: Moment,
  query: ChangesQuery,
): Problem {
  const instead = (query.from === undefined ? [to] : [from, to]).map((moment) => {
    const asOf = moment.by === 'occurred' ? formatInstant(moment.time) : String(moment.position)
    return String(new URLSearchParams({ asOf, by: moment.by }))
  })
  const detail =
    `More than ${limit} ${what} hang together here, or must be looked through: too much to look at it after each event. ` +
    'Ask for the row as of both moments instead; `instead` has their queries.'
  return new Problem('history_too_large', detail, { extensions: { what, limit, instead } })
}

/** The view as it was at each of the moments. */
async function viewsThen(
  deps: ApiDeps,
  projection: AnyProjection,
  moments: readonly Moment[],
): Promise<readonly AnyProjection[]> {
  const configs = await Promise.all(moments.map((moment) => configurationAt(deps, moment)))
  return configs.map((config) => projectionUnder(projection, config))
}

/** With the columns of both moments: a field may have been defined in between, or taken back. */
function withColumnsOf(projection: AnyProjection, then: readonly AnyProjection[]): AnyProjection {
  const columns = then.map(({ table }) => table.columns)
  return { ...projection, table: { ...projection.table, columns: Object.assign({}, ...columns) } }
}

/** Without `from` since the beginning, without `to` up to now. */
async function momentsOf(
  deps: ApiDeps,
  { by = 'received', from, to }: ChangesQuery,
): Promise<{ readonly from: Moment; readonly to: Moment }> {
  const head = deps.log.head()
  const now: Moment = by === 'received' ? { by, ...head } : { by, ...head, time: head.received }
  const moments = {
    from: from === undefined ? beginning(now) : await requestedMoment(deps, { asOf: from, by }, 'from'),
    to: to === undefined ? now : await requestedMoment(deps, { asOf: to, by }, 'to'),
  }
  if (placeOf(moments.from) > placeOf(moments.to))
    throw invalidQuery([{ parameter: 'from', message: 'lies behind to' }])
  return moments
}

/** Before everything. */
function beginning(now: Moment): Moment {
  return now.by === 'received'
    ? { by: 'received', position: 0, received: 0 }
    : { ...now, time: Number.MIN_SAFE_INTEGER }
}

function placeOf(moment: Moment): number {
  return moment.by === 'received' ? moment.position : moment.time
}

function shownFrom(from: Moment, query: ChangesQuery): string | number | null {
  return query.from === undefined ? null : shownMoment(from, query.from).until
}

async function showFields(
  deps: ApiDeps,
  projection: AnyProjection,
  shown: readonly { readonly field: FieldChange; readonly column: string }[],
  from: Moment,
  to: Moment,
): Promise<readonly unknown[]> {
  const fields = shown.map(({ field }) => field)
  const [before, after] = await Promise.all([
    profilesThen(deps, projection, fields, from, (change) => change.from),
    profilesThen(deps, projection, fields, to, (change) => change.to),
  ])
  return shown.map(({ field: change, column }) => ({
    field: change.member === undefined ? column : `${column}.${change.member}`,
    ...(change.part === '' ? {} : { part: change.part }),
    from: present(projection, change, change.from, before),
    to: present(projection, change, change.to, after),
    times: change.times,
    because: change.because.map(showCause),
  }))
}

/** Who the people belonged to that a column named then. */
async function profilesThen(
  deps: ApiDeps,
  projection: AnyProjection,
  fields: readonly FieldChange[],
  moment: Moment,
  side: (change: FieldChange) => unknown,
): Promise<ProfileOf> {
  const named = fields.filter(({ column }) => projection.table.columns[column]?.type === 'identity').map(side)
  const ids = named.filter((value) => typeof value === 'string')
  if (ids.length === 0) return (id) => id
  const { value } = await ask(() => peopleAt(deps, moment).store.members(ids))
  return (id) => value.get(id)?.profile ?? id
}

function present(
  { table }: AnyProjection,
  { column, member }: FieldChange,
  value: unknown,
  profileOf: ProfileOf,
): unknown {
  return member === undefined
    ? presentField(table.columns[column]?.type ?? 'json', value, profileOf)
    : (value ?? null)
}

function showCause(cause: Cause): Readonly<Record<string, unknown>> {
  switch (cause._tag) {
    case 'Event': {
      const { id, source, type, time, position: at } = cause.event
      return { event: { id, source, type, time: formatInstant(time), position: at } }
    }
    case 'Deadline':
      return { deadline: formatInstant(cause.at) }
  }
}

function showMembers(deps: ApiDeps, { members }: Changes) {
  const [before, after] = [new Set(members.from), new Set(members.to)]
  return {
    joined: revealAll(
      deps,
      members.to.filter((id) => !before.has(id)),
    ),
    left: revealAll(
      deps,
      members.from.filter((id) => !after.has(id)),
    ),
    because: members.because.map(showCause),
  }
}
