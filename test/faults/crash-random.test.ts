import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { run, type Script, scriptArbitrary } from './script.ts'

// Theorem: whatever is appended, however the disk fails, and wherever the process dies or the power goes, again and
// again: every acknowledged event is there once, in order, at its position, with its bytes; none is invented; one that
// wasn't acknowledged is there wholly or not at all; and the log opens, unless a fault hits the opening itself.

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const RUNS = LONG ? 5_000 : 100

/** A failure prints a script: it goes into test/regressions/ as it is. */
it(
  'loses, cuts, doubles and invents nothing',
  async () => {
    const acknowledged: number[] = []
    await fc.assert(
      fc.asyncProperty(scriptArbitrary, async (script) => {
        acknowledged.push((await run(script)).acknowledged)
      }),
      {
        numRuns: RUNS,
        reporter: report,
        // Elsewhere the machine may be busy: fewer runs then, the same ones first.
        ...(LONG ? {} : { seed: 20_240_101, interruptAfterTimeLimit: 8_000 }),
      },
    )
    // A run that acknowledges nothing proves nothing.
    expect(acknowledged.filter((count) => count > 5).length).toBeGreaterThan(acknowledged.length / 3)
  },
  LONG ? 3_600_000 : 60_000,
)

function report(details: fc.RunDetails<[Script]>): void {
  if (!details.failed) return
  throw new Error(
    `seed ${details.seed}, run ${details.numRuns}: ${details.errorInstance}\n${JSON.stringify(details.counterexample?.[0])}`,
    { cause: details.errorInstance },
  )
}
