/**
 * Theorem: a simulated year depends on its options alone, byte for byte; ids are unique but for repetitions, which are the
 * same bytes; and the year is one that is worth looking at: deals in every stage, open cases, revenue in every month, all
 * five systems, late events, and nobody's real address or number.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../bench/simulator/noise.ts'
import { dramaPhone } from '../../bench/simulator/people.ts'
import { createRandom } from '../../bench/simulator/random.ts'
import { DEFAULT_PEOPLE, simulateYear } from '../../bench/simulator/year.ts'

const END = Date.UTC(2026, 10, 21, 12)
const options = { seed: 1, end: END, people: 400 }
const year = simulateYear(options)

const STAGES = [
  'prospecting',
  'qualification',
  'needs_analysis',
  'value_proposition',
  'decision_makers',
  'perception_analysis',
  'proposal',
  'negotiation',
  'opportunity.won',
  'opportunity.lost',
]

interface Sent {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly time: string
  readonly data: Readonly<Record<string, unknown>>
}

const parse = ({ json }: Delivery): Sent => JSON.parse(json)
const bytes = (deliveries: readonly Delivery[]): string => deliveries.map(({ json }) => json).join('\n')
const events = year.deliveries.filter(({ kind }) => kind === 'event').map(parse)
const ofType = (type: string): readonly Sent[] => events.filter((event) => event.type === type)

describe('the same options', () => {
  it('give the same bytes in the same order', () => {
    const again = simulateYear(options)
    expect(bytes(again.setup)).toBe(bytes(year.setup))
    expect(bytes(again.deliveries)).toBe(bytes(year.deliveries))
    expect(again.story).toEqual(year.story)
  })

  it('do so for any of them, and another seed gives another year with the same story', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000_000), fc.integer({ min: 1, max: 12 }), (seed, people) => {
        const first = simulateYear({ seed, people, end: END })
        expect(bytes(simulateYear({ seed, people, end: END }).deliveries)).toBe(bytes(first.deliveries))
        const other = simulateYear({ seed: seed + 1, people, end: END })
        expect(bytes(other.deliveries)).not.toBe(bytes(first.deliveries))
        expect(other.story).toEqual(first.story)
      }),
      { numRuns: 10 },
    )
  })

  it('with one person more leave the others as they were', () => {
    const lives = (people: number): ReadonlySet<string> =>
      new Set(
        simulateYear({ ...options, people })
          .deliveries.filter(({ id }) => /^p000(0\d|1[0-9])-/.test(id))
          .map(({ json }) => json),
      )
    expect(lives(31)).toEqual(lives(30))
  })
})

describe('ids', () => {
  it('are unique under their source, but for repetitions, which are the same bytes later on', () => {
    const seen = new Map<string, string>()
    for (const { source, id, json, kind } of [...year.setup, ...year.deliveries]) {
      const before = seen.get(`${source} ${id}`)
      if (kind === 'repetition') expect(before).toBe(json)
      if (kind === 'event') expect(before, `${source} ${id}`).toBeUndefined()
      if (kind === 'event') seen.set(`${source} ${id}`, json)
    }
    expect(year.deliveries.filter(({ kind }) => kind === 'repetition').length).toBeGreaterThan(100)
    expect(year.deliveries.filter(({ kind }) => kind === 'defect')).toHaveLength(5)
  })
})

describe('the year', () => {
  it('lies in the 365 days before its end', () => {
    for (const { time } of [...year.setup.map(parse), ...events]) {
      const at = Date.parse(time)
      expect(at).toBeGreaterThanOrEqual(year.calendar.start)
      expect(at).toBeLessThan(END)
    }
    const { beforeBuying } = year.story
    expect(Date.parse(beforeBuying)).toBeGreaterThan(year.calendar.start)
    expect(Date.parse(beforeBuying)).toBeLessThan(END)
  })

  it('comes from five registered systems, some of it days late', () => {
    const systems = ['crm', 'erp', 'marketing', 'support', 'web']
    expect([...new Set(events.map(({ source }) => source))].sort()).toEqual(systems)
    const registered = year.setup.map(parse)
    expect(registered.map(({ data }) => data['source']).sort()).toEqual(systems)
    for (const { data } of registered)
      expect(data).toMatchObject({ currency: 'GBP', time_zone: 'Europe/London' })
    expect(registered.map(({ data }) => data['priority']).sort()).toEqual([1, 2, 3, 4, 5])
    let newest = 0
    let late = 0
    for (const { time } of events) {
      if (Date.parse(time) < newest - 3_600_000) late += 1
      newest = Math.max(newest, Date.parse(time))
    }
    expect(late).toBeGreaterThan(events.length / 100)
    expect(late).toBeLessThan(events.length / 10)
  })

  it('has, at the usual size, deals standing in every stage, won and lost ones, and open cases', () => {
    const usual = simulateYear({ ...options, people: DEFAULT_PEOPLE })
    expect(usual.deliveries.length).toBeGreaterThan(25_000)
    const sent = usual.deliveries.filter(({ kind }) => kind === 'event').map(parse)
    sent.sort((a, b) => (a.time < b.time ? -1 : 1))
    const stages = new Map<unknown, unknown>()
    const cases = new Map<unknown, string>()
    for (const { type, data } of sent) {
      if (type.startsWith('opportunity.')) {
        const closed = type === 'opportunity.won' || type === 'opportunity.lost' ? type : undefined
        stages.set(data['opportunity_id'], closed ?? data['to'] ?? data['stage'])
      }
      if (type.startsWith('case.')) cases.set(data['case_id'], type)
    }
    expect(new Set(stages.values())).toEqual(new Set(STAGES))
    const closed = [...cases.values()].filter((type) => type === 'case.closed')
    expect(closed.length).toBeGreaterThan(50)
    expect(cases.size - closed.length).toBeGreaterThan(15)
  })

  it('has revenue in every month and campaigns that people answer', () => {
    const months = new Set(ofType('erp.invoice_issued').map(({ time }) => time.slice(0, 7)))
    expect(months.size).toBeGreaterThanOrEqual(12)
    expect(ofType('marketing.campaign_launched').length).toBe(8)
    expect(ofType('marketing.campaign_member_status_changed').length).toBeGreaterThan(5)
    expect(ofType('consent.revoked').length).toBeGreaterThan(0)
  })

  it('names nobody who exists: reserved domains, numbers kept for drama', () => {
    const all = bytes([...year.setup, ...year.deliveries])
    const addresses = all.match(/[\w.+-]+@[\w.-]+/g) ?? []
    expect(addresses.length).toBeGreaterThan(1_000)
    expect(addresses.filter((each) => !/@([\w-]+\.example|example\.(com|org|net))$/.test(each))).toEqual([])
    const known = new Set(Array.from({ length: 3_000 }, (_, index) => dramaPhone(index)))
    const numbers = [...all.matchAll(/"phone":"([^"]*)"/g)].map(([, number = '']) =>
      number.replace(/^0/, '+44 '),
    )
    expect(numbers.length).toBeGreaterThan(100)
    expect(numbers.filter((each) => !known.has(each))).toEqual([])
  })

  it('gives no two people one number', () => {
    const owners = new Map<string, string>()
    for (const { key, phone, billingPhone } of year.people) {
      for (const number of new Set([phone, billingPhone])) {
        if (number === undefined) continue
        expect(owners.get(number) ?? key, number).toBe(key)
        owners.set(number, key)
      }
    }
    expect(owners.size).toBeGreaterThan(50)
    expect(dramaPhone(13_000)).toBeUndefined()
  })
})

describe('random numbers', () => {
  it('are spread evenly, and within the bounds asked for', () => {
    const random = createRandom('a seed')
    const counts = Array.from({ length: 10 }, () => 0)
    for (let i = 0; i < 10_000; i++) {
      const number = random.integer(3, 12)
      counts[number - 3] = (counts[number - 3] ?? Number.NaN) + 1
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150)
    const heavy = Array.from({ length: 1_000 }, () =>
      random.weighted([
        ['a', 9],
        ['b', 1],
      ] as const),
    )
    expect(heavy.filter((each) => each === 'a').length).toBeGreaterThan(850)
    expect(heavy).toContain('b')
  })
})
