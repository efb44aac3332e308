/**
 * Theorem: what is folded anew is what serves; what a rule is said to change before it is published is what it changes once
 * it is, row by row and column by column; and each explained value follows from an event that the log holds.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import { expect, test } from 'vitest'
import { type Candidate, readCandidate } from '../../api/versions/candidate.ts'
import { registry } from '../../engine/events/registry.ts'
import { DEFAULT_RULES } from '../../engine/identity/identity.ts'
import { openEvent } from '../../engine/privacy/sealing.ts'
import { type BuildDiff, diffBuilds, type Side } from '../../engine/projector/diff.ts'
import type { Configuration } from '../../engine/projector/projection.ts'
import { publishedIn } from '../../engine/projector/versions-configuration.ts'
import { foldAnew } from '../../engine/projector/versions-fold.ts'
import { prefixOf } from '../../engine/projector/versions-log.ts'
import { digestOf } from '../../engine/store/digest.ts'
import { createMemoryStore } from '../../engine/store/memory.ts'
import type { StoreSnapshot } from '../../engine/store/snapshot.ts'
import type { StoreWriter } from '../../engine/store/store.ts'
import { projections as catalogue } from '../../projections/catalog.ts'
import type { IntakeWorld } from '../support/intake-world.ts'
import { intakeWorld } from '../support/intake-world.ts'
import { SENT } from '../support/sent-events.ts'
import { servedRows, startRunning } from './running.ts'

const LONG_MS = 600_000

async function served(world: IntakeWorld, writer: StoreWriter): Promise<void> {
  const running = startRunning({ world, writer })
  await running.caughtUp()
  await running.stop()
}

const openIn = (world: IntakeWorld) => (event: Parameters<typeof openEvent>[0]) =>
  openEvent(event, world.keyStore, registry)

/** Everything anew, with a candidate as if it were published. */
async function anew(world: IntakeWorld, published: Candidate['events']): Promise<StoreWriter> {
  const { writer: store } = createMemoryStore()
  const { log, clock } = world
  const options = { projections: catalogue, rules: DEFAULT_RULES, open: openIn(world), published }
  const signal = new AbortController().signal
  await foldAnew({ log, store, clock, signal, onProgress: () => undefined, ...options }, log.head())
  return store
}

function side(snapshot: StoreSnapshot, name: string, config: Configuration): Side {
  const projection = catalogue.find((each) => each.name === name)
  const build = snapshot.builds.find((each) => each.projection === name && each.serving)?.build
  assert(projection !== undefined && build !== undefined)
  return { snapshot, build, projection, config }
}

const SHOWN = 1_000

type Sent = typeof SENT extends fc.Arbitrary<infer S> ? S : never
type Rules = typeof RULES extends fc.Arbitrary<infer R> ? R : never

async function diffs(world: IntakeWorld, from: StoreWriter, to: StoreWriter, published: Candidate['events']) {
  const all: BuildDiff[] = []
  const [left, right] = [from.snapshot(), to.snapshot()]
  for (const { name, configuredBy } of catalogue) {
    const log = world.log
    const own = await publishedIn(log, configuredBy, openIn(world))
    const other = await publishedIn(prefixOf(log, log.head(), published), configuredBy, openIn(world))
    all.push(diffBuilds(side(left, name, own), side(right, name, other), SHOWN))
  }
  return all
}

type Rows = ReturnType<typeof servedRows>

/** The rows that a diff says there will be, key and part first. */
function predicted(before: Rows, diff: BuildDiff, columns: readonly string[]): readonly string[] {
  const id = (key: string, part: string) => JSON.stringify([key, part])
  const rows = new Map(
    (before[diff.projection] ?? []).map(({ key, part, cells }) => [
      id(key, part),
      { key, part, cells: [...cells] },
    ]),
  )
  for (const { change, key, part, fields } of diff.sample) {
    const row = rows.get(id(key, part)) ?? { key, part, cells: columns.map(() => null) }
    for (const { column, to, type } of fields) row.cells[columns.indexOf(column)] = cellOf(type, to)
    if (change === 'removed') rows.delete(id(key, part))
    else rows.set(id(key, part), row)
  }
  return [...rows.values()].map((row) => JSON.stringify(row)).sort()
}

function cellOf(type: string, value: unknown) {
  if (value === null) return null
  if (type === 'json') return JSON.stringify(value)
  return typeof value === 'boolean' ? Number(value) : (value as string | number)
}

const PRIORITIES = fc.dictionary(fc.constantFrom('web', 'crm', 'erp'), fc.integer({ min: 1, max: 9 }), {
  minKeys: 1,
})
const STAGES = fc.constant([
  { id: 'prospecting', label: 'Prospecting', probability: 70, forecast_category: 'commit' },
  { id: 'closed_won', label: 'Won', probability: 100, forecast_category: 'closed', closed: 'won' },
])
const RULES = fc.oneof(
  PRIORITIES.map((rules) => ({ kind: 'priorities', rules })),
  STAGES.map((stages) => ({ type: 'stages.published', data: { stages } })),
  fc
    .constantFrom('first', 'latest')
    .map((rule) => ({ kind: 'survivorship', rules: { 'profile.name': { rule } } })),
  fc.constantFrom(1, 2).map((email) => ({ kind: 'identity', rules: { limits: { email } } })),
)

const named = (name: 'Ann' | 'Bob', day: number): Sent => ({
  ...{ type: 'cdp.identify', source: 'web', time: new Date(Date.UTC(2026, 0, day)).toISOString() },
  data: { userId: 'u1', traits: { name } },
})

/** Whatever chance brings, some rows change. */
const SURELY_CHANGED: [Sent[], Rules] = [
  [named('Ann', 1), named('Bob', 2)],
  { kind: 'survivorship', rules: { 'profile.name': { rule: 'first' } } },
]

test(
  'what is tried is what comes when it is published',
  async () => {
    let changes = 0
    await fc.assert(
      fc.asyncProperty(fc.array(SENT, { minLength: 5, maxLength: 40 }), RULES, async (sent, rules) => {
        const world = intakeWorld()
        await world.send(...sent.map((event, n) => ({ ...event, id: `e${n}` })))
        const { writer } = createMemoryStore()
        await served(world, writer)
        const before = servedRows(writer)
        expect(servedRows(await anew(world, []))).toEqual(before)

        const received = world.log.head().received
        const configuration = await publishedIn(world.log, ['source.registered'], openIn(world))
        const known = { registry, projections: catalogue, configuration, received, nowMs: received }
        const candidate = readCandidate(rules, known)
        if (E.isLeft(candidate)) throw new Error(JSON.stringify(candidate.left))
        const { events, projections } = candidate.right
        const tried = await diffs(world, writer, await anew(world, events), events)
        const head = world.log.head().position
        for (const diff of tried) {
          changes += diff.added + diff.removed + diff.changed
          if (!projections.includes(diff.projection))
            expect({ ...diff, from: '', to: '' }).toMatchObject({ added: 0, removed: 0, changed: 0 })
          for (const { fields } of diff.sample)
            for (const { because } of fields)
              for (const { position } of [...(because?.from ?? []), ...(because?.to ?? [])])
                expect(position >= 1 && position <= head).toBe(true)
        }

        const results = await world.send(
          ...events.map(({ type, data }, n) => ({
            id: `published${n}`,
            source: 'headwater-steward',
            type,
            data,
          })),
        )
        expect(results.map(({ status }) => status)).toEqual(events.map(() => 'appended'))
        await served(world, writer)
        const after = servedRows(writer)
        for (const diff of tried.filter(({ projection }) => projections.includes(projection))) {
          const columns = Object.keys(
            catalogue.find(({ name }) => name === diff.projection)?.table.columns ?? {},
          )
          const actual = (after[diff.projection] ?? []).map((row) => JSON.stringify(row)).sort()
          expect(predicted(before, diff, columns)).toEqual(actual)
        }
        await world.close()
      }),
      { numRuns: process.env['HEADWATER_TEST_LONG'] === undefined ? 10 : 200, examples: [SURELY_CHANGED] },
    )
    expect(changes).toBeGreaterThan(0)
  },
  LONG_MS,
)

test('a changed value names the events behind it, on both sides', async () => {
  const world = intakeWorld()
  const phone = (id: string, source: string, number: string) => ({
    ...{ id, source, type: 'cdp.identify', data: { userId: 'a', traits: { phone: number } } },
  })
  const register = (source: string, priority: number) => ({
    ...{ id: `r-${source}`, source: 'crm', type: 'source.registered', data: { source, priority } },
  })
  await world.send(
    register('web', 1),
    register('erp', 2),
    phone('from-web', 'web', '+442079460018'),
    phone('from-erp', 'erp', '+442079460019'),
  )
  const { writer } = createMemoryStore()
  await served(world, writer)
  const configuration = await publishedIn(world.log, ['source.registered'], openIn(world))
  const known = { registry, projections: catalogue, configuration, received: 0, nowMs: 0 }
  const candidate = readCandidate({ kind: 'priorities', rules: { web: 3 } }, known)
  assert(E.isRight(candidate))
  const { events } = candidate.right
  const tried = await diffs(world, writer, await anew(world, events), events)
  const profile = tried.find(({ projection }) => projection === 'profile')
  expect(profile).toMatchObject({ added: 0, removed: 0, changed: 1, rows: { from: 1, to: 1 } })
  expect(profile?.columns).toMatchObject({ phone: 1 })
  const field = profile?.sample[0]?.fields.find(({ column }) => column === 'phone')
  expect(field).toMatchObject({ from: '+442079460018', to: '+442079460019' })
  expect(field?.because?.from).toMatchObject([{ event: 'from-web', source: 'web', position: 3 }])
  expect(field?.because?.to).toMatchObject([{ event: 'from-erp', source: 'erp', position: 4 }])
  const digests = [writer, await anew(world, [])].map((store) => {
    const snapshot = store.snapshot()
    return catalogue.map(({ name }) => digestOf(snapshot, side(snapshot, name, configuration).build).digest)
  })
  expect(digests[0]).toEqual(digests[1])
  await world.close()
})

test('rules that could not be published are not tried', () => {
  const known = { registry, projections: catalogue, configuration: { all: () => [] }, received: 0, nowMs: 0 }
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /must be/],
    [{ kind: 'priorities', rules: { web: 'first' } }, /must be/],
    [{ kind: 'nonsense', rules: {} }, /./],
    [{ kind: 'survivorship', rules: { 'profile.nothing': { rule: 'latest' } } }, /./],
    [{ kind: 'identity', rules: { limit: {} } }, /./],
    [{ type: 'cdp.nothing', data: {} }, /no type/],
    [{ type: 'stages.published', data: { stages: 1 } }, /./],
    [{ type: 'cdp.page', data: {} }, /configures no read model/],
  ]
  for (const [body, message] of wrong) {
    const read = readCandidate(body, known)
    expect(E.isLeft(read) && read.left[0]?.message, JSON.stringify(body)).toMatch(message)
  }
})
