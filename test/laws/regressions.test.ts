// Theorem: what once broke a law of a projection, because of a bug in it or one that was planted there, breaks none any more.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { projections } from '../../projections/catalog.ts'
import { checkLaws, type LawName, type Sample } from './projection-laws.ts'
import { REGRESSIONS } from './regressions.ts'

interface Kept {
  readonly projection: string
  readonly law: LawName
  readonly sample: Sample
}

const files = readdirSync(REGRESSIONS)

test('there are some', () => expect(files.length).toBeGreaterThan(0))

test.each(files)('%s', (file) => {
  const { projection, law, sample }: Kept = JSON.parse(readFileSync(join(REGRESSIONS, file), 'utf8'))
  const found = projections.find(({ name }) => name === projection)
  expect(found, `${projection} is in the catalogue`).toBeDefined()
  if (found !== undefined) checkLaws(found, sample, [law])
})
