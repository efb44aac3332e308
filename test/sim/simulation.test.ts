/**
 * Theorem: whatever crashes, power cuts, repetitions, delays, jumps of the clock, full and failing disks, upgrades, rules,
 * definitions, decisions, merges, cuts, erasures and orders of operators happen to the engine, and in whatever order: what
 * was acknowledged is in the log once, with its content, where the answer said; nothing else is; checkpoints only go forward;
 * readers see no less than they ask for; held builds serve only when they are told to; the read models, whenever a process has
 * ended and at rest, equal a plain fold of the log from its beginning by what was published; a rebuild comes to the same
 * digests; what is folded as of an earlier moment is what was served then; and what has ended does nothing any more.
 */
import { describe, expect, test } from 'vitest'
import { goesOn } from './goes-on.ts'
import { reportOf } from './report.ts'
import { scriptOf } from './script.ts'
import { shardOf } from './shard.ts'
import { simulate } from './world.ts'

const LONG = process.env['HEADWATER_TEST_LONG'] !== undefined
const SEEDS = LONG ? 10_000 : 200
const A_TEST = LONG ? 250 : 50
const { shard, of } = shardOf(process.env['HEADWATER_TEST_SHARD'])

const seen = new Map<string, number>()

describe('simulated engine', () => {
  for (let first = shard * A_TEST; first < SEEDS; first += of * A_TEST) {
    test(`seeds ${first} to ${first + A_TEST - 1}`, { timeout: 600_000 }, async () => {
      for (let seed = first; seed < first + A_TEST; seed++) {
        const outcome = await simulate(scriptOf(seed))
        if (outcome.violation !== undefined) expect.fail(await reportOf(seed, outcome))
        for (const [what, count] of outcome.seen) seen.set(what, (seen.get(what) ?? 0) + count)
      }
      expect(await goesOn(), 'what has ended goes on').toBe(false)
    })
  }

  test('everything that it is made of has happened', () => {
    expect([...seen.keys()]).toEqual(expect.arrayContaining([...HAPPENINGS]))
  })

  test('the same seed is the same run', async () => {
    for (const seed of [2, 3, 5, 8, 13]) {
      const runs = [await simulate(scriptOf(seed)), await simulate(scriptOf(seed))]
      const [first, second] = runs.map(({ trace }) => trace.digest())
      expect(first).toBe(second)
    }
    expect((await simulate(scriptOf(2))).trace.digest()).not.toBe(
      (await simulate(scriptOf(3))).trace.digest(),
    )
  })
})

const HAPPENINGS: readonly string[] = [
  // Once in two hundred runs or so.
  ...(LONG ? ['a torn tail was cut'] : []),
  'appended',
  'duplicate',
  'quarantined id_reused',
  'quarantined invalid_data',
  'quarantined schema_newer',
  'quarantined suppressed',
  'refused clock_jumped',
  'refused overloaded',
  'refused read_only',
  'refused wrong_expected',
  'build building',
  'look',
  'order rebuild',
  'order switch',
  'order refused: NothingWaits',
  'order refused: NoBuildBefore',
  'the past as it was seen',
  'verified',
  'the past as it had happened',
  'refused stopped',
  'erasure',
  'step upgrade',
  'step pressure',
  'killed: a commit of the read models was under way',
  'killed: an erasure was under way',
  'killed: blocks are durable that nobody was told of',
  'killed: blocks are lost',
  'killed: events were appended and not durable',
  'killed: the power went too',
  'killed: a build was half made',
]
