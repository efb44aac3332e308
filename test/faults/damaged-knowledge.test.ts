import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Engine } from '../../api/engine.ts'
import { publishedConfiguration } from '../../api/published-configuration.ts'
import { registry } from '../../engine/events/registry.ts'
import { LostSources } from '../../engine/intake/lost-sources.ts'
import type { IntakeResult } from '../../engine/intake/result.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { RANKED_BY } from '../../projections/ranking.ts'
import { flip, openInstallation, temporary } from '../backup/support.ts'
import { openAt, send } from '../erasure/support.ts'
import { intakeWorld } from '../support/intake-world.ts'

// Theorem: damage where the engine's own knowledge stands costs that knowledge alone. The engine starts and says what it
// lost; it refuses the events of sources that were registered there, until they are registered again, and repetitions
// of events that stood there; it takes all others, and its writer isn't said to have stopped. Explanations do without
// configuration that can't be opened.

let place: ReturnType<typeof temporary>
let engine: Engine | undefined
beforeEach(() => {
  place = temporary()
})
afterEach(async () => {
  await engine?.stop()
  engine = undefined
  place.remove()
})

const registration = (source: string, id: string) => ({
  ...{ id, source: 'steward', type: 'source.registered' },
  data: { source, default_country: 'GB', currency: 'GBP' },
})
const person = (source: string, id: string) => ({
  ...{ id, source, type: 'cdp.identify' },
  data: { userId: `u-${id}`, traits: { phone: '020 7946 0987' } },
})

/**
 * A data directory in whose first segment the last registration of `shop` and an event of `web` can't be read: `shop` and
 * `crm` were registered before it, and `crm` after it once more.
 */
async function damaged(): Promise<string> {
  const data = place.path('data')
  mkdirSync(data)
  const installed = await openInstallation(data)
  await installed.send(registration('shop', 'r1'), registration('crm', 'r2'))
  await installed.send(registration('shop', 'r3'), person('web', 'twin'))
  await installed.send(registration('crm', 'r4'), person('web', 'whole'))
  await installed.add(200)
  await installed.close()
  const log = join(data, 'log')
  const [name = ''] = readdirSync(log).filter((each) => each.endsWith('.hwl'))
  flip(join(log, name), readFileSync(join(log, name)).indexOf('twin'))
  return data
}

function fates(results: readonly IntakeResult[]): readonly string[] {
  return results.map((result) => (result.status === 'refused' ? result.refusal.code : result.status))
}

it('a damaged registration: the engine starts, and refuses what it can’t know', async () => {
  const opened = await openAt(await damaged())
  engine = opened.engine
  expect(opened.notices.join('\n')).toMatch(/^error .*positions 3 to 4 can't be read\. Events of sources/m)
  const ofEach = (id: string) => ['shop', 'crm', 'web'].map((source) => person(source, id))
  expect(fates(await send(engine, ...ofEach('a')))).toEqual(['log_damaged', 'appended', 'appended'])
  expect(engine.writer()).toBe('running')
  // In one batch as well as in the next: who is registered anew is known from then on.
  expect(fates(await send(engine, registration('shop', 'r5')))).toEqual(['appended'])
  expect(fates(await send(engine, ...ofEach('b')))).toEqual(['appended', 'appended', 'appended'])
  await engine.stop()
  engine = (await openAt(place.path('data'))).engine
  expect(fates(await send(engine, ...ofEach('c')))).toEqual(['appended', 'appended', 'appended'])
}, 60_000)

it('a repetition whose original is damaged: refused by itself, and the writer goes on', async () => {
  engine = (await openAt(await damaged())).engine
  const sent = [person('web', 'twin'), person('web', 'whole'), person('web', 'new')]
  expect(fates(await send(engine, ...sent))).toEqual(['log_damaged', 'duplicate', 'appended'])
  expect(fates(await send(engine, person('web', 'twin')))).toEqual(['log_damaged'])
  expect(engine.writer()).toBe('running')
}, 60_000)

it('damaged in two places: what was registered between them doesn’t make known what stood in the second', () => {
  const heads = new Map([['source-shop', 6]])
  const lost = new LostSources({
    streamHead: (stream) => {
      const position = heads.get(stream)
      return position === undefined ? undefined : { position, revision: 0 }
    },
  })
  lost.lose(2, 4)
  expect(lost.has('shop')).toBe(false)
  lost.registered('shop')
  lost.lose(5, 7)
  expect([lost.has('shop'), lost.has('crm')]).toEqual([true, false])
  lost.registered('shop')
  expect(lost.has('shop')).toBe(false)
})

it('configuration that can’t be opened configures nothing; what comes before and behind does', async () => {
  const world = intakeWorld()
  try {
    await world.send(registration('shop', 'r1'), registration('crm', 'r2'), registration('web', 'r3'))
    const configuration = publishedConfiguration(world.log, [{ configuredBy: RANKED_BY }], (recorded) => {
      if (recorded.id === 'r2') throw new Error('the seal is broken')
      return openEvent(recorded, world.keyStore, registry)
    })
    const known = async () => (await configuration()).all('source.registered').map(({ data }) => data.source)
    expect(await known()).toEqual(['shop', 'web'])
    await world.send(registration('crm', 'r4'))
    expect(await known()).toEqual(['crm', 'shop', 'web'])
  } finally {
    await world.close()
  }
})
