import { parseArgs } from 'node:util'
import { BUGS } from './bugs.ts'
import { reportOf } from './report.ts'
import { scriptOf } from './script.ts'
import { simulate } from './world.ts'

/**
 * `node test/sim/run.ts --seed 7`: one run, told in full. `--count 500`: so many from there on, told where something
 * doesn't hold. `--bug apply_twice`: with a bug planted.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '0' },
    count: { type: 'string', default: '1' },
    bug: { type: 'string' },
  },
})
const first = Number(values.seed)
const count = Number(values.count)
const plant = values.bug === undefined ? undefined : BUGS[values.bug]
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || (values.bug !== undefined && !plant)) {
  console.error('usage: [--seed N] [--count N] [--bug NAME]; bugs:', Object.keys(BUGS).join(', '))
  process.exit(2)
}

let failed = 0
for (let seed = first; seed < first + count; seed++) {
  const outcome = await simulate(scriptOf(seed), plant?.(seed))
  if (count === 1) {
    for (const line of outcome.trace.lines) console.log(line)
    console.log(`seed ${seed}: ${outcome.events} events, trace ${outcome.trace.digest()}`)
  }
  if (outcome.violation === undefined) continue
  failed += 1
  console.log(await reportOf(seed, outcome, plant))
}
if (count > 1)
  console.log(`${count} seeds from ${first} on: ${failed === 0 ? 'all holds' : `${failed} failed`}`)
process.exitCode = failed === 0 ? 0 : 1
