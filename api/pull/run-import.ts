import type * as E from 'fp-ts/lib/Either.js'
import type { Clock } from '../../engine/clock.ts'
import type { Intake } from '../../engine/intake/result.ts'
import { type FailedImport, importFile } from '../import/import.ts'
import type { InputFile } from '../import/input-file.ts'
import { mappingHash } from '../import/mapping-codec.ts'
import { NO_TALLY, type Tally } from '../import/progress-file.ts'
import type { ImportReport } from '../import/run.ts'
import { createIntakeSender } from './intake-sender.ts'
import type { MarksOf } from './mark-file.ts'
import type { Pull, PullIssue, PullRun } from './pull.ts'

/** What a run works with. */
export interface PullContext {
  readonly intake: Intake
  readonly clock: Clock
  /** The log's last position. */
  readonly head: () => number
  /** Where this pull keeps its marks. */
  readonly marksFile: string
  /** Kept while an import is under way, so that a restart goes on within the file. */
  readonly progressFile: string
  /** Where what a URL answers is kept while it is imported. */
  readonly downloadFile: string
  readonly signal: AbortSignal
}

/** Batches under way at once: a pull is never in a hurry, and others send too. */
const IN_FLIGHT = 2

interface Reading {
  readonly input: InputFile
  readonly acknowledgedRow?: number | undefined
  readonly onRow?: ((cells: readonly string[]) => void) | undefined
}

/** Imports through the engine's own intake. */
export function importInput(
  pull: Pull,
  context: PullContext,
  reading: Reading,
): Promise<E.Either<FailedImport, ImportReport>> {
  const { intake, clock, progressFile, signal } = context
  return importFile({
    ...reading,
    file: reading.input.path,
    mapping: pull.mapping,
    sender: createIntakeSender(intake, pull.mapping.mapping.source),
    clock,
    limits: { inFlight: IN_FLIGHT },
    progressFile,
    signal,
  })
}

/** Whose marks a pull believes. */
export function marksOf(pull: Pull, { head }: Pick<PullContext, 'head'>): MarksOf {
  return { mappingHash: mappingHash(pull.mapping.mapping), head: head() }
}

const MAX_ISSUES = 20

/** Adds up what the imports of one run did. */
export class RunTotals {
  #files = 0
  #rows = 0
  #refusedRows = 0
  #tally: Tally = NO_TALLY
  readonly #issues: PullIssue[] = []

  /** `before`: what earlier imports of the same beginning had counted. */
  add(
    report: ImportReport,
    before: { readonly rows: number; readonly refusedRows: number } | undefined,
    file: string | undefined,
  ): void {
    this.#files += 1
    this.#rows += Math.max(0, report.rows - (report.resumedAfterRow ?? 0))
    this.#refusedRows += Math.max(0, report.refusedRows - (before?.refusedRows ?? 0))
    const sum = (name: keyof Tally) => this.#tally[name] + report[name]
    this.#tally = {
      appended: sum('appended'),
      duplicates: sum('duplicates'),
      quarantined: sum('quarantined'),
      refused: sum('refused'),
      accepted: sum('accepted'),
    }
    for (const issue of report.issues) this.note({ ...issue, file })
  }

  note(issue: PullIssue): void {
    if (this.#issues.length < MAX_ISSUES) this.#issues.push(issue)
  }

  get imported(): boolean {
    return this.#rows > 0 || this.#tally.appended > 0
  }

  end(outcome: PullRun['outcome'], more: Pick<PullRun, 'error' | 'retryAfterMs'> = {}): PullRun {
    const [files, rows, refusedRows] = [this.#files, this.#rows, this.#refusedRows]
    return { outcome, ...more, files, rows, refusedRows, tally: this.#tally, issues: [...this.#issues] }
  }
}
