import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import * as E from 'fp-ts/lib/Either.js'
import { describe, expect } from 'vitest'
import { importFile } from '../../api/import/import.ts'
import { loadMapping } from '../../api/import/mapping.ts'
import { createNatsSender } from '../../api/import/nats-sender.ts'
import type { Sender } from '../../api/import/sender.ts'
import { systemClock } from '../../engine/clock.ts'
import { openPublisher } from '../../engine/intake/nats/publisher.ts'
import { type EngineProcess, READ_TOKEN } from './engine-process.ts'
import { describeNats } from './nats-server.ts'

/** What the tests on real files share: where the files are, how they get into an engine, and how figures are asked for. */

const DATA =
  process.env['HEADWATER_TEST_DATA'] ?? join(import.meta.dirname, '..', '..', '..', 'shared', 'data')
const MAPPINGS = join(import.meta.dirname, '..', '..', 'api', 'import', 'mappings')

/** A row of an answer. */
export type Figure = Readonly<Record<string, unknown>>

export function realFiles(pattern: string): string[] {
  return existsSync(DATA)
    ? globSync(pattern, { cwd: DATA })
        .sort()
        .map((name) => join(DATA, name))
    : []
}

/** A suite that needs all these files and a nats-server; without them it is skipped, and said so by name. */
export function describeReal(name: string, needs: readonly (readonly string[])[], suite: () => void): void {
  if (needs.every((found) => found.length > 0)) {
    describeNats(name, suite)
    return
  }
  console.warn(`skipped, there are no data files in ${DATA} (set HEADWATER_TEST_DATA): ${name}`)
  describe.skip(name, suite)
}

/** Imports a file over NATS and expects that nothing is refused. Answers how many events the file came to. */
export async function importReal(
  file: string,
  mapping: string,
  natsUrl: string,
  through: (sender: Sender) => Sender,
): Promise<number> {
  const compiled = orThrow(await loadMapping(join(MAPPINGS, mapping)))
  const publisher = await openPublisher(natsUrl, 5_000)
  const sender = through(createNatsSender(publisher, { source: compiled.mapping.source, target: natsUrl }))
  const report = orThrow(await importFile({ mapping: compiled, file, sender, clock: systemClock }))
  await sender.close()
  expect({ file, refused: report.refusedRows, quarantined: report.quarantined }).toEqual({
    file,
    refused: 0,
    quarantined: 0,
  })
  return report.appended + report.duplicates
}

/** Waits until the read models hold everything up to this position. */
export async function settledAt(engine: EngineProcess, last: number): Promise<void> {
  // The wait of one request is bounded, so this asks again.
  for (let tries = 0; tries < 30; tries++) {
    const answer = await engine
      .get<{ position: number }>(`/v1/projections?after=${last}`)
      .catch(() => undefined)
    if (answer !== undefined && answer.position >= last) return
  }
  throw new Error(`the read models did not reach position ${last}:\n${engine.output}`)
}

export async function figuresOf(engine: EngineProcess, path: string): Promise<Figure[]> {
  return (await engine.get<{ data: Figure[] }>(path)).data
}

/** Every row of a collection, page by page. */
export async function allRows(engine: EngineProcess, path: string): Promise<Figure[]> {
  const found: Figure[] = []
  let cursor: string | undefined
  do {
    const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page = await engine.get<{ data: Figure[]; next: string | null }>(`${path}?limit=500${next}`)
    found.push(...page.data)
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  return found
}

export async function profilesOf(
  engine: EngineProcess,
  identities: readonly string[],
): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = []
  for (let from = 0; from < identities.length; from += 1_000) {
    const body = JSON.stringify({ identities: identities.slice(from, from + 1_000) })
    const answer = await engine.post('/v1/profiles/lookup', body, { authorization: `Bearer ${READ_TOKEN}` })
    expect(answer.status).toBe(200)
    const { data } = (await answer.json()) as { data: ({ id: string } | null)[] }
    found.push(...data.map((row) => row?.id))
  }
  return found
}

export function orThrow<T>(result: E.Either<unknown, T>): T {
  if (E.isLeft(result)) throw new Error(JSON.stringify(result.left))
  return result.right
}
