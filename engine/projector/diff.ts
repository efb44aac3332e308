import { type Cell, type ColumnList, compareText, decodeCell } from '../store/cells.ts'
import { canonicalJson } from '../store/digest.ts'
import type { SnapshotRow, StoreSnapshot } from '../store/snapshot.ts'
import type { BuildName } from '../store/store.ts'
import type { CellValue, ColumnType } from '../store/table.ts'
import { type Because, explainRow } from './diff-explain.ts'
import type { AnyProjection, Configuration } from './projection.ts'

/** One of two builds of a projection that are compared; both stand at one position. */
export interface Side {
  readonly snapshot: StoreSnapshot
  readonly build: BuildName
  readonly projection: AnyProjection
  /** That the build was folded with; undefined: it isn't known any more, and nothing of it is explained. */
  readonly config: Configuration | undefined
}

export interface BuildDiff {
  readonly projection: string
  readonly from: BuildName
  readonly to: BuildName
  readonly rows: { readonly from: number; readonly to: number }
  readonly added: number
  readonly removed: number
  readonly changed: number
  /** Column → in how many of the changed rows it differs. */
  readonly columns: Readonly<Record<string, number>>
  readonly newColumns: readonly string[]
  readonly goneColumns: readonly string[]
  /** The first rows of each kind, by key. */
  readonly sample: readonly RowDiff[]
}

export interface RowDiff {
  readonly change: 'added' | 'removed' | 'changed'
  readonly key: string
  readonly part: string
  /** Those that differ; of an added or removed row those that aren't null. */
  readonly fields: readonly FieldDiff[]
}

export interface FieldDiff {
  readonly column: string
  readonly type: ColumnType
  readonly from: CellValue
  readonly to: CellValue
  /** Which writes are behind either value; absent where the projection explains nothing of it. */
  readonly because?: { readonly from: readonly Because[]; readonly to: readonly Because[] } | undefined
}

interface Compared {
  readonly name: string
  readonly type: ColumnType
  /** Places among the cells; undefined: that side lacks the column. */
  readonly from: number | undefined
  readonly to: number | undefined
}

/** Which rows differ, and why. Reads both builds in the order of keys, a row of each at a time. */
export function diffBuilds(from: Side, to: Side, sampleSize: number): BuildDiff {
  const columns = comparedColumns(from.snapshot.columns(from.build), to.snapshot.columns(to.build))
  const counts = { added: 0, removed: 0, changed: 0 }
  const rows = { from: 0, to: 0 }
  const differing = new Map<string, number>()
  const sample: RowDiff[] = []
  for (const [before, after] of paired(from, to)) {
    if (before !== undefined) rows.from += 1
    if (after !== undefined) rows.to += 1
    const changed = columns.filter((column) => differs(column, before, after))
    const change = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'
    if (change === 'changed' && changed.length === 0) continue
    counts[change] += 1
    if (change === 'changed')
      for (const { name } of changed) differing.set(name, (differing.get(name) ?? 0) + 1)
    if (counts[change] <= sampleSize) sample.push(rowDiff(from, to, change, before, after, changed))
  }
  return {
    projection: to.projection.name,
    from: from.build,
    to: to.build,
    rows,
    ...counts,
    columns: Object.fromEntries([...differing].sort(([, a], [, b]) => b - a)),
    newColumns: columns.filter((column) => column.from === undefined).map(({ name }) => name),
    goneColumns: columns.filter((column) => column.to === undefined).map(({ name }) => name),
    sample,
  }
}

function comparedColumns(from: ColumnList, to: ColumnList): readonly Compared[] {
  const names = [...new Set([...from, ...to].map(([name]) => name))]
  const place = (columns: ColumnList, name: string): number | undefined => {
    const found = columns.findIndex(([other]) => other === name)
    return found === -1 ? undefined : found
  }
  return names.map((name) => {
    const [, type] = to.find(([other]) => other === name) ??
      from.find(([other]) => other === name) ?? [name, 'text']
    return { name, type, from: place(from, name), to: place(to, name) }
  })
}

type Pair = readonly [before: SnapshotRow | undefined, after: SnapshotRow | undefined]

/** Rows of one key and part together. */
function* paired(from: Side, to: Side): Generator<Pair> {
  const left = from.snapshot.sortedRows(from.build)[Symbol.iterator]()
  const right = to.snapshot.sortedRows(to.build)[Symbol.iterator]()
  let [before, after] = [taken(left), taken(right)]
  while (before !== undefined || after !== undefined) {
    const order = compareRows(before, after)
    yield [order <= 0 ? before : undefined, order >= 0 ? after : undefined]
    if (order <= 0) before = taken(left)
    if (order >= 0) after = taken(right)
  }
}

function taken(rows: Iterator<SnapshotRow>): SnapshotRow | undefined {
  const next = rows.next()
  return next.done === true ? undefined : next.value
}

/** Nothing comes behind everything. */
function compareRows(a: SnapshotRow | undefined, b: SnapshotRow | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return compareText(a.key, b.key) || compareText(a.part, b.part)
}

function differs(column: Compared, before: SnapshotRow | undefined, after: SnapshotRow | undefined): boolean {
  const [from, to] = [cellOf(before, column.from), cellOf(after, column.to)]
  if (from === to) return false
  if (column.type !== 'json' || typeof from !== 'string' || typeof to !== 'string') return true
  return canonicalJson(from) !== canonicalJson(to)
}

function cellOf(row: SnapshotRow | undefined, place: number | undefined): Cell {
  return (place === undefined ? null : row?.cells[place]) ?? null
}

function rowDiff(
  from: Side,
  to: Side,
  change: RowDiff['change'],
  before: SnapshotRow | undefined,
  after: SnapshotRow | undefined,
  columns: readonly Compared[],
): RowDiff {
  const { key, part } = after ?? before ?? { key: '', part: '' }
  const why = explainRow(from, to, key)
  const fields = columns.map(({ name, type, ...places }): FieldDiff => {
    const values = {
      from: decodeCell(type, cellOf(before, places.from)),
      to: decodeCell(type, cellOf(after, places.to)),
    }
    const because = { from: why.from(name, values.from), to: why.to(name, values.to) }
    const isExplained = because.from.length + because.to.length > 0
    return { column: name, type, ...values, ...(isExplained ? { because } : {}) }
  })
  return { change, key, part, fields }
}
