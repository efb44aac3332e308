/**
 * What a projection's read model looks like: columns, indexes and search, and how rows follow from a state. Pure
 * description; the stores turn it into tables, the api into routes, filters and OpenAPI.
 */

/**
 * `instant`: ms since 1970 UTC. `day`: `YYYY-MM-DD`. `money`: integer ten-thousandths of the currency's unit.
 * `json`: any JSON value. `identity`: an identity id, shown as the profile that it belongs to.
 */
export type ColumnType =
  | 'text'
  | 'integer'
  | 'real'
  | 'boolean'
  | 'instant'
  | 'day'
  | 'money'
  | 'json'
  | 'identity'

export interface Column {
  readonly type: ColumnType
  /** One sentence for the documentation. */
  readonly about: string
}

export type CellValue =
  | string
  | number
  | boolean
  | null
  | readonly unknown[]
  | { readonly [key: string]: unknown }

/** Column → value; a column left out is null. */
export type Row = Readonly<Record<string, CellValue>>

/**
 * What a row is about, and so what the projection's keys are.
 * `record`: a record of one source (`opportunity`), keyed by its own id. `bucket`: a figure, keyed by its
 * dimensions. `profile`: a person or company; state is folded per atom (keys are identity ids), the rows are those of
 * the join of the profile's atoms, and `key` in the table is the profile's id.
 */
export type Grain = 'record' | 'bucket' | 'profile'

export interface Table<State, Config = unknown> {
  readonly grain: Grain
  /** Besides these every table has `key` and `part` (its primary key). */
  readonly columns: Readonly<Record<string, Column>>
  readonly indexes: readonly (readonly string[])[]
  /** Text columns in the full-text index. */
  readonly search?: readonly string[] | undefined
  /**
   * The rows of a state: none while there is nothing to show, usually one with part '', several when a key has
   * a row for each day or so. Pure.
   */
  rows(state: State, config: Config, key: string): ReadonlyMap<string, Row>
}

/** The part of a table that stores and queries need. */
export type TableShape = Pick<Table<never, never>, 'grain' | 'columns' | 'indexes' | 'search'>

/** The usual case: one row for a state. */
export function oneRow(row: Row | undefined): ReadonlyMap<string, Row> {
  return row === undefined ? NO_ROWS : new Map([['', row]])
}

const NO_ROWS: ReadonlyMap<string, Row> = new Map()
