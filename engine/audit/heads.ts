import type { AuditFiles } from './audit-files.ts'
import { CHECKPOINT_NAME, HEADS_DIRECTORY } from './format.ts'
import { parseTreeHead, splitNote, type TreeHead, VerificationFailed } from './verify.ts'

/** A tree head as it stands in a file, not verified. */
export interface StoredHead extends TreeHead {
  readonly note: string
  /** Where it stands, in the audit directory. */
  readonly path: string
}

/** Reads a stored tree head; undefined where there is none or it is damaged. */
function readHead(files: AuditFiles, path: string): StoredHead | undefined {
  const note = files.read(path)?.toString('utf8')
  if (note === undefined) return undefined
  try {
    return { ...parseTreeHead(splitNote(note).text), note, path }
  } catch (error) {
    if (error instanceof VerificationFailed) return undefined
    throw error
  }
}

const DAY_NAME = /^\d{4}-\d\d-\d\d$/

/** All tree heads that are kept, in the order of their sizes. */
export function storedHeads(files: AuditFiles): readonly StoredHead[] {
  const days = files.list(HEADS_DIRECTORY).filter((name) => DAY_NAME.test(name))
  return [CHECKPOINT_NAME, ...days.map((day) => `${HEADS_DIRECTORY}/${day}`)]
    .map((path) => readHead(files, path))
    .filter((head) => head !== undefined)
    .sort((a, b) => a.size - b.size)
}

/** The head that was signed last, as far as the files know. */
export function lastHead(files: AuditFiles): StoredHead | undefined {
  return storedHeads(files).at(-1)
}

/** Keeps a head: as the latest, and as the day's if it is the day's first. Durable when it returns. */
export function keepHead(files: AuditFiles, note: string, nowMs: number): void {
  files.write(CHECKPOINT_NAME, Buffer.from(note))
  const day = `${HEADS_DIRECTORY}/${new Date(nowMs).toISOString().slice(0, 10)}`
  if (files.read(day) === undefined) files.write(day, Buffer.from(note))
  files.flush()
}
