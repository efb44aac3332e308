/**
 * Theorem: the simulation finds what it is there to find. Each planted bug (a dropped checkpoint, an event applied twice, a
 * lost last block, a forgotten cut …) breaks something that it checks within a few seeds, and what it reports is shorter than
 * the run that it was found in.
 */
import { describe, expect, test } from 'vitest'
import { BUGS } from './bugs.ts'
import { reportOf } from './report.ts'
import { scriptOf } from './script.ts'
import { simulate } from './world.ts'

/** Seeds that a bug may take to be found, from seed 0 on; those that show only in certain circumstances take more. */
const MOST_SEEDS = 10
const MORE_SEEDS: Readonly<Record<string, number>> = {
  skip_an_erasure: 40,
  answer_too_early: 30,
  forget_a_cut: 20,
  switch_unasked: 60,
  past_sees_too_much: 20,
  ignore_identity_rules: 20,
}

describe('planted bugs', () => {
  for (const [name, plant] of Object.entries(BUGS)) {
    test(`${name} is found`, async () => {
      const most = MORE_SEEDS[name] ?? MOST_SEEDS
      let seed = 0
      while (seed < most && (await simulate(scriptOf(seed), plant(seed))).violation === undefined) seed++
      expect(seed, `not found in ${most} seeds`).toBeLessThan(most)
    })
  }

  test('a report names seed, step, what differs and the command, and leaves out what has no part in it', async () => {
    const plant = BUGS['lose_the_last_block']
    let seed = 0
    let outcome = await simulate(scriptOf(seed), plant?.(seed))
    while (outcome.violation === undefined) {
      seed += 1
      outcome = await simulate(scriptOf(seed), plant?.(seed))
    }
    const report = await reportOf(seed, outcome, plant)
    expect(report).toContain(`npm run sim -- --seed ${seed}`)
    expect(report).toContain(outcome.violation)
    const [, steps] = /in (\d+) steps/.exec(report) ?? []
    expect(Number(steps)).toBeLessThanOrEqual(3)
  })
})
