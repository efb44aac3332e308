import { strict as assert } from 'node:assert'
import type { FastifyInstance } from 'fastify'
import * as t from 'io-ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { AggregateQuery, Filter } from '../../engine/store/store.ts'
import type { ColumnType, Row } from '../../engine/store/table.ts'
import type { ApiDeps } from '../deps.ts'
import { figuresSchema } from '../openapi.ts'
import { invalidQuery } from '../problem.ts'
import { awaitPosition, etagOf, standing, unchanged } from './answer.ts'
import { dayCodec, presentCell } from './cells.ts'
import { parseFilters } from './filters.ts'
import { position, queryPairs, splitQuery, wholeNumber } from './query.ts'
import { ask, assertNoReserved, resolveFilters, shownColumns } from './rows.ts'

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
const PARAMETERS = ['by', 'from', 'to', 'limit', 'after']

export function registerFigures(app: FastifyInstance, deps: ApiDeps, view: FigureView): void {
  const projection = deps.projections.get(view.projection)
  if (projection === undefined) return
  assertNoReserved(projection, PARAMETERS)
  assertColumns(view, projection)
  const codecs = {
    by: t.string,
    from: dayCodec,
    to: dayCodec,
    limit: wholeNumber(1, MAX_GROUPS),
    after: position,
  }
  const schema = figuresSchema(view, projection, MAX_GROUPS)
  app.get(view.path, { config: { access: 'read' }, schema }, async (request, reply) => {
    const { known, rest } = splitQuery(queryPairs(request.url), codecs)
    const days = dayFilters(projection, known)
    const filters = parseFilters(rest, shownColumns(projection), PARAMETERS)
    const by = groupsOf(view, known.by)
    await awaitPosition(deps, known.after)
    const limit = known.limit ?? MAX_GROUPS
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
    const truncated = answer.value.length > limit
    const at = standing(reply, answer)
    return unchanged(request, reply, etagOf([data, truncated]))
      ? reply.send()
      : { ...at, by, data, truncated }
  })
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
