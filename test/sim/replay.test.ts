/**
 * Theorem: after whatever has happened in a run, `replay` of the whole log into files of its own comes, read model by read
 * model, to the digest of what the engine serves.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { replay } from '../../api/past/replay.ts'
import { systemClock } from '../../engine/clock.ts'
import { digestOf } from '../../engine/store/digest.ts'
import type { Rest } from './life.ts'
import { scriptOf } from './script.ts'
import { simulate } from './world.ts'

const SEEDS = process.env['HEADWATER_TEST_LONG'] === undefined ? 6 : 200

test('replayed after runs', { timeout: 600_000 }, async () => {
  let compared = 0
  for (let seed = 0; seed < SEEDS; seed++) {
    const ended = async (rest: Rest): Promise<void> => {
      compared += await compareReplayed(rest)
    }
    const { violation } = await simulate(scriptOf(seed), { ended })
    expect(violation).toBeUndefined()
  }
  expect(compared).toBeGreaterThan(SEEDS * 10)
})

/** Answers how many read models were compared: held ones may be of another configuration. */
async function compareReplayed({ log, store, release, open }: Rest): Promise<number> {
  const out = mkdtempSync(join(tmpdir(), 'headwater-replay-'))
  try {
    const snapshot = store.snapshot()
    const replayed = await replay({
      ...{ log, open, projections: release, out, clock: systemClock },
      moment: { by: 'received', ...log.head() },
      signal: new AbortController().signal,
      onProgress: () => undefined,
    })
    const serving = new Map(
      snapshot.builds.filter((each) => each.serving).map((each) => [each.projection, each]),
    )
    let compared = 0
    for (const { projection, version, configuration, digest } of replayed?.builds ?? []) {
      const served = serving.get(projection)
      if (served?.version !== version || served.configuration !== configuration) continue
      expect(digest, projection).toBe(digestOf(snapshot, served.build).digest)
      compared += 1
    }
    return compared
  } finally {
    rmSync(out, { recursive: true })
  }
}
