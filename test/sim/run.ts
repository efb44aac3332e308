import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { systemClock } from '../../engine/clock.ts'
import { BUGS } from './bugs.ts'
import { reportOf } from './report.ts'
import { scriptOf } from './script.ts'
import { simulate } from './world.ts'

/**
 * `node test/sim/run.ts --seed 7`: one run, told in full. `--count 500`: so many from there on, told where something
 * doesn't hold. `--seconds 80`: no longer than that. `--progress FILE`: goes on behind the last seed that the file names,
 * and keeps it up to date. `--bug apply_twice`: with a bug planted.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '0' },
    count: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '1000000000' },
    progress: { type: 'string' },
    bug: { type: 'string' },
  },
})
const TOLD_MS = 15_000
const from = Number(values.seed)
const count = Number(values.count)
const seconds = Number(values.seconds)
const plant = values.bug === undefined ? undefined : BUGS[values.bug]
const isSound = [from, count, seconds].every((each) => Number.isSafeInteger(each) && each >= 0)
if (!isSound || (values.bug !== undefined && !plant)) {
  console.error(
    'usage: [--seed N] [--count N] [--seconds N] [--progress FILE] [--bug NAME]; bugs:',
    Object.keys(BUGS).join(', '),
  )
  process.exit(2)
}

const startedMs = systemClock.monotonicMs()
const first = Math.max(from, doneBefore() + 1)
let toldMs = startedMs
let seed = first
let failed = 0
for (; seed < from + count && systemClock.monotonicMs() - startedMs < seconds * 1_000; seed++) {
  const outcome = await simulate(scriptOf(seed), plant?.(seed))
  if (count === 1) {
    for (const line of outcome.trace.lines) console.log(line)
    console.log(`seed ${seed}: ${outcome.events} events, trace ${outcome.trace.digest()}`)
  }
  if (outcome.violation !== undefined) {
    failed += 1
    console.log(await reportOf(seed, outcome, plant))
  }
  if (values.progress !== undefined) writeFileSync(values.progress, `${seed}\n`)
  if (systemClock.monotonicMs() - toldMs < TOLD_MS) continue
  toldMs = systemClock.monotonicMs()
  tell(seed + 1)
}
if (count > 1) tell(seed)
process.exitCode = failed === 0 ? 0 : 1

/** The last seed that an earlier call has tried. */
function doneBefore(): number {
  if (values.progress === undefined || !existsSync(values.progress)) return -1
  return Number(readFileSync(values.progress, 'utf8'))
}

function tell(next: number): void {
  const perSecond = (next - first) / ((systemClock.monotonicMs() - startedMs) / 1_000)
  const found = failed === 0 ? 'all holds' : `${failed} failed`
  console.log(`seeds ${first} to ${next - 1}: ${found}, ${perSecond.toFixed(1)} seeds a second`)
}
