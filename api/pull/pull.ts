import type { Issue } from '../import/issues.ts'
import type { CompiledMapping } from '../import/mapper.ts'
import type { Tally } from '../import/progress-file.ts'

/** A system that can't push, and how it is asked instead. Everything was checked when the file was read. */
export type Pull = FolderPull | UrlPull

interface CommonPull {
  readonly name: string
  readonly mapping: CompiledMapping
  /** From the end of one run to the beginning of the next. */
  readonly everyMs: number
}

export interface FolderPull extends CommonPull {
  readonly kind: 'folder'
  readonly folder: string
  /** Which of its files. */
  readonly files: RegExp
  /** A last line without its line break is taken once the file has rested for so long; undefined: never. */
  readonly finalLineAfterMs: number | undefined
}

export interface UrlPull extends CommonPull {
  readonly kind: 'url'
  /** With `{highWater}` where the mark goes. */
  readonly url: string
  /** May hold credentials. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Origins beside its own that it may redirect to. */
  readonly redirectsTo: readonly string[]
  readonly highWater: HighWaterColumn | undefined
  readonly timeoutMs: number
  readonly maxBytes: number
}

export interface HighWaterColumn {
  /** Place among the mapping's columns. */
  readonly index: number
  readonly as: 'text' | 'number' | 'instant'
  readonly initial: string
}

/** What became of one run. `partial`: some file couldn't be read, the others were. */
export type PullOutcome = 'imported' | 'nothing_new' | 'partial' | 'failed' | 'interrupted'

/** Something that an operator should look at; names files, lines and columns, never what is in them. */
export interface PullIssue extends Partial<Omit<Issue, 'kind' | 'message'>> {
  readonly kind: Issue['kind'] | 'unreadable'
  readonly file?: string | undefined
  readonly message: string
}

/** What one run did. */
export interface PullRun {
  readonly outcome: PullOutcome
  /** Why it failed; a whole sentence without addresses or credentials. */
  readonly error?: string | undefined
  /** How long the other side asks to be left alone. */
  readonly retryAfterMs?: number | undefined
  readonly files: number
  /** Rows that were new to this run, refused ones included. */
  readonly rows: number
  readonly refusedRows: number
  readonly tally: Tally
  /** The first few. */
  readonly issues: readonly PullIssue[]
}

/** How far a pull has got. */
export type PullMark =
  | {
      readonly kind: 'folder'
      readonly files: number
      readonly rows: number
      /** Bytes behind the last line break, which wait for theirs. */
      readonly waitingBytes: number
      readonly unreadable: readonly PullIssue[]
    }
  | {
      readonly kind: 'url'
      readonly highWater: string | undefined
      readonly lastModified: string | undefined
    }
