import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LawName, Sample } from './projection-laws.ts'

/** Samples that once broke a law of a projection, one a file. */
export const REGRESSIONS: string = join(import.meta.dirname, '..', 'regressions', 'projections')

/** Writes the smallest sample that was found into a file that the tests try from then on; answers its path. */
export function keepForEver(projection: string, law: LawName, sample: Sample): string {
  const text = JSON.stringify({ projection, law, sample }, undefined, 2)
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 8)
  const file = join(REGRESSIONS, `${projection}-${law.replaceAll(' ', '-')}-${digest}.json`)
  mkdirSync(REGRESSIONS, { recursive: true })
  writeFileSync(file, `${text}\n`)
  return file
}
