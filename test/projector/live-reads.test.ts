/**
 * Theorem: what a projector answers from memory for a key at a position is what the store answers once exactly that much
 * is folded and committed, whatever of it is in a commit that is under way; nobody who asks is left without an answer; and
 * folding on while a commit is written, or a crash in the middle of one, leaves the rows of one undisturbed fold.
 */
import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RecordedEvent } from '../../engine/events/event.ts'
import type { Log, LogReader } from '../../engine/log/log.ts'
import type { LiveAnswer } from '../../engine/projector/live-reads.ts'
import type { AnyProjection } from '../../engine/projector/projection.ts'
import type { StoreReader } from '../../engine/store/store.ts'
import { oneRow } from '../../engine/store/table.ts'
import { projections as catalogue } from '../../projections/catalog.ts'
import { type IntakeWorld, intakeWorld } from '../support/intake-world.ts'
import { type Live, startLive, stepping, tickingClock } from '../support/live-projector.ts'
import { type ProjectorWorld, projectorWorld } from '../support/projector-world.ts'
import { SENT } from '../support/sent-events.ts'

/** Of each grain one at least, and no more: the fewer there are to write, the more commits there are. */
const PROJECTIONS = ['profile', 'customer_orders', 'opportunity', 'daily_events']
const projections = catalogue.filter(({ name }) => PROJECTIONS.includes(name))

/** New configuration now and then: it ends the commit under way. */
const EVENTS = fc
  .array(fc.tuple(SENT, fc.nat(9)), { minLength: 10, maxLength: 40 })
  .map((sent) =>
    sent.filter(([{ type }, n]) => type !== 'source.registered' || n === 0).map(([event]) => event),
  )

/** What the store answers for each key. */
type Values = ReadonlyMap<string, LiveAnswer>

interface Told {
  readonly keys: readonly string[]
  /** By position: before the configuration that came there is served, and after. */
  readonly values: readonly (readonly Values[])[]
  readonly rows: Awaited<ReturnType<ProjectorWorld['rows']>>
}

/** Sends the events, folds and commits all of them at once, and then one by one. */
async function told(world: IntakeWorld, sent: readonly object[]): Promise<Told> {
  const results = await world.send(...sent.map((event, n) => ({ ...event, id: `e${n}` })))
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['appended']))
  const whole = projectorWorld(world, projections)
  await whole.foldAll(quick(world))
  const rows = await whole.rows()
  const keys = new Set(['nobody', ...(await identitiesOf(world.log))])
  for (const name of PROJECTIONS) for (const { key } of rows[name] ?? []) keys.add(key)

  const views = projectorWorld(world, projections)
  const values: (readonly Values[])[] = [[]]
  for (let position = 1; position <= world.log.head().position; position++) {
    const prefix = { ...quick(world), log: prefixOf(world.log, position) }
    await views.foldTo(position, prefix)
    const before = await valuesOf(views.reader, keys)
    await views.foldTo(position, prefix)
    values.push([before, await valuesOf(views.reader, keys)])
  }
  return { keys: [...keys], values, rows }
}

/** So that nobody waits for events to gather. */
function quick(world: IntakeWorld): IntakeWorld {
  return { ...world, clock: { ...world.clock, ...tickingClock(world.clock, 10) } }
}

async function identitiesOf(log: LogReader): Promise<ReadonlySet<string>> {
  const ids = new Set<string>()
  for await (const batch of log.read())
    for (const { identities } of batch) for (const { id } of identities) ids.add(id)
  return ids
}

/** The log as it was at a position. */
function prefixOf(log: Log, position: number): Log {
  const cut = async function* (batches: AsyncIterable<readonly RecordedEvent[]>) {
    for await (const batch of batches) {
      const kept = batch.filter((event) => event.position <= position)
      if (kept.length > 0) yield kept
    }
  }
  return {
    ...bound(log),
    head: () => ({ ...log.head(), position }),
    read: (options) => cut(log.read(options)),
    subscribe: (options) => cut(log.subscribe(options)),
  }
}

function bound(log: Log): Log {
  return {
    head: () => log.head(),
    read: (options) => log.read(options),
    readBackwards: (options) => log.readBackwards(options),
    at: (position) => log.at(position),
    subscribe: (options) => log.subscribe(options),
    close: () => log.close(),
    append: (events, options) => log.append(events, options),
    streamHead: (stream) => log.streamHead(stream),
    idCandidates: (source, id) => log.idCandidates(source, id),
    readStream: (stream, options) => log.readStream(stream, options),
    readIdentity: (id, options) => log.readIdentity(id, options),
  }
}

async function valuesOf(reader: StoreReader, keys: Iterable<string>): Promise<Values> {
  const values = new Map<string, LiveAnswer>()
  for (const key of keys) values.set(key, await reader.get(PROJECTIONS, key))
  return values
}

function expectTold({ values }: Told, key: string, { build, ...found }: LiveAnswer): void {
  const [name, ...others] = found.value.rows.keys()
  // The store was asked for all read models at once, and so names no build.
  if (name === undefined || others.length > 0) expect(build).toBeUndefined()
  else expect(build).toMatch(`${name}__`)
  const wanted = (values[found.position] ?? []).map((each) => only(found, each.get(key)))
  // Compared with the last if with none, for its difference to be shown.
  if (!wanted.some((each) => isDeepStrictEqual(each, found))) expect(found).toEqual(wanted.at(-1))
}

/** What is told of the read models that were found. */
function only({ value: { rows } }: LiveAnswer, all: LiveAnswer | undefined): LiveAnswer | undefined {
  if (all === undefined) return undefined
  const asked = [...rows.keys()].map((name) => [name, all.value.rows.get(name) ?? []] as const)
  return { ...all, value: { ...all.value, rows: new Map(asked) } }
}

const ASKED_AT_ONCE = 5

type Hear = (key: string, found: LiveAnswer) => void

/** Asks for one key after the other, over and over, whatever the projector is about. */
async function pester(live: Live, keys: readonly string[], hear: Hear): Promise<void> {
  let hasEnded = false
  const ended = live.ended.finally(() => {
    hasEnded = true
  })
  for (let n = 0; !hasEnded; n++) {
    for (let ask = 0; ask < ASKED_AT_ONCE; ask++) {
      const key = keys[(n * ASKED_AT_ONCE + ask) % keys.length] ?? ''
      const found = live.readNow({ projections: PROJECTIONS, key })
      if (found !== undefined) hear(key, found)
    }
    await setImmediate()
  }
  await ended.catch(() => undefined)
}

let world: IntakeWorld
beforeEach(() => {
  world = intakeWorld()
})
afterEach(() => world.close())

describe('over the whole catalogue', () => {
  test('at any moment, and for any position that is waited for: what a store answers there that went no further', async () => {
    let [early, whileWriting] = [0, 0]
    await fc.assert(
      fc.asyncProperty(EVENTS, fc.constantFrom(0.5, 1.1, 2.1), async (sent, stepMs) => {
        const own = intakeWorld()
        const all = await told(own, sent)
        const views = projectorWorld(own, projections)
        let isWriting = false
        const stored: Promise<LiveAnswer>[] = []
        const live = startLive({
          world: own,
          projections,
          writer: stepping(views.store.writer, () => {
            isWriting = true
          }),
          clock: tickingClock(own.clock, stepMs),
          onCommit: ({ position }) => {
            isWriting = false
            // Before the next commit is done, so that what this one wrote is seen.
            if (position > 0) stored.push(...all.keys.map((key) => views.reader.get(['profile'], key)))
          },
        })
        const waiting = sent.map(async (_, n) => {
          const key = all.keys[n % all.keys.length] ?? ''
          const found = await live.read({ projections: PROJECTIONS, key, after: n + 1 })
          if (found === undefined) return
          expect(found.position).toBeGreaterThan(n)
          expectTold(all, key, found)
        })
        const heard: (readonly [string, LiveAnswer])[] = []
        const pestering = pester(live, all.keys, (key, found) => {
          const committed = live.commits.at(-1) ?? 0
          if (found.position > committed) early += 1
          if (found.position > committed && isWriting) whileWriting += 1
          heard.push([key, found])
        })
        await Promise.all(waiting)
        // It would end a commit that is under way in one go if it were stopped now.
        while (live.commits.at(-1) !== sent.length) await setImmediate()
        await live.stop()
        await pestering
        for (const [key, found] of heard) expectTold(all, key, found)
        for (const [n, found] of (await Promise.all(stored)).entries())
          expectTold(all, all.keys[n % all.keys.length] ?? '', found)
        // Builds of configuration that came last may not have been switched to when it stopped.
        await views.foldAll(quick(own))
        expect(await views.rows()).toEqual(all.rows)
        await own.close()
      }),
      { numRuns: 12 },
    )
    // Else nothing was proved of what isn't committed.
    expect(Math.min(early, whileWriting)).toBeGreaterThan(50)
  })

  test('a crash in the middle of a commit: nobody waits in vain, and a fresh start comes to the same rows', async () => {
    let crashes = 0
    await fc.assert(
      fc.asyncProperty(EVENTS, fc.integer({ min: 1, max: 60 }), async (sent, crashAt) => {
        const own = intakeWorld()
        await own.send(...sent.map((event, n) => ({ ...event, id: `e${n}` })))
        const views = projectorWorld(own, projections)
        let steps = 0
        const writer = stepping(views.store.writer, () => {
          steps += 1
          if (steps === crashAt) throw new Error('pulled the plug')
        })
        const live = startLive({ world: own, writer, projections, clock: tickingClock(own.clock, 0.5) })
        const beyond = live.read({ projections: ['profile'], key: 'nobody', after: sent.length + 1 })
        const hasCrashed = await Promise.race([
          live.ended.catch(() => true),
          live.read({ projections: [], key: '', after: sent.length }).then(() => false),
        ])
        if (hasCrashed !== true) await live.stop().catch(() => undefined)
        expect(await beyond).toBeUndefined()
        if (steps === crashAt) {
          crashes += 1
          await expect(live.ended).rejects.toThrow('pulled the plug')
          expect(views.store.writer.checkpoint().position).toBe(live.commits.at(-1) ?? 0)
        }
        await views.foldAll(quick(own))
        const fresh = projectorWorld(own, projections)
        await fresh.foldAll(quick(own))
        expect(await views.rows()).toEqual(await fresh.rows())
        await own.close()
      }),
      { numRuns: 20 },
    )
    expect(crashes).toBeGreaterThan(10)
  })
})

describe('a read', () => {
  const identify = (id: string, userId: string, name: string) => ({
    id,
    source: 'web',
    type: 'cdp.identify',
    data: { userId, traits: { name } },
  })
  const nameOf = (found: LiveAnswer | undefined) => found?.value.rows.get('profile')?.[0]?.row['name']
  const user = (value: string) => world.keyStore.identify({ namespace: 'user', value })

  test('of what isn’t folded yet is answered when it is, before it is committed', async () => {
    const live = startLive({
      world,
      writer: projectorWorld(world).store.writer,
      // Stands still: no commit but by the real time that a batch may gather.
      clock: world.clock,
    })
    await world.send(identify('1', 'a', 'Ann'))
    const [key, projections] = [user('a'), ['profile']]
    expect(nameOf(await live.read({ projections, key, after: 1 }))).toBe('Ann')
    let isAnswered = false
    const second = live.read({ projections, key, after: 2 }).then((found) => {
      isAnswered = true
      return found
    })
    expect(nameOf(await live.read({ projections, key, after: 1 }))).toBe('Ann')
    expect(isAnswered).toBe(false)
    await world.send(identify('2', 'a', 'Anna'))
    expect(nameOf(await second)).toBe('Anna')
    expect(live.commits.at(-1)).toBeLessThan(2)
    await live.stop()
  })

  test('that still waits as the projector stops is answered undefined', async () => {
    const live = startLive({ world, writer: projectorWorld(world).store.writer, clock: world.clock })
    const waiting = [7, 8].map((after) => live.read({ projections: ['profile'], key: 'k', after }))
    await live.stop()
    expect(await Promise.all(waiting)).toEqual([undefined, undefined])
  })

  test('that nobody waits for any more is forgotten', async () => {
    const live = startLive({ world, writer: projectorWorld(world).store.writer, clock: world.clock })
    const heard: unknown[] = []
    const ask = (after: number) =>
      live.ask({
        projections: ['profile'],
        key: 'k',
        after,
        withinMs: 100,
        answer: (found) => heard.push(found),
      })
    ask(1_000)
    world.clock.advance(100)
    ask(2_000)
    await live.stop()
    expect(heard).toEqual([undefined])
  })

  test('while builds are switched is left to the store', async () => {
    const views = projectorWorld(world)
    await world.send(identify('1', 'a', 'Ann'), identify('2', 'b', 'Bob'))
    await views.foldAll()
    const during: (LiveAnswer | undefined)[] = []
    const live = startLive({
      world,
      writer: views.store.writer,
      clock: world.clock,
      onBuild: () => during.push(live.readNow({ projections: ['profile'], key: user('a') })),
    })
    await world.send({
      id: '3',
      source: 'crm',
      type: 'source.registered',
      data: { source: 'web', name: 'x', priority: 3 },
    })
    await live.read({ projections: [], key: '', after: 3 })
    await world.send(identify('4', 'a', 'Anna'))
    expect(nameOf(await live.read({ projections: ['profile'], key: user('a'), after: 4 }))).toBe('Anna')
    expect(new Set(during)).toEqual(new Set([undefined]))
    await live.stop()
  })

  test('of a row that can’t be stored shows none, as the store will', async () => {
    const views = projectorWorld(world, [moody])
    const live = startLive({ world, writer: views.store.writer, clock: world.clock, projections: [moody] })
    const ids = ['good', 'no day', 'throws']
    await world.send(...ids.map((id) => ({ id, source: id.replace(' ', '-'), type: 'made.up', data: {} })))
    const rows = await Promise.all(
      ['good', 'no-day', 'throws'].map(async (key) => {
        const found = await live.read({ projections: ['moody'], key, after: 3 })
        return found?.value.rows.get('moody')
      }),
    )
    await live.stop()
    expect(rows.map((each) => each?.length)).toEqual([1, 0, 0])
    for (const [n, key] of ['good', 'no-day', 'throws'].entries())
      expect((await views.reader.get(['moody'], key)).value.rows.get('moody')).toEqual(rows[n])
  })
})

/** Its rows are good, no rows that a store takes, or can't be made. */
const moody: AnyProjection = {
  name: 'moody',
  version: 1,
  handles: 'every',
  configuredBy: [],
  keys: (event) => [event.source],
  initial: () => '',
  reduce: (_state, event) => event.id,
  join: (a) => a,
  table: {
    grain: 'bucket',
    columns: { day: { type: 'day', about: 'A day.' } },
    indexes: [],
    rows(state) {
      if (state === 'throws') throw new RangeError('no rows')
      return oneRow({ day: state === 'good' ? '2026-03-01' : String(state) })
    },
  },
}
