import type { Cell, ColumnList } from './cells.ts'
import type { BuildStatus, Checkpoint } from './store.ts'

export interface SnapshotRow {
  readonly key: string
  readonly part: string
  /** In the order of the build's columns. */
  readonly cells: readonly Cell[]
}

/**
 * Everything that a store had committed when this was opened, whatever is committed since, for whoever reads all of it:
 * digests and comparisons. Synchronous, for a thread that has nothing else to do. Close it soon: meanwhile SQLite can't take
 * up its WAL, and an erasure waits.
 */
export interface StoreSnapshot {
  /** What all serving builds have reached. */
  readonly checkpoint: Checkpoint
  readonly builds: readonly BuildStatus[]
  columns(build: string): ColumnList
  /** In no particular order. */
  rows(build: string): Iterable<SnapshotRow>
  /** In the order of `compareText` of key, then part. */
  sortedRows(build: string): Iterable<SnapshotRow>
  /** A key's state as MessagePack bytes; undefined: it has none. */
  state(build: string, key: string): Uint8Array | undefined
  /** Sorted; the profile's own id is always among them. */
  membersOf(profile: string): readonly string[]
  close(): void
}
