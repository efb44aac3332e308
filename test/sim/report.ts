import type { Seams } from './life.ts'
import { type Script, type Step, scriptOf } from './script.ts'
import { type Outcome, simulate } from './world.ts'

type Plant = (seed: number) => Seams

/** Runs that shortening a script may take. */
const MOST_RUNS = 150

/** Why a seed failed, in as few steps as are easily found, and the command that replays it. */
export async function reportOf(seed: number, outcome: Outcome, plant?: Plant): Promise<string> {
  const fails = async (script: Script): Promise<boolean> =>
    (await simulate(script, plant?.(seed))).violation !== undefined
  const short = await shortened(scriptOf(seed), fails)
  const again = await simulate(short, plant?.(seed))
  return [
    `seed ${seed}, during step ${outcome.step}: ${outcome.violation}`,
    `in ${short.steps.length} steps (step ${again.step}): ${again.violation}`,
    ...short.steps.map((step) => `  ${told(step)}`),
    `replay it: npm run sim -- --seed ${seed}`,
  ].join('\n')
}

/** Leaves out parts, ever smaller ones, as long as what is left fails as well. */
async function shortened(script: Script, fails: (script: Script) => Promise<boolean>): Promise<Script> {
  let steps = script.steps
  let runs = 0
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < steps.length && runs < MOST_RUNS; ) {
      const fewer = [...steps.slice(0, from), ...steps.slice(from + size)]
      runs += 1
      if (await fails({ ...script, steps: fewer })) steps = fewer
      else from += size
    }
  }
  return { ...script, steps }
}

function told({ number, atMs, ...happening }: Step): string {
  const text = JSON.stringify(happening)
  return `${atMs} ms, step ${number}: ${text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)} …` : text}`
}

const MOST_TEXT = 600
