import {
  DummyDriver,
  type Expression,
  Kysely,
  type RawBuilder,
  type SqlBool,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import { BoundedCache } from '../bounded-cache.ts'
import type { Cell } from './cells.ts'
import type { Comparison, Condition, ListPlan, SortKey, VisibleTable } from './plan.ts'
import {
  type AggregatePlan,
  DAY_PREFIX_LENGTH,
  type PlannedFigure,
  type PlannedGroup,
} from './plan-aggregate.ts'
import type { GetPlan, StatesPlan } from './query-engine.ts'
import { trigramQuery } from './search-text.ts'
import type { Script, Statement } from './sqlite-protocol.ts'
import { searchTable, stateTable } from './sqlite-schema.ts'

/** Plans as SQL. Names in them were checked by planning; values are always bound. */

type Tables = Record<string, Record<string, Cell>>

/** Kysely's own parts for SQLite, without a database: what is compiled here runs on another thread. */
const compiler = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})

interface Compilable {
  compile(): { readonly sql: string; readonly parameters: readonly unknown[] }
}

function statement(query: Compilable): Statement {
  const { sql: text, parameters } = query.compile()
  return { sql: text, parameters: parameters as readonly Cell[] }
}

/** Stands in a query that is compiled once for the id that is bound each time. */
const ID = '\0id'

/** A query compiled once. To compile costs several times what SQLite takes to find a row by its key. */
function template(query: Compilable): Template {
  const { sql: text, parameters } = statement(query)
  return (id) => ({
    statements: [
      { sql: text, parameters: parameters.map((parameter) => (parameter === ID ? id : parameter)) },
    ],
  })
}

/** A limit stands in the text: SQLite prepares a statement anew whenever a limit is bound to it. */
function limitOf(count: number): RawBuilder<number> {
  return sql.lit(count)
}

const HEAD: Script = {
  statements: [statement(compiler.selectFrom('meta').select(['position', 'received']))],
}

export function compileHead(): Script {
  return HEAD
}

/** By the names of builds; those that queries ask for together are few. */
const reached = new BoundedCache<string, Script>(128)

/** What all of these builds have reached. */
export function compileReached(builds: readonly string[]): Script {
  const name = builds.join(' ')
  const known = reached.get(name)
  if (known !== undefined) return known
  const query = compiler.selectFrom('builds').select(['position', 'received'])
  const made = {
    statements: [statement(query.where('build', 'in', builds).orderBy('position').limit(limitOf(1)))],
  }
  reached.set(name, made)
  return made
}

export function compileList(plan: ListPlan): Script {
  const { table, order, limit } = plan
  const names = ['key', 'part', ...table.columns.map(([name]) => name)]
  let query = compiler.selectFrom(table.build).select(names).limit(limitOf(limit))
  for (const condition of plan.conditions) query = query.where(conditionSql(condition))
  for (const condition of searchSql(table.build, plan.words)) query = query.where(condition)
  for (const { column, descending } of order) query = query.orderBy(column, descending ? 'desc' : 'asc')
  const statements = rangesAfter(order, plan.after).map((range) => {
    return statement(range.reduce((ranged, condition) => ranged.where(condition), query))
  })
  return { statements, limit }
}

/**
 * What comes after these values in this order, as ranges that follow one another: each is equal in some leading columns
 * and beyond in the next, so that an index finds its start. An OR of the same would be read from the beginning.
 */
function rangesAfter(
  order: readonly SortKey[],
  after: readonly Cell[] | undefined,
): readonly (readonly Expression<SqlBool>[])[] {
  if (after === undefined) return [[]]
  const ranges: Expression<SqlBool>[][] = []
  for (let length = order.length - 1; length >= 0; length--) {
    const equal = order.slice(0, length).map(({ column }, i) => equalSql(column, after[i] ?? null))
    const key = order[length]
    if (key === undefined) continue
    for (const beyond of beyondSql(key, after[length] ?? null)) ranges.push([...equal, beyond])
  }
  return ranges
}

function equalSql(column: string, cell: Cell): Expression<SqlBool> {
  return cell === null ? sql`${sql.ref(column)} is null` : sql`${sql.ref(column)} = ${cell}`
}

/** Null is the least. */
function beyondSql({ column, descending, nullable }: SortKey, cell: Cell): Expression<SqlBool>[] {
  const ref = sql.ref(column)
  if (cell === null) return descending ? [] : [sql`${ref} is not null`]
  if (!descending) return [sql`${ref} > ${cell}`]
  const below: Expression<SqlBool> = sql`${ref} < ${cell}`
  return nullable ? [below, sql`${ref} is null`] : [below]
}

const OPERATORS: Readonly<Record<Comparison, RawBuilder<unknown>>> = {
  eq: sql`=`,
  ne: sql`is not`,
  lt: sql`<`,
  lte: sql`<=`,
  gt: sql`>`,
  gte: sql`>=`,
}

function conditionSql(condition: Condition): Expression<SqlBool> {
  const ref = sql.ref(condition.column)
  switch (condition.kind) {
    case 'compare':
      return sql`${ref} ${OPERATORS[condition.operator]} ${condition.value}`
    case 'in':
      return sql`${ref} in (select value from json_each(${JSON.stringify(condition.values)}))`
    case 'null':
      return condition.isNull ? sql`${ref} is null` : sql`${ref} is not null`
    case 'person': {
      const found = sql`${ref} in (${sameProfileSql(JSON.stringify(condition.ids))})`
      return condition.negated ? sql`(${ref} is null or not ${found})` : sql`${found}`
    }
  }
}

/** All who share a profile with one of a JSON list of ids; those who stand alone share it with themselves. */
function sameProfileSql(list: string): RawBuilder<unknown> {
  const profiles = sql`select coalesce(m.profile, ids.value) from json_each(${list}) ids left join member m on m.identity = ids.value`
  return sql`select identity from member where profile in (${profiles}) union ${profiles}`
}

/** The index leaves few rows to look for the words in, unless all words are too short for it. */
function searchSql(build: string, words: readonly string[]): Expression<SqlBool>[] {
  const conditions = words.map((word): Expression<SqlBool> => sql`instr(_search, ${word}) > 0`)
  const query = trigramQuery(words)
  if (query === undefined) return conditions
  const name = searchTable(build)
  const found = sql`select rowid from ${sql.table(name)} where ${sql.ref(name)} match ${query}`
  return [sql`_row in (${found})`, ...conditions]
}

export function compileAggregate(plan: AggregatePlan): Script {
  const groups = plan.groups.map(groupSql)
  const figures = plan.figures.map((figure, i) => figureSql(figure).as(`f${i}`))
  let query = compiler
    .selectFrom(plan.table.build)
    .select([...groups.map((group, i) => group.as(`g${i}`)), ...figures])
    .limit(limitOf(plan.limit))
  for (const condition of plan.conditions) query = query.where(conditionSql(condition))
  if (groups.length > 0) query = query.groupBy(groups).orderBy(sql.join(groups))
  return { statements: [statement(query)], bigints: true }
}

function groupSql({ column, type, of }: PlannedGroup): RawBuilder<Cell> {
  if (of !== undefined) return sql`substr(${sql.ref(column)}, 1, ${sql.lit(DAY_PREFIX_LENGTH[of])})`
  return type === 'identity' ? profileSql(column) : sql`${sql.ref(column)}`
}

function figureSql(figure: PlannedFigure): RawBuilder<Cell> {
  switch (figure.of) {
    case 'count':
      return figure.column === undefined ? sql`count(*)` : sql`count(${sql.ref(figure.column)})`
    case 'sum':
      return sql`sum(${sql.ref(figure.column)})`
    case 'min':
      return sql`min(${sql.ref(figure.column)})`
    case 'max':
      return sql`max(${sql.ref(figure.column)})`
    case 'count_distinct':
      return figure.type === 'identity'
        ? sql`count(distinct ${profileSql(figure.column)})`
        : sql`count(distinct ${sql.ref(figure.column)})`
  }
}

function profileSql(column: string): RawBuilder<Cell> {
  const ref = sql.ref(column)
  return sql`coalesce((select profile from member where identity = ${ref}), ${ref})`
}

/** Where `compileGet` asks for the profile. */
const PROFILE_AT = 1

const profileOfId = template(compiler.selectNoFrom(profileOfSql(ID).as('profile')))

/** Asked on the calling thread, where at most so many rows are read, or on a reader thread, where all are. */
export type Extent = 'some' | 'all'

/** Of rows, and of members. One more than this is read directly: then there are too many. */
export const MAX_DIRECT_ROWS = 100

type Template = (id: string) => Script
type Extents = Readonly<Record<Extent, Template>>

function extents<Q extends Compilable & { limit(count: RawBuilder<number>): Compilable }>(
  query: Q,
  made: (query: Compilable) => Template,
): Extents {
  return { some: made(query.limit(limitOf(MAX_DIRECT_ROWS + 1))), all: made(query) }
}

/** The same for every id: an earlier script finds what is bound. */
function bound(query: Compilable): Template {
  const script = { statements: [statement(query)], boundTo: PROFILE_AT }
  return () => script
}

/** Of the profile that the question's script `PROFILE_AT` found. */
const membersFound = extents(
  compiler.selectFrom('member').select('identity').where('profile', '=', ID),
  bound,
)

/** By table, as queries see it: they see the same one until another build serves. */
const rowsOfId = new WeakMap<VisibleTable, Extents>()

function rowsTemplate(table: VisibleTable): Extents {
  const known = rowsOfId.get(table)
  if (known !== undefined) return known
  const names = ['key', 'part', ...table.columns.map(([name]) => name)]
  const query = compiler.selectFrom(table.build).select(names).orderBy('part').where('key', '=', ID)
  const made = extents(query, table.grain === 'profile' ? bound : template)
  rowsOfId.set(table, made)
  return made
}

/** Position, profile, who belongs to it, then the rows of each table. */
export function compileGet({ tables, key }: GetPlan, extent: Extent): readonly Script[] {
  return [
    tables.length === 0 ? HEAD : compileReached(tables.map(({ build }) => build)),
    profileOfId(key),
    membersFound[extent](key),
    ...tables.map((table) => rowsTemplate(table)[extent](key)),
  ]
}

function profileOfSql(id: string): RawBuilder<Cell> {
  return sql`coalesce((select profile from member where identity = ${id}), ${id})`
}

export function compileStates(plan: StatesPlan): Script {
  const query = compiler.selectFrom(stateTable(plan.build)).select(['key', 'state']).orderBy('key')
  const keys = plan.byProfile ? sameProfileSql(JSON.stringify([plan.key])) : sql`${plan.key}`
  return { statements: [statement(query.where(sql<SqlBool>`key in (${keys})`))] }
}

const memberships = compiler.selectFrom('member').select(['identity', 'profile'])
const askedMembers = extents(
  memberships.where(sql<SqlBool>`identity in (select value from json_each(${ID}))`),
  template,
)
const allMembers = extents(memberships.where(sql<SqlBool>`profile in (${sameProfileSql(ID)})`), template)

/** Identity and profile of those asked for, then of all who share a profile with them. */
export function compileMembers(identities: readonly string[], extent: Extent): readonly Script[] {
  const list = JSON.stringify(identities)
  return [askedMembers[extent](list), allMembers[extent](list)]
}

export function compileBuilds(): Script {
  const columns = ['projection', 'build', 'version', 'configuration', 'serving', 'position']
  return { statements: [statement(compiler.selectFrom('builds').select(columns).orderBy('build'))] }
}

export function compilePoison(limit: number): Script {
  const query = compiler.selectFrom('poison').select(['build', 'position', 'type', 'reason'])
  return { statements: [statement(query.orderBy('position', 'desc').orderBy('build').limit(limitOf(limit)))] }
}

export function compileReview(after: number, limit: number): Script {
  const query = compiler.selectFrom('evidence').select(['number', 'bytes'])
  const listed = query.where('refused', '=', sql<number>`1`).where('number', '>', after)
  return { statements: [statement(listed.orderBy('number').limit(limitOf(limit)))] }
}

/** Generation and cursor key, then the serving builds. */
export function compileCatalogue(): readonly Script[] {
  const meta = compiler.selectFrom('meta').select(['generation', 'cursor_key'])
  const serving = compiler
    .selectFrom('builds')
    .select(['projection', 'build', 'version', 'shape'])
    .where('serving', '=', 1)
  return [{ statements: [statement(meta)] }, { statements: [statement(serving)] }]
}
