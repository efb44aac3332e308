import type { SettledEvent } from './delivery.ts'
import { NO_BYTES, type Prefix } from './input-file.ts'
import type { Issue, IssueList } from './issues.ts'
import { NO_TALLY, type Progress, type Tally } from './progress-file.ts'

export interface ImportReport extends Tally {
  /** Data rows of the file that were read, bad ones included. */
  readonly rows: number
  /** Events whose fate is known, those of an interrupted run that this one continued included. */
  readonly events: number
  readonly refusedRows: number
  /** The first 20. */
  readonly issues: readonly Issue[]
  /** This run went on after that row. */
  readonly resumedAfterRow: number | undefined
  /** Highest position that was answered, 0 if none. */
  readonly position: number
  readonly elapsedMs: number
}

/** Where an import goes on. */
export type Resumed = Pick<Progress, 'acknowledgedRow' | 'tally'>

/** What one pass over the file counts. */
export interface Run {
  rows: number
  refusedRows: number
  events: number
  tally: Tally
  acknowledgedRow: number
  position: number
  read: Prefix
  waiting: string | undefined
}

export function newRun(resume?: Resumed | undefined): Run {
  return {
    rows: 0,
    refusedRows: 0,
    events: 0,
    tally: resume?.tally ?? NO_TALLY,
    acknowledgedRow: resume?.acknowledgedRow ?? 0,
    position: 0,
    read: NO_BYTES,
    waiting: undefined,
  }
}

/** Counts an event whose fate is known. */
export function note(run: Run, issues: IssueList, { row, line, id, result }: SettledEvent): void {
  run.position = Math.max(run.position, result.position ?? 0)
  const { tally } = run
  switch (result.status) {
    case 'appended':
      run.tally = { ...tally, appended: tally.appended + 1 }
      return
    case 'duplicate':
      run.tally = { ...tally, duplicates: tally.duplicates + 1 }
      return
    case 'accepted':
      run.tally = { ...tally, accepted: tally.accepted + 1 }
      return
    case 'quarantined':
      run.tally = { ...tally, quarantined: tally.quarantined + 1 }
      issues.add({ kind: 'event_quarantined', row, line, id, ...reasonOf(result) })
      return
    case 'refused':
      run.tally = { ...tally, refused: tally.refused + 1 }
      issues.add({ kind: 'event_refused', row, line, id, ...reasonOf(result) })
      return
  }
}

function reasonOf(result: SettledEvent['result']): { reason: string; message: string } {
  return { reason: result.reason ?? 'not_stated', message: result.message ?? '' }
}

export function reportOf(
  run: Run,
  issues: readonly Issue[],
  resume: Resumed | undefined,
  elapsedMs: number,
): ImportReport {
  const { tally } = run
  return {
    ...tally,
    rows: run.rows,
    events: tally.appended + tally.duplicates + tally.quarantined + tally.refused + tally.accepted,
    refusedRows: run.refusedRows,
    issues,
    resumedAfterRow: resume?.acknowledgedRow,
    position: run.position,
    elapsedMs,
  }
}
