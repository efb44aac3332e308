/**
 * Theorem: each bundled mapping turns rows of its kind into exactly the events below, all of which the catalogue's codecs
 * accept, with no identity's value in an id or stream name, and the same ids in every import.
 */
import { afterAll, describe, expect, test } from 'vitest'
import { mapRows } from './mapped.ts'
import { bundled, idsOf, mapFile, temporaryFiles } from './support.ts'

const files = temporaryFiles()
afterAll(files.remove)
const mapped = (name: string, text: string) => mapRows(files, name, text)

describe('online-retail', () => {
  const HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n'

  test('invoice, credit note, adjustment, no customer, three decimals, summer time', async () => {
    const result = await mapped(
      'online-retail',
      `${HEADER}600001,10A,"LANTERN, ""RED""",6,2011-06-30 23:30:00,0.001,99001,EIRE\n` +
        'C600002,10A,,-6,2011-01-02 10:00:00,2.550,,France\n' +
        'A600003,B,Adjust bad debt,1,2011-08-12 14:50:00,-11062.06,,United Kingdom\n',
    )
    const common = { specversion: '1.0', source: 'erp', type: 'erp.invoice_issued' }
    expect(result.events).toEqual([
      {
        ...common,
        id: 'invoice-line:600001:#:0',
        time: '2011-06-30T22:30:00.000Z',
        sequence: 1,
        data: {
          invoice_id: '600001',
          kind: 'invoice',
          customer_id: '99001',
          currency: 'GBP',
          country: 'EIRE',
          issued_on: '2011-06-30',
          lines: [{ product_id: '10A', description: 'LANTERN, "RED"', quantity: 6, unit_price: '0.001' }],
        },
      },
      {
        ...common,
        id: 'invoice-line:C600002:#:0',
        time: '2011-01-02T10:00:00.000Z',
        sequence: 2,
        data: {
          invoice_id: 'C600002',
          kind: 'credit_note',
          currency: 'GBP',
          country: 'France',
          issued_on: '2011-01-02',
          lines: [{ product_id: '10A', quantity: -6, unit_price: '2.550' }],
        },
      },
      {
        ...common,
        id: 'invoice-line:A600003:#:0',
        time: '2011-08-12T13:50:00.000Z',
        sequence: 3,
        data: {
          invoice_id: 'A600003',
          kind: 'adjustment',
          currency: 'GBP',
          country: 'United Kingdom',
          issued_on: '2011-08-12',
          lines: [{ product_id: 'B', description: 'Adjust bad debt', quantity: 1, unit_price: '-11062.06' }],
        },
      },
    ])
    expect(result.prelude.map(({ type }) => type)).toEqual(['source.registered'])
  })

  test('exact duplicate lines are two events; other columns and order of columns are the same events', async () => {
    const line = (price: string) => `600001,10A,X,1,2011-01-01 10:00:00,${price},99001,EIRE\n`
    const mapping = await bundled('online-retail')
    const path = files.write('twice.csv', HEADER + line('1') + line('1') + line('2') + line('1'))
    const ids = idsOf(await mapFile(path, mapping))
    expect(new Set(ids).size).toBe(4)
    expect(ids.map((id) => id.at(-1))).toEqual(['0', '1', '0', '2'])
    const other = files.write(
      'order.csv',
      'Note,Country,CustomerID,UnitPrice,InvoiceDate,Quantity,Description,StockCode,InvoiceNo\n' +
        'n,EIRE,99001,1,2011-01-01 10:00:00,1,X,10A,600001\n',
    )
    expect(idsOf(await mapFile(other, mapping))).toEqual([ids[0]])
  })

  test('the customer is not in the id, not even hashed', async () => {
    const mapping = await bundled('online-retail')
    const line = (customer: string) => `600001,10A,X,1,2011-01-01 10:00:00,1,${customer},EIRE\n`
    const ids = await Promise.all(
      ['99001', '99002'].map(async (customer, i) =>
        idsOf(await mapFile(files.write(`customer-${i}.csv`, HEADER + line(customer)), mapping)),
      ),
    )
    expect(ids[0]).toEqual(ids[1])
  })

  test('rows that say nothing usable are refused one by one', async () => {
    const result = await mapped(
      'online-retail',
      `${HEADER}600001,10A,X,six,2011-01-01 10:00:00,1,99001,EIRE\n` +
        '600001,10A,X,6,2011-02-30 10:00:00,1,99001,EIRE\n' +
        '600001,10A,X,6,2011-01-01 10:00:00,"1,50",99001,EIRE\n' +
        '600001,10A,X,6,2011-01-01 10:00:00,1,99001\n' +
        ',10A,X,6,2011-01-01 10:00:00,1,99001,EIRE\n' +
        '600001,10A,X,6,2011-01-01 10:00:00,1,99001,EIRE\n',
    )
    expect(result.refused).toEqual([
      { line: 2, reason: 'not_a_number' },
      { line: 3, reason: 'not_a_time' },
      { line: 4, reason: 'not_a_decimal' },
      { line: 5, reason: 'ragged_row' },
      { line: 6, reason: 'blank_cell' },
    ])
    expect(result.events).toHaveLength(1)
  })
})

describe('crm-sales-pipeline', () => {
  const HEADER = 'opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n'

  test('every stage, the account once, nothing for a blank account', async () => {
    const result = await mapped(
      'crm-sales-pipeline',
      `${HEADER}AAA1,Ann Agent,GTXPro,Acme,Won,2016-10-20,2017-03-01,1054\n` +
        'AAA2,Bob Agent,MG Special,Acme,Lost,2016-10-25,2017-03-11,0\n' +
        'AAA3,Bob Agent,GTX Basic,,Engaging,2016-11-03,,\n' +
        'AAA4,Bob Agent,GTX Basic,Beta,Prospecting,,,\n',
    )
    const deal = (id: string, owner: string, product: string, account: string | undefined, rest: object) => ({
      opportunity_id: id,
      ...(account === undefined ? {} : { account_id: account }),
      owner,
      product,
      currency: 'USD',
      ...rest,
    })
    const shape = (type: string, id: string, sequence: number, data: object, time?: string) => ({
      specversion: '1.0',
      source: 'crm',
      type,
      id,
      sequence,
      ...(time === undefined ? {} : { time: `${time}T00:00:00.000Z` }),
      data,
    })
    expect(result.events).toEqual([
      shape('account.created', 'account-created:AAA1', 1, { account_id: 'Acme', name: 'Acme' }),
      shape(
        'opportunity.created',
        'opportunity-created:AAA1:#',
        2,
        deal('AAA1', 'Ann Agent', 'GTXPro', 'Acme', { stage: 'engaging' }),
        '2016-10-20',
      ),
      shape(
        'opportunity.won',
        'opportunity-won:AAA1:#',
        3,
        deal('AAA1', 'Ann Agent', 'GTXPro', 'Acme', {
          stage: 'closed_won',
          amount: '1054',
          close_date: '2017-03-01',
        }),
        '2017-03-01',
      ),
      shape(
        'opportunity.created',
        'opportunity-created:AAA2:#',
        6,
        deal('AAA2', 'Bob Agent', 'MG Special', 'Acme', { stage: 'engaging' }),
        '2016-10-25',
      ),
      shape(
        'opportunity.lost',
        'opportunity-lost:AAA2:#',
        8,
        deal('AAA2', 'Bob Agent', 'MG Special', 'Acme', {
          stage: 'closed_lost',
          amount: '0',
          close_date: '2017-03-11',
        }),
        '2017-03-11',
      ),
      shape(
        'opportunity.created',
        'opportunity-created:AAA3:#',
        10,
        deal('AAA3', 'Bob Agent', 'GTX Basic', undefined, { stage: 'engaging' }),
        '2016-11-03',
      ),
      shape('account.created', 'account-created:AAA4', 13, { account_id: 'Beta', name: 'Beta' }),
      shape(
        'opportunity.created',
        'opportunity-created:AAA4:#',
        14,
        deal('AAA4', 'Bob Agent', 'GTX Basic', 'Beta', { stage: 'prospecting' }),
      ),
    ])
  })

  test('the prelude publishes the stages that the events use', async () => {
    const { prelude } = await mapped('crm-sales-pipeline', HEADER)
    expect(prelude.map(({ type }) => type)).toEqual(['source.registered', 'stages.published'])
    const stages = prelude[1]?.data.stages as readonly { readonly id: string }[]
    expect(stages.map(({ id }) => id)).toEqual(['prospecting', 'engaging', 'closed_won', 'closed_lost'])
  })

  test('an unknown stage, and a closed deal without its day, are refused', async () => {
    const result = await mapped(
      'crm-sales-pipeline',
      `${HEADER}AAA1,A,P,Acme,Dreaming,2016-10-20,,\nAAA2,A,P,Acme,Won,2016-10-20,,10\n`,
    )
    expect(result.refused).toEqual([
      { line: 2, reason: 'no_lookup_entry' },
      { line: 3, reason: 'blank_cell' },
    ])
  })

  test('a deal that has moved on since the last export is new events beside the known ones', async () => {
    const mapping = await bundled('crm-sales-pipeline')
    const ids = async (name: string, row: string) =>
      idsOf(await mapFile(files.write(name, HEADER + row), mapping))
    const prospecting = await ids('p.csv', 'AAA1,A,P,,Prospecting,,,\n')
    const engaging = await ids('e.csv', 'AAA1,A,P,,Engaging,2017-01-01,,\n')
    const won = await ids('w.csv', 'AAA1,A,P,,Won,2017-01-01,2017-02-01,9\n')
    expect(engaging).not.toContain(prospecting[0])
    expect(won[0]).toBe(engaging[0])
    expect(won).toHaveLength(2)
  })
})

test('crm-sales-accounts', async () => {
  const result = await mapped(
    'crm-sales-accounts',
    'account,sector,year_established,revenue,employees,office_location,subsidiary_of\n' +
      'Acme Ltd,technolgy,1996,1100.04,2822,Kenya,\nBeta Ltd,medical,1999,251.41,495,Norway,Acme Ltd\n',
  )
  expect(result.events).toEqual([
    {
      specversion: '1.0',
      id: 'account:#:0',
      source: 'crm',
      type: 'account.updated',
      sequence: 1,
      data: {
        account_id: 'Acme Ltd',
        name: 'Acme Ltd',
        industry: 'technolgy',
        country: 'Kenya',
        employees: 2822,
        year_established: 1996,
        revenue_musd: '1100.04',
      },
    },
    {
      specversion: '1.0',
      id: 'account:#:0',
      source: 'crm',
      type: 'account.updated',
      sequence: 2,
      data: {
        account_id: 'Beta Ltd',
        name: 'Beta Ltd',
        industry: 'medical',
        country: 'Norway',
        employees: 495,
        parent: 'Acme Ltd',
        year_established: 1999,
        revenue_musd: '251.41',
      },
    },
  ])
})

const LEAD = 'a1'.repeat(16)
const PAGE = 'b2'.repeat(16)

test('olist-leads: blank origin omitted, days in São Paulo', async () => {
  const result = await mapped(
    'olist-leads',
    `mql_id,first_contact_date,landing_page_id,origin\n${LEAD},2017-10-15,${PAGE},\n${LEAD.replace('a', 'c')},2018-03-01,${PAGE},paid search\n12345,2018-03-01,${PAGE},email\n`,
  )
  const common = { specversion: '1.0', source: 'marketing', type: 'lead.created', id: 'lead-created:#' }
  expect(result.events).toEqual([
    { ...common, time: '2017-10-15T03:00:00.000Z', sequence: 1, data: { lead_id: LEAD, landing_page: PAGE } },
    {
      ...common,
      time: '2018-03-01T03:00:00.000Z',
      sequence: 2,
      data: { lead_id: LEAD.replace('a', 'c'), origin: 'paid search', landing_page: PAGE },
    },
  ])
  expect(result.refused).toEqual([{ line: 4, reason: 'guessable' }])
})

test('olist-deals: all columns kept', async () => {
  const header =
    'mql_id,seller_id,sdr_id,sr_id,won_date,business_segment,lead_type,lead_behaviour_profile,has_company,has_gtin,average_stock,business_type,declared_product_catalog_size,declared_monthly_revenue\n'
  const result = await mapped(
    'olist-deals',
    `${header}${LEAD},seller,sdr,sr,2018-02-26 19:58:54,pet,online big,"cat, wolf",True,False,5-20,reseller,400.0,10000.0\n`,
  )
  expect(result.events).toEqual([
    {
      specversion: '1.0',
      id: 'lead-converted:#',
      source: 'marketing',
      type: 'lead.converted',
      time: '2018-02-26T22:58:54.000Z',
      sequence: 1,
      data: {
        lead_id: LEAD,
        owner: 'sr',
        seller_id: 'seller',
        sdr_id: 'sdr',
        sr_id: 'sr',
        business_segment: 'pet',
        lead_type: 'online big',
        lead_behaviour_profile: 'cat, wolf',
        has_company: true,
        has_gtin: false,
        average_stock: '5-20',
        business_type: 'reseller',
        declared_product_catalog_size: '400.0',
        declared_monthly_revenue: '10000.0',
      },
    },
  ])
})
