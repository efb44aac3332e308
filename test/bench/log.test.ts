/**
 * Theorem: the library benches report exactly the agreed names, compare contenders within the same round and with the same
 * events, and give every contender the same unique events of the stated size; a fabricated log is a whole log; a page
 * keeps the sections of all other questions.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { librarySection } from '../../bench/library-page.ts'
import { openCheckedLog } from '../../bench/log/checked-log.ts'
import {
  BATCH_EVENTS,
  type BenchEvent,
  bodyOf,
  createEventMaker,
  PERSON_EVENTS,
  personId,
  populationOf,
  TYPES,
} from '../../bench/log/events.ts'
import { noLogFindings } from '../../bench/log/findings.ts'
import type { Contender } from '../../bench/log/peers/peer.ts'
import { logPlanOf } from '../../bench/log/plan.ts'
import { interleave, medianRatio, rateOf } from '../../bench/log/rounds.ts'
import { logReportOf } from '../../bench/log.ts'
import { fabricateLog } from '../../bench/open/fabricate.ts'
import { OPEN_FIGURES } from '../../bench/open.ts'
import { sectionHeading, withSection } from '../../bench/results-file.ts'
import { manualClock } from '../../engine/clock.ts'

const NAMES = [
  'append_1000_events_per_s',
  'append_1000_vs_bare',
  'append_1000_vs_sqlite',
  'append_1000_vs_postgres',
  'append_1000_vs_emmett',
  'append_10m_vs_100k',
  'duplicate_bytes_per_event',
  'append_1_vs_raw',
  'append_64_writers_events_per_s',
  'append_64_writers_p99_ms',
  'read_events_per_s',
  'skip_vs_read',
  'stream_read_p99_ms',
  'sealed_events_per_s',
  'proofs_per_s',
  'verify_mb_per_s',
]
const ABOUT = { commit: '0123456789ab', machine: { cores: 2 } }

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'headwater-bench-test-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('figures', () => {
  test('have the agreed names, of a quick run as of a full one, measured or not', () => {
    expect(logReportOf(noLogFindings(), ABOUT).results.map(({ name }) => name)).toEqual(NAMES)
    expect(OPEN_FIGURES.map(({ name }) => name)).toEqual(['open_10gb_ms'])
    expect(Object.keys(logPlanOf(true))).toEqual(Object.keys(logPlanOf(false)))
  })
})

describe('events', () => {
  const maker = createEventMaker(100 * PERSON_EVENTS)
  const events = Array.from({ length: 10 }, (_, i) => maker.batch(i * BATCH_EVENTS)).flat()

  test('are unique by source and id and by stream and revision, which counts from 0 without gaps', () => {
    expect(new Set(events.map(({ source, id }) => `${source} ${id}`)).size).toBe(events.length)
    const next = new Map<string, number>()
    for (const { stream, revision } of events) {
      expect(revision).toBe(next.get(stream) ?? 0)
      next.set(stream, revision + 1)
    }
  })

  test('have 300 bytes on average, ten types that are mixed, and a received that never decreases', () => {
    const sizes = events.map((event) => {
      const { id, source, stream, type } = event
      return bodyOf(event).length + JSON.stringify({ id, source, stream, type }).length
    })
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length
    expect(mean).toBeGreaterThan(285)
    expect(mean).toBeLessThan(315)
    for (let k = 0; k < events.length; k += TYPES.length) {
      expect(new Set(events.slice(k, k + TYPES.length).map(({ type }) => type)).size).toBe(TYPES.length)
    }
    for (let i = 1; i < events.length; i++) {
      expect(events[i]?.received).toBeGreaterThanOrEqual(events[i - 1]?.received ?? 0)
    }
  })

  test('give everybody in the population the same number of events, in ten visits or spread evenly', () => {
    const count = 100_000
    const wide = createEventMaker(count)
    const places = new Map<string, number[]>()
    for (let k = 0; k < count; k++) {
      const id = wide.make(k).identities[0]?.id ?? ''
      places.set(id, [...(places.get(id) ?? []), Math.floor(k / BATCH_EVENTS)])
    }
    const { visitors, spread } = populationOf(count)
    expect(places.size).toBe(count / PERSON_EVENTS)
    for (const [[from, until], batches] of [
      [visitors, 10],
      [spread, PERSON_EVENTS],
    ] as const) {
      for (let person = from; person < until; person++) {
        const place = places.get(personId(person)) ?? []
        expect([place.length, new Set(place).size]).toEqual([PERSON_EVENTS, batches])
      }
    }
  })
})

/** Takes so many milliseconds for a batch, on a clock of the test's. */
function contenderOf(name: string, ms: number, inFlight: number, clock: ReturnType<typeof manualClock>) {
  const given: number[] = []
  let underWay = 0
  let most = 0
  const contender: Contender = {
    name,
    inFlight,
    append: async (_batch, index) => {
      given.push(index)
      most = Math.max(most, ++underWay)
      await Promise.resolve()
      clock.advance(ms)
      underWay--
    },
    close: async () => undefined,
  }
  return { contender, given, most: () => most }
}

const batch = (events: number): readonly BenchEvent[] => createEventMaker(events).batch(0).slice(0, events)

describe('rounds', () => {
  test('a rate counts what became durable within the time, each batch handed out once', async () => {
    const clock = manualClock(0)
    const { contender, given, most } = contenderOf('a', 10, 3, clock)
    const batches = Array.from({ length: 20 }, () => batch(100))
    expect(await rateOf(contender, batches, clock)).toBe((20 * 100 * 1_000) / 200)
    expect(given.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect(most()).toBe(3)
    const slow = contenderOf('b', 100, 1, clock)
    expect(await rateOf(slow.contender, batches, clock, 250)).toBe(1_000)
    expect(slow.given).toHaveLength(3)
  })

  test('the first one only warms up, who begins rotates, all are given the same', async () => {
    const clock = manualClock(0)
    const [a, b] = [contenderOf('a', 1, 1, clock).contender, contenderOf('b', 1, 1, clock).contender]
    const seen: string[] = []
    const rates = await interleave(
      [a, b],
      2,
      (round) => [batch(round + 1)],
      async ({ name }, batches) => {
        seen.push(`${name}${batches[0]?.length}`)
        return (name === 'a' ? 6 : 2) * (batches[0]?.length ?? 0)
      },
    )
    expect(seen).toEqual(['a1', 'b1', 'b2', 'a2', 'a3', 'b3'])
    expect(rates).toEqual(new Map(Object.entries({ a: [12, 18], b: [4, 6] })))
    expect(medianRatio(rates, 'a', 'b')).toBe(3)
    const short = await interleave(
      [a],
      9,
      () => [batch(1)],
      async () => 1,
      () => true,
    )
    expect(short.get('a')).toEqual([1])
  })

  test('a ratio is the median of the ratios within rounds, not the ratio of medians; without a peer there is none', () => {
    const rates = new Map(Object.entries({ log: [100, 10, 30], peer: [50, 1, 30] }))
    expect(medianRatio(rates, 'log', 'peer')).toBe(2)
    expect(medianRatio(rates, 'log', 'nobody')).toBeUndefined()
  })
})

describe('the checked log', () => {
  test('stores what it is given and refuses an event that comes twice, in a batch, under way or stored', async () => {
    const log = await openCheckedLog(join(directory, 'checked'))
    const maker = createEventMaker(10_000)
    const first = maker.batch(0)
    const [event] = first
    if (event === undefined) throw new Error('a batch has events')
    await log.append(first, 0)
    expect(log.log.head().position).toBe(BATCH_EVENTS)
    await expect(log.append([event], 0)).rejects.toThrow('twice')
    const second = maker.batch(BATCH_EVENTS)
    const underWay = log.append(second, 0)
    await expect(log.append(second.slice(0, 1), 0)).rejects.toThrow('twice')
    await underWay
    const third = maker.make(3 * BATCH_EVENTS)
    await expect(log.append([third, third], 0)).rejects.toThrow('twice')
    await log.close()
  })
})

describe('a fabricated log', () => {
  test('is a log: all of its blocks are whole, its ids differ, its streams too, and it can be appended to', async () => {
    const path = join(directory, 'fabricated')
    const maker = createEventMaker(100_000)
    const segmentBytes = 400_000
    const made = await fabricateLog(path, maker, 3 * segmentBytes, async () => undefined, { segmentBytes })
    expect(made.segments).toBeGreaterThanOrEqual(3)
    // Without an index every block is read and verified when it is opened.
    const { log, append, close } = await openCheckedLog(path, { segmentBytes, compression: 'off' })
    expect(log.head().position).toBe(made.events)
    const ids = new Set<string>()
    const revisions = new Map<string, number>()
    for await (const events of log.read()) {
      for (const { source, id, stream, revision } of events) {
        ids.add(`${source} ${id}`)
        expect(revision).toBe((revisions.get(stream) ?? -1) + 1)
        revisions.set(stream, revision)
      }
    }
    expect(ids.size).toBe(made.events)
    const later = maker.batch(90_000).map((event) => ({ ...event, received: log.head().received }))
    await append(later, 0)
    expect(log.head().position).toBe(made.events + BATCH_EVENTS)
    await close()
  })
})

describe('a page', () => {
  test('keeps the sections of other questions, replaces its own in place, and has every figure', () => {
    const section = (question: string, text: string): string => `${sectionHeading(question, 'x')}\n\n${text}`
    const main = section('main', '### Machine\n\n| a | b |\n')
    let page = withSection('', 'open', section('open', 'first'))
    page = withSection(page, 'main', main)
    page = withSection(page, 'log', section('log', 'second'))
    expect(page.match(/^## `[a-z]+`/gm)).toEqual(['## `main`', '## `log`', '## `open`'])
    const again = withSection(page, 'open', section('open', 'third'))
    expect(again).toBe(page.replace('first', 'third'))
    expect(withSection(again, 'open', section('open', 'third'))).toBe(again)
    expect(again).toContain(main.trim())
    const report = logReportOf(noLogFindings(), ABOUT)
    const text = librarySection({
      ...{ report, day: '2026-01-02', about: 'x', tables: [], notes: [], method: ['m'] },
      failures: ['peer PostgreSQL is missing: not installed'],
    })
    for (const name of NAMES) expect(text).toContain(`| ${name} | not measured |`)
    expect(text).toContain('**Failed:** peer PostgreSQL is missing')
    expect(text.match(/^## /gm)).toHaveLength(1)
  })
})
