/**
 * Theorem: told nothing but what the columns hold, and without labels, the product's one model finds the duplicates of public
 * sets as well as was promised; the bench reports these figures by their agreed names.
 */
import { describe, expect, test } from 'vitest'
import { DATA_DIRECTORY, DATA_SETS, loadSet } from '../../../bench/duplicates/data-sets.ts'
import { judge } from '../../../bench/duplicates/judge.ts'
import { pairKey, pairsOfGroups, scoreOf } from '../../../bench/duplicates/score.ts'
import { DUPLICATE_FIGURES, duplicatesReportOf } from '../../../bench/duplicates.ts'
import { systemClock } from '../../../engine/clock.ts'

/** The largest set takes as long as all other tests of the folder. */
const SETS = DATA_SETS.filter(
  ({ name }) => name !== 'febrl3' || process.env['HEADWATER_TEST_LONG'] !== undefined,
)

describe('public sets', () => {
  for (const set of SETS) {
    const loaded = loadSet(set)
    if (loaded === undefined)
      console.warn(
        `skipped, there are no data files in ${DATA_DIRECTORY} (set HEADWATER_TEST_DATA): ${set.name}`,
      )
    test.skipIf(loaded === undefined)(`${set.name}`, () => {
      if (loaded === undefined) return
      const judged = judge(loaded, systemClock)
      const figures = duplicatesReportOf(new Map([[set.name, judged]]), { commit: '', machine: {} }).results
      const own = figures.filter(({ name }) => name.startsWith(set.name))
      expect(own.map(({ met }) => met)).toEqual([true, true, true])
      expect(judged.converged).toBe(true)
      const bound = DUPLICATE_FIGURES.find(({ name }) => name === `${set.name}_f1`)?.atLeast ?? 1
      expect(judged.proposed.f1).toBeGreaterThanOrEqual(bound)
    })
  }
})

describe('the bench', () => {
  test('reports the agreed names and targets, measured or not', () => {
    const results = duplicatesReportOf(new Map(), { commit: '', machine: {} }).results
    expect(results.map(({ name, target }) => `${name} ${target}`)).toEqual([
      'febrl3_f1 >= 0.99',
      'febrl3_precision none',
      'febrl3_recall none',
      'fake_1000_f1 >= 0.84',
      'fake_1000_precision none',
      'fake_1000_recall none',
      'restaurants_f1 >= 0.9',
      'restaurants_precision none',
      'restaurants_recall none',
    ])
  })

  test('judges as precision and recall are defined', () => {
    const truth = pairsOfGroups([['a', 'b', 'c'], ['x', 'y'], ['alone']])
    expect(truth.size).toBe(4)
    const found = new Set([pairKey('b', 'a'), pairKey('c', 'b'), pairKey('x', 'a')])
    const score = scoreOf(found, truth)
    expect(score).toMatchObject({ right: 2, wrong: 1, missed: 2, recall: 0.5 })
    expect(score.precision).toBeCloseTo(2 / 3, 12)
    expect(score.f1).toBeCloseTo(4 / 7, 12)
    expect(scoreOf(new Set(), truth).f1).toBe(0)
  })
})
