import { closeSync, openSync, writeSync } from 'node:fs'
import { messageOf } from './input-file.ts'

/** Something of the file that isn't in the log as it stands there. Names lines and columns, never what is in them. */
export interface Issue {
  readonly kind: 'row_refused' | 'event_quarantined' | 'event_refused'
  /** Counts data rows from 1; 0 for the prelude. */
  readonly row: number
  /** Physical line, from 1; 0 for the prelude. */
  readonly line: number
  /** Last line, where a row spans several. */
  readonly endLine?: number | undefined
  /** Of the event, where it is about one. */
  readonly id?: string | undefined
  readonly reason: string
  readonly message: string
}

export interface IssueList {
  add(issue: Issue): void
  readonly first: readonly Issue[]
  close(): void
}

/** How many are kept for the summary; all go to the report file. */
const SHOWN = 20
const WRITE_AT_CHARS = 64 * 1024

/** Issues go to `reportFile` as NDJSON if one is named, appended when an import goes on; or why it can't be opened. */
export function openIssueList(
  reportFile: string | undefined,
  append: boolean,
): IssueList | { readonly why: string } {
  try {
    return createIssueList(reportFile === undefined ? undefined : openSync(reportFile, append ? 'a' : 'w'))
  } catch (error) {
    return { why: `${reportFile} can't be written: ${messageOf(error)}` }
  }
}

function createIssueList(file: number | undefined): IssueList {
  const first: Issue[] = []
  let waiting = ''
  const write = (): void => {
    if (file !== undefined && waiting !== '') writeSync(file, waiting)
    waiting = ''
  }
  return {
    first,
    add: (issue) => {
      if (first.length < SHOWN) first.push(issue)
      if (file === undefined) return
      waiting += `${JSON.stringify(issue)}\n`
      if (waiting.length >= WRITE_AT_CHARS) write()
    },
    close: () => {
      write()
      if (file !== undefined) closeSync(file)
    },
  }
}
