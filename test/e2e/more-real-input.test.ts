/**
 * Theorem: clicks, campaigns, baskets and incidents of real files, streamed through a real NATS server into a running
 * engine, come to the figures that plain code computes from the files: views, carts and purchases by hour, sessions,
 * members and answers of campaigns, what baskets cost, incidents by final state and priority whatever the order of rows.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Sender } from '../../api/import/sender.ts'
import type { NatsServer } from '../../api/nats-server.ts'
import { addTo, asCents, micros, readRows } from '../support/csv-totals.ts'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import { testNatsServer } from '../support/nats-server.ts'
import {
  allRows,
  describeReal,
  type Figure,
  figuresOf,
  importReal,
  profilesOf,
  realFiles,
  settledAt,
} from '../support/real-data.ts'

const CLICKS = realFiles('clickstream/taobao_user_behavior*.csv*')
const HOUSEHOLDS = realFiles('complete-journey/demographics*.csv*')
const CAMPAIGNS = realFiles('complete-journey/campaigns*.csv*')
const DESCRIPTIONS = realFiles('complete-journey/campaign_descriptions*.csv*')
const REDEMPTIONS = realFiles('complete-journey/coupon_redemptions*.csv*')
const BASKETS = realFiles('complete-journey/transactions_sample*.csv*')
const INCIDENTS = realFiles('support/incident_event_log*.csv*')
const NEEDS = [CLICKS, HOUSEHOLDS, CAMPAIGNS, DESCRIPTIONS, REDEMPTIONS, BASKETS, INCIDENTS]

type CsvRow = Readonly<Record<string, string>>

describeReal('real clicks, campaigns, baskets and incidents through NATS into an engine', NEEDS, () => {
  let directory: string
  let nats: NatsServer
  let engine: EngineProcess
  let last = 0
  const clicks = CLICKS.flatMap(readRows)
  const incidents = INCIDENTS.flatMap(readRows)
  const halves = firstHalves(incidents)

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'headwater-more-real-'))
    nats = await testNatsServer(directory, false)
    engine = new EngineProcess(await freePort(), join(directory, 'data'), { NATS_URL: nats.url })
    await engine.start()
    const half = join(directory, 'halves.csv')
    writeFileSync(half, csvOf(halves.toReversed()))
    const inputs = [
      ...CLICKS.map((file) => ({ file, mapping: 'taobao-clicks.json' })),
      ...HOUSEHOLDS.map((file) => ({ file, mapping: 'complete-journey-households.json' })),
      ...CAMPAIGNS.map((file) => ({ file, mapping: 'complete-journey-campaigns.json' })),
      ...DESCRIPTIONS.map((file) => ({ file, mapping: 'complete-journey-campaign-descriptions.json' })),
      ...REDEMPTIONS.map((file) => ({ file, mapping: 'complete-journey-redemptions.json' })),
      ...BASKETS.map((file) => ({ file, mapping: 'complete-journey-baskets.json' })),
      ...[...INCIDENTS, half].map((file) => ({ file, mapping: 'servicenow-incidents.json' })),
    ]
    await Promise.all(inputs.map(({ file, mapping }) => importReal(file, mapping, nats.url, watching)))
    await settledAt(engine, last)
  }, 600_000)

  afterAll(async () => {
    await engine?.kill('SIGKILL')
    await nats?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  function watching(sender: Sender): Sender {
    return {
      ...sender,
      async send(events, signal) {
        const outcome = await sender.send(events, signal)
        if (outcome._tag !== 'Sent') return outcome
        for (const { position } of outcome.results) last = Math.max(last, position ?? 0)
        return outcome
      },
    }
  }

  test('Taobao: views, carts, favourites and purchases by hour', async () => {
    const names: Record<string, string> = {
      pv: 'product_views',
      cart: 'cart_adds',
      fav: 'favourites',
      buy: 'purchases',
    }
    const expected: Record<string, number> = {}
    for (const row of clicks) {
      const hour = Math.floor(Number(row['timestamp']) / 3_600) * 3_600_000
      count(expected, `${new Date(hour).toISOString()} ${names[row['behavior_type'] ?? '']}`)
    }
    const actual: Record<string, number> = {}
    for (const row of await figuresOf(engine, '/v1/analytics/activity?by=hour&source=web')) {
      for (const name of Object.values(names)) count(actual, `${row['hour']} ${name}`, Number(row[name]))
    }
    expect(Object.keys(expected).length).toBeGreaterThan(4)
    expect(actual).toEqual(expected)
  })

  test('Taobao: sessions of each day', async () => {
    const seen = new Map<string, number[]>()
    for (const row of clicks) {
      const at = Number(row['timestamp'])
      const key = `${new Date(at * 1_000).toISOString().slice(0, 10)} ${row['user_id']}`
      seen.set(key, [...(seen.get(key) ?? []), at])
    }
    const expected: Record<string, { sessions: number; visitors: number }> = {}
    for (const [key, instants] of seen) {
      const day = key.slice(0, 10)
      const sorted = instants.sort((a, b) => a - b)
      const gaps = sorted.filter((at, i) => i > 0 && at - (sorted[i - 1] ?? 0) > 1_800).length
      const before = expected[day] ?? { sessions: 0, visitors: 0 }
      expected[day] = { sessions: before.sessions + gaps + 1, visitors: before.visitors + 1 }
    }
    const rows = await figuresOf(engine, '/v1/analytics/sessions?by=day')
    const actual = rows.map(({ day, sessions, visitors }) => [String(day), { sessions, visitors }] as const)
    expect(Object.fromEntries(actual)).toEqual(expected)
    expect(rows.reduce((sum, row) => sum + Number(row['events']), 0)).toBe(clicks.length)
  })

  test('Complete Journey: members, answers and people who answered, for each campaign', async () => {
    const members: Record<string, Set<string>> = {}
    const answered: Record<string, Set<string>> = {}
    const responses: Record<string, number> = {}
    for (const { campaign_id = '', household_id = '' } of CAMPAIGNS.flatMap(readRows)) {
      members[campaign_id] = (members[campaign_id] ?? new Set()).add(household_id)
    }
    for (const { campaign_id = '', household_id = '' } of REDEMPTIONS.flatMap(readRows)) {
      members[campaign_id] = (members[campaign_id] ?? new Set()).add(household_id)
      answered[campaign_id] = (answered[campaign_id] ?? new Set()).add(household_id)
      count(responses, campaign_id)
    }
    const expected = Object.entries(members).map(([campaign, people]) => [
      campaign,
      { members: people.size, responded: answered[campaign]?.size ?? 0, responses: responses[campaign] ?? 0 },
    ])
    const rows = await figuresOf(engine, '/v1/analytics/campaigns?by=campaign_id')
    const actual = rows.map((row) => [row['campaign_id'], pick(row, 'members', 'responded', 'responses')])
    expect(expected.length).toBeGreaterThan(10)
    expect(Object.fromEntries(actual)).toEqual(Object.fromEntries(expected))
    const redeemed = await figuresOf(engine, '/v1/analytics/campaigns?by=status')
    const people = Object.values(answered).reduce((sum, each) => sum + each.size, 0)
    expect(redeemed.find(({ status }) => status === 'redeemed')).toMatchObject({ memberships: people })
  })

  test('Complete Journey: campaigns with their type and days; households with what they are', async () => {
    const expected = DESCRIPTIONS.flatMap(readRows).map((row) => ({
      campaign_id: row['campaign_id'],
      type: row['campaign_type'],
      starts_on: row['start_date'],
      ends_on: row['end_date'],
    }))
    const rows = await allRows(engine, '/v1/campaigns')
    const actual = rows.map((row) => pick(row, 'campaign_id', 'type', 'starts_on', 'ends_on'))
    expect(sorted(actual)).toEqual(sorted(expected))
    const households = HOUSEHOLDS.flatMap(readRows).filter((_, i) => i % 40 === 0)
    for (const household of households) {
      const path = `/v1/profiles/${encodeURIComponent(`erp:${household['household_id']}`)}`
      const { data } = await engine.get<{ data: Figure }>(path)
      const stated = Object.entries(household).filter(([, value]) => value !== '')
      expect(data['traits']).toEqual(Object.fromEntries(stated))
    }
  })

  test('Complete Journey: revenue of baskets by month, and baskets of each household', async () => {
    const months = new Map<string, bigint>()
    const paid = new Map<string, bigint>()
    const baskets = new Map<string, Set<string>>()
    for (const row of BASKETS.flatMap(readRows)) {
      const { household_id = '', basket_id = '', transaction_timestamp = '' } = row
      const value = plain(row['sales_value'] ?? '')
      addTo(months, transaction_timestamp.slice(0, 7), value)
      addTo(paid, household_id, value)
      baskets.set(household_id, (baskets.get(household_id) ?? new Set()).add(basket_id))
    }
    const rows = await figuresOf(engine, '/v1/analytics/revenue?by=month&currency=USD')
    const actual = rows.map((row) => [String(row['month']), micros(String(row['amount']))] as const)
    expect(asCents(new Map(actual))).toEqual(asCents(months))
    const households = [...paid.keys()]
    const profiles = await profilesOf(
      engine,
      households.map((household) => `erp:${household}`),
    )
    const orders = new Map(
      (await allRows(engine, '/v1/orders')).map((row) => [`${row['id']} ${row['basis']}`, row]),
    )
    const found = households.map((household, i) => {
      const row = orders.get(`${profiles[i]} invoiced`)
      return [household, row?.['orders'], asCents(new Map([['', micros(String(row?.['net'] ?? '0'))]]))['']]
    })
    const expected = households.map((household) => [
      household,
      baskets.get(household)?.size,
      asCents(new Map([['', paid.get(household) ?? 0n]]))[''],
    ])
    expect(found).toEqual(expected)
  })

  test('incidents by final state and priority; halved ones too, though their rows came in reverse', async () => {
    const expected: Record<string, number> = {}
    for (const row of [...lastOfEach(incidents), ...lastOfEach(halves)]) {
      count(expected, `${row['incident_state']} ${row['priority']}`)
    }
    const rows = await figuresOf(engine, '/v1/analytics/cases?by=status,priority')
    const actual = rows.map((row) => [`${row['status']} ${row['priority']}`, Number(row['cases'])] as const)
    expect(Object.fromEntries(actual)).toEqual(expected)
    expect(Object.keys(expected).length).toBeGreaterThan(8)
  })

  test('incidents: reopened and reassigned as often as the desk counted, solved when it says', async () => {
    const final = lastOfEach(incidents)
    const sum = (column: string) => final.reduce((total, row) => total + Number(row[column]), 0)
    const solvedAt = solutions(incidents)
    const solved = final.filter((each) => solvedAt.has(each['number'] ?? ''))
    const seconds = solved.reduce(
      (total, each) => total + ((solvedAt.get(each['number'] ?? '') ?? 0) - minute(each['opened_at'])) * 60,
      0,
    )
    const [row] = await figuresOf(engine, '/v1/analytics/cases?by=&phase=closed')
    const closedHalves = lastOfEach(halves).filter((each) => each['incident_state'] === 'Closed')
    expect(closedHalves).toEqual([])
    expect(row).toEqual({
      cases: final.length,
      resolved: solved.length,
      reopenings: sum('reopen_count'),
      reassignments: sum('reassignment_count'),
      resolve_seconds: seconds,
    })
  })
})

function count(totals: Record<string, number>, key: string, by = 1): void {
  if (by !== 0) totals[key] = (totals[key] ?? 0) + by
}

function pick(row: Figure, ...names: string[]): Figure {
  return Object.fromEntries(names.map((name) => [name, row[name]]))
}

function sorted(rows: readonly Figure[]): readonly string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}

/** Millionths; a remainder of somebody's floating point (4.4e-16) is nothing. */
function plain(decimal: string): bigint {
  const exponent = /e-(\d+)$/i.exec(decimal)?.[1]
  return exponent !== undefined && Number(exponent) > 9 ? 0n : micros(decimal)
}

/** Minutes since 1970 of `D/M/YYYY HH:MM`. */
function minute(text = ''): number {
  const [day = 0, month = 0, year = 0, hour = 0, minutes = 0] = text.split(/[/ :]/).map(Number)
  return Date.UTC(year, month - 1, day, hour, minutes) / 60_000
}

/** When each incident was solved: as it says, else when it was first seen solved since it was last reopened. */
function solutions(rows: readonly CsvRow[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  const seen = new Set<string>()
  for (const row of rows) {
    const { number = '', incident_state = '', reopen_count = '', resolved_at = '?' } = row
    const first = !seen.has(`${number} ${reopen_count}`)
    if (resolved_at !== '?') found.set(number, minute(resolved_at))
    else if (incident_state === 'Resolved' && first) found.set(number, minute(row['sys_updated_at']))
    if (incident_state === 'Resolved') seen.add(`${number} ${reopen_count}`)
  }
  return found
}

/** Of each incident the row changed last; within a minute the greater sys_mod_count is the later. */
function lastOfEach(rows: readonly CsvRow[]): readonly CsvRow[] {
  const final = new Map<string, CsvRow>()
  for (const row of rows) {
    const known = final.get(row['number'] ?? '')
    if (known === undefined || order(row, known) > 0) final.set(row['number'] ?? '', row)
  }
  return [...final.values()]
}

function order(a: CsvRow, b: CsvRow): number {
  const minutes = minute(a['sys_updated_at']) - minute(b['sys_updated_at'])
  return minutes === 0 ? Number(a['sys_mod_count']) - Number(b['sys_mod_count']) : minutes
}

/** The first half of every fifth incident, under another number: those are seen before they are closed. */
function firstHalves(rows: readonly CsvRow[]): readonly CsvRow[] {
  const byNumber = new Map<string, CsvRow[]>()
  for (const row of rows) {
    const number = row['number'] ?? ''
    if (Number(number) % 5 === 0) byNumber.set(number, [...(byNumber.get(number) ?? []), row])
  }
  return [...byNumber].flatMap(([number, all]) =>
    all.slice(0, Math.floor(all.length / 2)).map((row) => ({ ...row, number: `half ${number}` })),
  )
}

function csvOf(rows: readonly CsvRow[]): string {
  const quoted = (cell: string) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
  const lines = rows.map((row) => Object.values(row).map(quoted).join(','))
  return `${[Object.keys(rows[0] ?? {}).join(','), ...lines].join('\n')}\n`
}
