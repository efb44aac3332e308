/**
 * Theorem: what the read models say after streaming real files through a real NATS server into an engine that is killed
 * again and again equals, to the cent, what plain code computes from the files; every acknowledged event is in the log,
 * at the position that was acknowledged, and no event is there twice.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Sender } from '../../api/import/sender.ts'
import type { NatsServer } from '../../api/nats-server.ts'
import { openEmbeddedLog } from '../../engine/log/embedded/embedded.ts'
import { addTo, asCents, micros, readRows } from '../support/csv-totals.ts'
import { EngineProcess, freePort } from '../support/engine-process.ts'
import { testNatsServer } from '../support/nats-server.ts'
import {
  allRows,
  describeReal,
  type Figure,
  figuresOf,
  importReal,
  orThrow,
  profilesOf,
  realFiles,
  settledAt,
} from '../support/real-data.ts'

const KILLS = 12

const RETAIL = realFiles('online-retail/*.csv*')
const PIPELINE = realFiles('crm-sales/sales_pipeline*.csv*')
const LEADS = realFiles('olist-funnel/olist_marketing_qualified_leads*.csv*')
const DEALS = realFiles('olist-funnel/olist_closed_deals*.csv*')
const NAME = 'real files through NATS into an engine that is killed on the way'

describeReal(NAME, [RETAIL, PIPELINE, LEADS, DEALS], () => {
  let directory: string
  let nats: NatsServer
  let engine: EngineProcess
  /** source and id → position, as acknowledged. */
  const acknowledged = new Map<string, number>()
  let kills = 0

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'headwater-real-'))
    nats = await testNatsServer(directory, false)
    engine = new EngineProcess(await freePort(), join(directory, 'data'), { NATS_URL: nats.url })
    await engine.start()
    await streamEverything()
  }, 600_000)

  afterAll(async () => {
    await engine?.kill('SIGKILL')
    await nats?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  async function streamEverything(): Promise<void> {
    const inputs = [
      ...RETAIL.map((file) => ({ file, mapping: 'online-retail.json' })),
      ...PIPELINE.map((file) => ({ file, mapping: 'crm-sales-pipeline.json' })),
      ...LEADS.map((file) => ({ file, mapping: 'olist-leads.json' })),
      ...DEALS.map((file) => ({ file, mapping: 'olist-deals.json' })),
    ]
    const rows = inputs.reduce((sum, { file }) => sum + readRows(file).length, 0)
    const killing = killOnTheWay(rows)
    await Promise.all(inputs.map(({ file, mapping }) => importReal(file, mapping, nats.url, remembering)))
    await killing
  }

  function remembering(sender: Sender): Sender {
    return {
      ...sender,
      async send(events, signal) {
        const outcome = await sender.send(events, signal)
        if (outcome._tag !== 'Sent') return outcome
        for (const [index, result] of outcome.results.entries()) {
          const event = events[index]
          if (event === undefined || result.position === undefined || result.status === 'refused') continue
          const { source, id } = JSON.parse(event.json) as { source: string; id: string }
          const before = acknowledged.get(`${source} ${id}`)
          if (before !== undefined) expect(result.position).toBe(before)
          acknowledged.set(`${source} ${id}`, result.position)
        }
        return outcome
      },
    }
  }

  /** At even steps of what is acknowledged, wherever the engine then is. */
  async function killOnTheWay(rows: number): Promise<void> {
    for (let kill = 1; kill <= KILLS; kill++) {
      while (acknowledged.size < (rows * kill) / (KILLS + 1))
        await new Promise((resolve) => setTimeout(resolve, 5))
      await engine.kill('SIGKILL')
      kills += 1
      await engine.start()
    }
  }

  async function settled(): Promise<void> {
    let last = 0
    for (const position of acknowledged.values()) last = Math.max(last, position)
    await settledAt(engine, last)
  }

  test('the engine was killed at least ten times while events arrived', async () => {
    expect(kills).toBeGreaterThanOrEqual(10)
    await settled()
  }, 400_000)

  test('Online Retail: revenue by month and country', async () => {
    const expected = new Map<string, bigint>()
    for (const row of RETAIL.flatMap(readRows)) {
      const amount = BigInt(row['Quantity'] ?? '') * micros(row['UnitPrice'] ?? '')
      addTo(expected, `${row['InvoiceDate']?.slice(0, 7)} ${row['Country']}`, amount)
    }
    const actual = new Map<string, bigint>()
    for (const row of await figuresOf(
      engine,
      '/v1/analytics/revenue?by=month,country&basis=invoiced&limit=500',
    )) {
      addTo(actual, `${row['month']} ${row['country']}`, micros(String(row['amount'])))
    }
    expect(expected.size).toBeGreaterThan(10)
    expect(asCents(actual)).toEqual(asCents(expected))
  })

  test('Online Retail: orders and returns of every customer', async () => {
    const orders = new Map<string, Set<string>>()
    const returns = new Map<string, Set<string>>()
    const net = new Map<string, bigint>()
    for (const row of RETAIL.flatMap(readRows)) {
      const [customer = '', invoice = ''] = [row['CustomerID'], row['InvoiceNo']]
      if (customer === '') continue
      addTo(net, customer, BigInt(row['Quantity'] ?? '') * micros(row['UnitPrice'] ?? ''))
      const kind = invoice.startsWith('C') ? returns : invoice.startsWith('A') ? undefined : orders
      kind?.set(customer, (kind.get(customer) ?? new Set()).add(invoice))
    }
    const customers = [...net.keys()].sort()
    const expected = customers.map((customer) => ({
      customer,
      orders: orders.get(customer)?.size ?? 0,
      returns: returns.get(customer)?.size ?? 0,
      net: asCents(new Map([['', net.get(customer) ?? 0n]]))[''],
    }))
    const profiles = await profilesOf(
      engine,
      customers.map((customer) => `erp:${customer}`),
    )
    const rows = new Map((await allRows(engine, '/v1/orders')).map((row) => [String(row['id']), row]))
    const actual = customers.map((customer, index) => {
      const row = rows.get(profiles[index] ?? '')
      return {
        customer,
        orders: row?.['orders'],
        returns: row?.['returns'],
        net: asCents(new Map([['', micros(String(row?.['net'] ?? '0'))]]))[''],
      }
    })
    expect(customers.length).toBeGreaterThan(100)
    expect(actual).toEqual(expected)
    expect(rows.size).toBe(customers.length)
  })

  test('CRM sales: pipeline value and count by stage and agent, and the win rate', async () => {
    const stages: Record<string, string> = {
      Won: 'closed_won',
      Lost: 'closed_lost',
      Engaging: 'engaging',
      Prospecting: 'prospecting',
    }
    const value = new Map<string, bigint>()
    const count = new Map<string, bigint>()
    for (const row of PIPELINE.flatMap(readRows)) {
      const key = `${stages[row['deal_stage'] ?? '']} ${row['sales_agent']}`
      addTo(value, key, micros(row['close_value'] || '0'))
      addTo(count, key, 1n)
    }
    const rows = await figuresOf(engine, '/v1/pipeline?by=stage,owner&limit=500')
    const actualValue = new Map<string, bigint>()
    const actualCount = new Map<string, bigint>()
    for (const row of rows) {
      addTo(actualValue, `${row['stage']} ${row['owner']}`, micros(String(row['amount'] ?? '0')))
      addTo(actualCount, `${row['stage']} ${row['owner']}`, BigInt(Number(row['count'])))
    }
    expect(asCents(actualValue)).toEqual(asCents(value))
    expect(Object.fromEntries(actualCount)).toEqual(Object.fromEntries(count))
    expect(winRate(actualCount)).toBe(winRate(count))
  })

  function winRate(count: ReadonlyMap<string, bigint>): number {
    const of = (stage: string) =>
      [...count].filter(([key]) => key.startsWith(`${stage} `)).reduce((sum, [, n]) => sum + Number(n), 0)
    return of('closed_won') / (of('closed_won') + of('closed_lost'))
  }

  test('Olist: leads and deals by origin', async () => {
    const origins = new Map<string, string>()
    const leads: Record<string, number> = {}
    const deals: Record<string, number> = {}
    for (const row of LEADS.flatMap(readRows)) {
      const origin = row['origin'] || 'none'
      origins.set(row['mql_id'] ?? '', origin)
      leads[origin] = (leads[origin] ?? 0) + 1
    }
    for (const row of DEALS.flatMap(readRows)) {
      const origin = origins.get(row['mql_id'] ?? '') ?? 'none'
      deals[origin] = (deals[origin] ?? 0) + 1
      if (!origins.has(row['mql_id'] ?? '')) leads[origin] = (leads[origin] ?? 0) + 1
    }
    const rows = await figuresOf(engine, '/v1/analytics/leads?by=origin&limit=500')
    const name = (row: Figure) => String(row['origin'] ?? 'none')
    expect(Object.fromEntries(rows.map((row) => [name(row), Number(row['leads'])]))).toEqual(leads)
    const converted = rows.filter((row) => Number(row['converted']) > 0)
    expect(Object.fromEntries(converted.map((row) => [name(row), Number(row['converted'])]))).toEqual(deals)
  })

  test('every acknowledged event is in the log where it was acknowledged, and none is there twice', async () => {
    expect(await engine.kill('SIGTERM')).toBe(0)
    const log = orThrow(await openEmbeddedLog(join(directory, 'data', 'log'), { workspace: 'default' }))
    const found = new Map<string, number>()
    let twice = 0
    for await (const batch of log.read()) {
      for (const { source, id, position } of batch) {
        if (found.has(`${source} ${id}`)) twice += 1
        found.set(`${source} ${id}`, position)
      }
    }
    await log.close()
    expect(twice).toBe(0)
    const lost = [...acknowledged].filter(([key, position]) => found.get(key) !== position)
    expect(lost).toEqual([])
    expect(acknowledged.size).toBeGreaterThan(1_000)
  }, 120_000)
})
