import { strict as assert } from 'node:assert'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as t from 'io-ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { AggregateQuery, Answer, Filter } from '../../engine/store/store.ts'
import type { ColumnType, Row } from '../../engine/store/table.ts'
import type { ApiDeps } from '../deps.ts'
import { figuresSchema } from '../openapi.ts'
import { withPast } from '../openapi-history.ts'
import { invalidQuery } from '../problem.ts'
import { awaitPosition, etagOf, standing, unchanged } from './answer.ts'
import { dayCodec, presentCell } from './cells.ts'
import { parseFilters } from './filters.ts'
import { asksForPast, BY, inThePast, PAST_QUERY, type PastQuery, type ShownMoment } from './past.ts'
import { projectionThen } from './projection-then.ts'
import { type Pairs, position, queryPairs, splitQuery, wholeNumber } from './query.ts'
import { ask, assertNoReserved, resolveFilters, shownColumns } from './rows.ts'
import { baseOf, readBy } from './served.ts'

interface Figure {
  readonly name: string
  readonly of: AggregateQuery['figures'][number]['of']
  readonly column?: string | undefined
}

/** A read model summed up over some of its columns. */
export interface FigureView {
  readonly path: string
  readonly projection: string
  readonly tag: string
  readonly about: string
  /** What is grouped by where the caller doesn't say. */
  readonly by: readonly string[]
  /** What may be grouped by. `month` and `year` are those of the column `day`. */
  readonly dimensions: readonly string[]
  /** Dimensions across which the figures don't add up (currencies): always grouped by as well. */
  readonly apart: readonly string[]
  readonly figures: readonly Figure[]
}

/** Groups of one answer; past it `truncated` says so. */
const MAX_GROUPS = 5000
const PARAMETERS = ['by', 'from', 'to', 'limit', 'after', 'asOf', 'wait']

export function registerFigures(app: FastifyInstance, deps: ApiDeps, view: FigureView): void {
  if (!deps.projections.has(view.projection)) return
  const projection = baseOf(deps, view.projection)
  assertNoReserved(projection, PARAMETERS)
  assertColumns(view, projection)
  const { asOf, wait } = PAST_QUERY
  const codecs = {
    by: t.string,
    from: dayCodec,
    to: dayCodec,
    limit: wholeNumber(1, MAX_GROUPS),
    after: position,
    ...(deps.past === undefined ? {} : { asOf, wait }),
  }
  const schema = figuresSchema(view, projection, MAX_GROUPS)
  const options = { schema: deps.past === undefined ? schema : withPast(schema, { isOfFigures: true }) }
  app.get(view.path, { config: { access: 'read' }, ...options }, async (request, reply) => {
    const { known, rest } = splitQuery(queryPairs(request.url), codecs)
    const days = dayFilters(projection, known)
    const { groups, mode } = splitBy(known.by)
    const past: PastQuery = { ...known, by: mode }
    const by = groupsOf(view, groups)
    await awaitPosition(deps, known.after)
    const asked = { by, rest, days, limit: known.limit ?? MAX_GROUPS }
    if (!asksForPast(past)) {
      const { value, ...at } = await figuresOf(deps, view, asked)
      return sendFigures(request, reply, standing(reply, at), { by, ...value })
    }
    filtersOf(await projectionThen(deps, projection, past), asked)
    return inThePast(deps, reply, projection, past, async (then, at, history) => {
      const { value } = await figuresOf(then, view, asked)
      return sendFigures(request, reply, at, { history, by, ...value })
    })
  })
}

interface Asked {
  readonly by: readonly string[]
  /** What the query filters by, its columns not looked at yet. */
  readonly rest: Pairs
  readonly days: readonly Filter[]
  readonly limit: number
}

interface Figures {
  readonly data: readonly Readonly<Record<string, unknown>>[]
  readonly truncated: boolean
}

function filtersOf(projection: AnyProjection, { rest }: Pick<Asked, 'rest'>): readonly Filter[] {
  return parseFilters(rest, shownColumns(projection), PARAMETERS)
}

async function figuresOf(deps: ApiDeps, view: FigureView, asked: Asked): Promise<Answer<Figures>> {
  const { by, days, limit } = asked
  const { projection, filters } = await readBy(deps, view.projection, (now) => ({
    projection: now,
    filters: filtersOf(now, asked),
  }))
  const answer = await ask(() =>
    deps.store.aggregate({
      projection: projection.name,
      filters: [...resolveFilters(deps, projection, filters), ...days],
      by: by.map(toGroup),
      figures: view.figures,
      limit: limit + 1,
    }),
  )
  const data = answer.value.slice(0, limit).map((row) => showGroup(view, projection, by, row))
  return { ...answer, value: { data, truncated: answer.value.length > limit } }
}

function sendFigures(
  request: FastifyRequest,
  reply: FastifyReply,
  at: ReturnType<typeof standing>,
  content: Figures & { readonly by: readonly string[]; readonly history?: ShownMoment | undefined },
): unknown {
  const { data, truncated } = content
  return unchanged(request, reply, etagOf([data, truncated])) ? reply.send() : { ...at, ...content }
}

/** `by` names what to group by and, with `asOf`, how the moment is meant: no dimension is called like that. */
function splitBy(stated: string | undefined): { groups: string | undefined; mode: PastQuery['by'] } {
  const names = stated?.split(',') ?? []
  const modes = names.filter(BY.is)
  if (modes.length > 1)
    throw invalidQuery([{ parameter: 'by', message: 'is received or occurred, not both' }])
  const [mode] = modes
  const others = names.filter((name) => !BY.is(name))
  const isDefault = stated === undefined || (mode !== undefined && others.length === 0)
  return { groups: isDefault ? undefined : others.join(','), mode }
}

/** Start-up check: a view names columns that its table has. */
function assertColumns(view: FigureView, projection: AnyProjection): void {
  const named = [...view.by, ...view.dimensions, ...view.apart].map((name) => toGroup(name).column)
  const summed = view.figures.flatMap(({ column }) =>
    column === undefined || column === 'key' ? [] : [column],
  )
  for (const column of [...named, ...summed]) {
    assert.ok(Object.hasOwn(projection.table.columns, column), `${projection.name} has no column ${column}`)
  }
  assert.ok(!view.dimensions.some(BY.is), `${view.path} has a dimension that says how a moment is meant`)
}

function dayFilters(
  projection: AnyProjection,
  range: { readonly from?: string | undefined; readonly to?: string | undefined },
): readonly Filter[] {
  const filters: Filter[] = []
  if (range.from !== undefined) filters.push({ column: 'day', operator: 'gte', value: range.from })
  if (range.to !== undefined) filters.push({ column: 'day', operator: 'lte', value: range.to })
  if (filters.length > 0 && projection.table.columns.day === undefined) {
    throw invalidQuery([{ parameter: 'from', message: 'there are no days here; filter a column' }])
  }
  return filters
}

function groupsOf(view: FigureView, stated: string | undefined): readonly string[] {
  const by = stated === undefined ? view.by : stated === '' ? [] : stated.split(',')
  const unknown = by.some((name) => !view.dimensions.includes(name))
  if (unknown || new Set(by).size < by.length) {
    const message = `takes each at most once of ${view.dimensions.join(', ')}, separated by commas`
    throw invalidQuery([{ parameter: 'by', message }])
  }
  return [...by, ...view.apart.filter((name) => !by.includes(name))]
}

function toGroup(name: string): AggregateQuery['by'][number] {
  return name === 'month' || name === 'year' ? { column: 'day', of: name } : { column: name }
}

function showGroup(
  view: FigureView,
  projection: AnyProjection,
  by: readonly string[],
  row: Row,
): Readonly<Record<string, unknown>> {
  // People are grouped as the profiles that they belong to already.
  const show = (type: ColumnType, name: string) => presentCell(type, row[name], (id) => id)
  const { columns } = projection.table
  const groups = by.map((name) => {
    if (name === 'month' || name === 'year') return [name, row[`day_${name}`] ?? null] as const
    return [name, show(columns[name]?.type ?? 'text', name)] as const
  })
  const figures = view.figures.map(
    (figure) => [figure.name, show(figureType(projection, figure), figure.name)] as const,
  )
  return Object.fromEntries([...groups, ...figures])
}

export function figureType(projection: AnyProjection, figure: Figure): ColumnType {
  if (figure.of === 'count' || figure.of === 'count_distinct' || figure.column === undefined) return 'integer'
  return projection.table.columns[figure.column]?.type ?? 'integer'
}
