import { type ColumnList, encodeRow } from '../store/cells.ts'
import type { Commit, PoisonEvent, RowWrite, StoreWriter } from '../store/store.ts'

/**
 * A commit that a store refused, without the rows that can't be stored: each is noted as poison, and its key shows nothing
 * until it can be. undefined: the rows weren't the reason.
 */
export function withoutUnstorable(commit: Commit, store: Pick<StoreWriter, 'snapshot'>): Commit | undefined {
  const columnsOf = tableColumns(commit, store)
  const refused: PoisonEvent[] = []
  const writes = commit.writes.map((write) => {
    const columns = columnsOf.get(write.build)
    if (columns === undefined) return write
    const rows = Array.from(write.rows, (row): RowWrite => {
      const why = unstorable(columns, row)
      if (why === undefined) return row
      refused.push({ build: write.build, position: commit.position, type: 'row', reason: why })
      return { key: row.key, rows: new Map() }
    })
    return { ...write, rows }
  })
  return refused.length > 0 ? { ...commit, writes, poison: [...commit.poison, ...refused] } : undefined
}

/** As the builds' tables have them, whatever configuration they were made under. */
function tableColumns(
  { writes }: Commit,
  store: Pick<StoreWriter, 'snapshot'>,
): ReadonlyMap<string, ColumnList> {
  const snapshot = store.snapshot()
  try {
    const builds = new Set(snapshot.builds.map(({ build }) => build))
    const written = writes.map(({ build }) => build).filter((build) => builds.has(build))
    return new Map(written.map((build) => [build, snapshot.columns(build)]))
  } finally {
    snapshot.close()
  }
}

/** The kind of error alone: its message may quote the cell. */
function unstorable(columns: ColumnList, { rows }: RowWrite): string | undefined {
  try {
    for (const row of rows.values()) encodeRow(columns, row)
    return undefined
  } catch (error) {
    return error instanceof Error
      ? `${error.name}: a cell that can't be stored`
      : "a cell that can't be stored"
  }
}
