import { columnList, encodeRow } from '../store/cells.ts'
import type { Commit, PoisonEvent, RowWrite } from '../store/store.ts'
import type { AnyProjection } from './projection.ts'

/**
 * A commit that a store refused, without the rows that can't be stored: each is noted as poison, and its key shows nothing
 * until it can be. undefined: the rows weren't the reason.
 */
export function withoutUnstorable(
  commit: Commit,
  projectionOf: (build: string) => AnyProjection | undefined,
): Commit | undefined {
  const refused: PoisonEvent[] = []
  const writes = commit.writes.map((write) => {
    const projection = projectionOf(write.build)
    if (projection === undefined) return write
    const columns = columnList(projection.table)
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

/** The kind of error alone: its message may quote the cell. */
function unstorable(columns: ReturnType<typeof columnList>, { rows }: RowWrite): string | undefined {
  try {
    for (const row of rows.values()) encodeRow(columns, row)
    return undefined
  } catch (error) {
    return error instanceof Error
      ? `${error.name}: a cell that can't be stored`
      : "a cell that can't be stored"
  }
}
