/** Theorem: a process that is killed while it rebuilds does nothing any more, however many orders it still had. */
import { expect, test } from 'vitest'
import { goesOn } from './goes-on.ts'
import { type Script, type Step, scriptOf } from './script.ts'
import { simulate } from './world.ts'

const REST_MS = 3_000
const scripts = Array.from({ length: 12 }, (_, seed) => scriptOf(seed)).filter(({ log }) => log !== 'blocks')

test.each(scripts.map((script) => [script.seed, script] as const))('seed %i', async (_seed, script) => {
  const { violation, seen } = await simulate(killedWhileItRebuilds(script))
  expect(violation).toBeUndefined()
  expect([...seen.keys()]).toContain('killed: a build was half made')
  expect(await goesOn()).toBe(false)
})

/** Everything is sent and folded; then come two orders and the end. */
function killedWhileItRebuilds(script: Script): Script {
  const sends = script.steps.filter(({ kind }) => kind === 'send')
  const atMs = (sends.at(-1)?.atMs ?? 0) + REST_MS
  const orders = [0, 1].map((n): Step => {
    return { kind: 'order', order: 'rebuild', projection: n, number: 1_000 + n, atMs }
  })
  const crash: Step = { kind: 'crash', downMs: 100, number: 1_002, atMs }
  return { ...script, steps: [...sends, ...orders, crash] }
}
