import type { Configuration } from '../engine/projector/projection.ts'
import type { Column } from '../engine/store/table.ts'
import { definedFields } from '../projections/custom-fields.ts'
import { definedObjects } from '../projections/defined.ts'
import type { DefinedObject } from '../projections/definitions.ts'
import type { ApiDeps } from './deps.ts'
import { sortable } from './routes/filters.ts'
import { CUSTOM_RECORDS, objectView } from './routes/object-rows.ts'
import { shownColumns } from './routes/rows.ts'
import { baseOf } from './routes/served.ts'
import { cellSchema, filterProperties } from './schemas.ts'

/**
 * The OpenAPI document with what departments have defined: the routes are registered once, the columns of their views and the
 * objects that there are change while the engine runs.
 */

type Schema = Record<string, unknown>

/** Where rows of a view stand in the document. */
interface DocumentedView {
  readonly path: string
  readonly projection: string
}

const OBJECT_PATH = '/v1/objects/{object}'

/** The document, or a copy where anything is defined. `config`: as published now, for the words of definitions. */
export function withDefined(
  shared: Readonly<Schema>,
  deps: Pick<ApiDeps, 'projections' | 'catalogue'>,
  views: readonly DocumentedView[],
  config: Configuration,
): Schema {
  const added = views.map(({ path, projection }) => ({
    path,
    columns: addedColumns(deps, projection, config),
  }))
  const changed = added.filter(({ columns }) => Object.keys(columns).length > 0)
  if (changed.length === 0 && definedObjects(config).length === 0) return shared
  const document = structuredClone(shared)
  const paths = recordAt(document, 'paths')
  if (paths === undefined) return document
  for (const { path, columns } of changed) addColumns(paths, path, columns)
  addObjects(paths, deps, config)
  return document
}

/** Columns of the view as it is served that the code doesn't know of itself. */
function addedColumns(
  deps: Pick<ApiDeps, 'projections' | 'catalogue'>,
  name: string,
  config: Configuration,
): Readonly<Record<string, Column>> {
  const served = deps.projections.get(name)
  if (served === undefined) return {}
  const known = baseOf(deps, name).table.columns
  const added = Object.entries(served.table.columns).filter(([column]) => !Object.hasOwn(known, column))
  const words = aboutOf(definedFields(config, name))
  return Object.fromEntries(added.map(([column, said]) => [column, { ...said, about: words(column, said) }]))
}

/** A field's words as they are published now: the build that serves may be of older ones. */
function aboutOf(fields: ReturnType<typeof definedFields>): (name: string, column: Column) => string {
  const byName = new Map(fields.map((field) => [field.name, field]))
  return (name, { about }) => {
    const field = byName.get(name)
    const department = field?.department === undefined ? '' : ` (${field.department})`
    return `${field?.about ?? about}${department}`
  }
}

function addColumns(paths: Schema, path: string, columns: Readonly<Record<string, Column>>): void {
  const list = recordAt(paths, path, 'get')
  addFilters(list, columns)
  addToRow(recordAt(answerOf(list), 'data', 'items'), columns)
  addToRow(recordAt(answerOf(recordAt(paths, `${path}/{id}`, 'get')), 'data'), columns)
  const found = recordAt(answerOf(recordAt(paths, `${path}/lookup`, 'post')), 'data', 'items')?.['anyOf']
  if (Array.isArray(found)) addToRow(asRecord(found[0]), columns)
}

/** The properties of an operation's 200. */
function answerOf(operation: Schema | undefined): Schema | undefined {
  return recordAt(operation, 'responses', '200', 'content', 'application/json', 'schema', 'properties')
}

function addFilters(operation: Schema | undefined, columns: Readonly<Record<string, Column>>): void {
  const parameters = operation?.['parameters']
  if (!Array.isArray(parameters)) return
  for (const [name, { description, ...schema }] of Object.entries(filterProperties(columns))) {
    parameters.push({ schema, in: 'query', name, required: false, description })
  }
  const sort = parameters.map(asRecord).find((parameter) => parameter?.['name'] === 'sort')
  if (sort === undefined) return
  const stated = String(sort['description']).replace(/\.$/, '')
  sort['description'] = `${stated}${stated.includes(':') ? ', ' : ': '}${sortable(columns).join(', ')}.`
}

function addToRow(row: Schema | undefined, columns: Readonly<Record<string, Column>>): void {
  if (row === undefined) return
  const cells = Object.entries(columns).map(([name, column]) => [name, cellSchema(column)] as const)
  row['properties'] = { ...asRecord(row['properties']), ...Object.fromEntries(cells) }
  const required = row['required']
  row['required'] = [...(Array.isArray(required) ? required : []), ...Object.keys(columns)]
}

/** The paths of each object that is served. */
function addObjects(
  paths: Schema,
  deps: Pick<ApiDeps, 'projections' | 'catalogue'>,
  config: Configuration,
): void {
  const served = deps.projections.get(CUSTOM_RECORDS)
  if (served === undefined) return
  for (const defined of definedObjects(config)) {
    const { object, fields } = defined
    const { id, ...columns } = shownColumns(objectView(served, object).shown)
    const words = aboutOf(fields)
    const described = Object.entries(columns).map(([name, column]) => [
      name,
      { ...column, about: words(name, column) },
    ])
    const all: Readonly<Record<string, Column>> = Object.fromEntries(described)
    const path = `/v1/objects/${object}`
    paths[path] = forObject(recordAt(paths, OBJECT_PATH), defined, 'Records of')
    paths[`${path}/{id}`] = forObject(recordAt(paths, `${OBJECT_PATH}/{id}`), defined, 'One record of')
    const changes = recordAt(paths, `${OBJECT_PATH}/{id}/changes`)
    paths[`${path}/{id}/changes`] = forObject(changes, defined, 'What changed in a record of')
    const list = recordAt(paths, path, 'get')
    addFilters(list, id === undefined ? all : { id, ...all })
    for (const row of [
      recordAt(answerOf(list), 'data', 'items'),
      recordAt(answerOf(recordAt(paths, `${path}/{id}`, 'get')), 'data'),
    ]) {
      if (row !== undefined) delete row['additionalProperties']
      addToRow(row, all)
    }
  }
}

/** A copy of the path that all objects share, of `GET` alone. */
function forObject(shared: Schema | undefined, defined: DefinedObject, what: string): Schema {
  const { label, about, department } = defined
  const operation = structuredClone(asRecord(shared?.['get'])) ?? {}
  const parameters = operation['parameters']
  if (Array.isArray(parameters)) {
    operation['parameters'] = parameters.filter((each) => asRecord(each)?.['name'] !== 'object')
  }
  operation['summary'] = `${what} ${label}`
  operation['description'] = `${about}${department === undefined ? '' : ` (${department})`}`
  return { get: operation }
}

function recordAt(value: unknown, ...path: readonly string[]): Schema | undefined {
  let found = asRecord(value)
  for (const name of path)
    found = found !== undefined && Object.hasOwn(found, name) ? asRecord(found[name]) : undefined
  return found
}

function asRecord(value: unknown): Schema | undefined {
  return isRecord(value) ? value : undefined
}

function isRecord(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
