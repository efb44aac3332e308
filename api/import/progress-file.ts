import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as t from 'io-ts'
import type { Fingerprint, Prefix } from './input-file.ts'

/** What a run counts. `accepted`: taken by a queue in front of the engine. */
export interface Tally {
  readonly appended: number
  readonly duplicates: number
  readonly quarantined: number
  readonly refused: number
  readonly accepted: number
}

export const NO_TALLY: Tally = { appended: 0, duplicates: 0, quarantined: 0, refused: 0, accepted: 0 }

/** How far an import has got, in a file of its own beside the engine's data or wherever the operator says. */
export interface Progress {
  readonly fingerprint: Fingerprint
  readonly mappingHash: string
  readonly target: string
  /** The prelude, and every event of the rows up to and including this one (from 1), is acknowledged. */
  readonly acknowledgedRow: number
  /** What those rows were read from, and what was read ahead: only a file that begins so is gone on with. */
  readonly read: Prefix
  readonly tally: Tally
}

/** Which file, mapping and engine progress is of. */
export type ImportIdentity = Pick<Progress, 'fingerprint' | 'mappingHash' | 'target'>

const codec = t.type({
  progress: t.literal(2),
  fingerprint: t.type({ sizeBytes: t.number, sha256: t.string }),
  mappingHash: t.string,
  target: t.string,
  acknowledgedRow: t.number,
  read: t.type({ bytes: t.number, sha256: t.string }),
  tally: t.type({
    appended: t.number,
    duplicates: t.number,
    quarantined: t.number,
    refused: t.number,
    accepted: t.number,
  }),
})

/** undefined where there is none, or none that can be understood: then the import begins anew, which does no harm. */
export async function readProgress(path: string): Promise<Progress | undefined> {
  try {
    const decoded = codec.decode(JSON.parse(await readFile(path, 'utf8')))
    return decoded._tag === 'Right' ? decoded.right : undefined
  } catch {
    return undefined
  }
}

/** Whole or not at all: written beside, then renamed over. */
export async function writeProgress(path: string, progress: Progress): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.new`
  const handle = await open(temporary, 'w')
  try {
    await handle.writeFile(`${JSON.stringify({ progress: 2, ...progress }, null, 2)}\n`)
    await handle.datasync()
  } finally {
    await handle.close()
  }
  await rename(temporary, path)
}

/** A file that stays does no harm: the next import sees that all of it is there. */
export async function removeProgress(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined)
}

/** True if this progress is of the same mapping and target and, at a glance, of the same file. */
export function sameImport(a: ImportIdentity, b: Progress): boolean {
  return (
    a.fingerprint.sizeBytes === b.fingerprint.sizeBytes &&
    a.fingerprint.sha256 === b.fingerprint.sha256 &&
    a.mappingHash === b.mappingHash &&
    a.target === b.target
  )
}
