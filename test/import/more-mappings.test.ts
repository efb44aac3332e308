/**
 * Theorem: the mappings of clicks, campaigns, baskets and incidents turn rows of their kind into exactly the events below,
 * all of which the catalogue's codecs accept, with no identity's value in an id or stream name, and the same ids in every
 * import, exact duplicates included.
 */
import { afterAll, describe, expect, test } from 'vitest'
import { mapRows } from './mapped.ts'
import { bundled, idsOf, mapFile, temporaryFiles } from './support.ts'

const files = temporaryFiles()
afterAll(files.remove)
const mapped = (name: string, text: string) => mapRows(files, name, text)

/** Envelope properties that all events of a mapping share. */
const from = (source: string, type: string, id: string, time: string, sequence: number, data: object) => ({
  specversion: '1.0',
  source,
  type,
  id,
  time,
  sequence,
  data,
})

describe('taobao-clicks', () => {
  const HEADER = 'user_id,item_id,category_id,behavior_type,timestamp\n'

  test('views, carts, favourites, purchases, and whatever else may be there', async () => {
    const row = (kind: string) => `990011,1715,146,${kind},1511658000\n`
    const { events } = await mapped(
      'taobao-clicks',
      HEADER + ['pv', 'cart', 'fav', 'buy', 'share'].map(row).join(''),
    )
    const who = { userId: '990011' }
    const what = { product_id: '1715', category: '146' }
    const web = (type: string, id: string, sequence: number, data: object) =>
      from('web', type, id, '2017-11-26T01:00:00.000Z', sequence, { ...who, ...data })
    const order = { order_id: '1715-1511658000', products: [{ ...what, quantity: 1 }] }
    expect(events).toEqual([
      web('Product Viewed', 'pv:#:0', 1, what),
      web('Product Added', 'cart:#:0', 7, what),
      web('cdp.track', 'fav:#:0', 13, { event: 'Product Added to Wishlist', properties: what }),
      web('Order Completed', 'buy:#:0', 19, order),
      web('cdp.track', 'other:#:0', 25, { event: 'share', properties: what }),
    ])
  })

  test('the same click of two users in one second is two events', async () => {
    const mapping = await bundled('taobao-clicks')
    const text = `${HEADER}990011,1,2,pv,1511658000\n990012,1,2,pv,1511658000\n990011,1,2,pv,1511658000\n`
    const ids = idsOf(await mapFile(files.write('clicks.csv', text), mapping))
    expect(ids.map((id) => id.at(-1))).toEqual(['0', '1', '2'])
    expect(new Set(ids).size).toBe(3)
  })
})

describe('complete-journey', () => {
  test('households: all bands as traits, blanks left out', async () => {
    const { events, prelude } = await mapped(
      'complete-journey-households',
      'household_id,age,income,home_ownership,marital_status,household_size,household_comp,kids_count\n' +
        'H-9901,45-54,50-74K,Homeowner,,1,1 Adult No Kids,0\nH-9902,45-54,50-74K,Homeowner,,1,1 Adult No Kids,0\n',
    )
    const traits = {
      age: '45-54',
      income: '50-74K',
      home_ownership: 'Homeowner',
      household_size: '1',
      household_comp: '1 Adult No Kids',
      kids_count: '0',
    }
    const at = '2016-11-01T04:00:00.000Z'
    const loyalty = (id: string, sequence: number, household: string) => ({
      ...from('loyalty', 'cdp.identify', id, at, sequence, {
        traits: { household_id: household, ...traits },
      }),
      identities: [`erp:${household}`],
    })
    expect(events).toEqual([loyalty('household:#:0', 1, 'H-9901'), loyalty('household:#:1', 2, 'H-9902')])
    expect(prelude.map(({ type }) => type)).toEqual(['source.registered'])
  })

  test('memberships of a campaign, its days, and coupons redeemed on New York’s calendar', async () => {
    const members = await mapped(
      'complete-journey-campaigns',
      'campaign_id,household_id\n26,H-9901\n26,H-9902\n',
    )
    const joined = (id: string, sequence: number, household: string) =>
      from('loyalty', 'marketing.campaign_member_status_changed', id, '2016-11-01T04:00:00.000Z', sequence, {
        campaign_id: '26',
        customer_id: household,
        to: 'targeted',
      })
    expect(members.events).toEqual([
      joined('campaign-member:26:0', 1, 'H-9901'),
      joined('campaign-member:26:1', 2, 'H-9902'),
    ])

    const described = await mapped(
      'complete-journey-campaign-descriptions',
      'campaign_id,campaign_type,start_date,end_date\n26,Type B,2017-03-03,2017-04-09\n',
    )
    const campaign = { campaign_id: '26' }
    expect(described.events).toEqual([
      from('loyalty', 'marketing.campaign_created', 'campaign-created:26:#', '2017-03-03T05:00:00.000Z', 1, {
        ...campaign,
        name: 'Type B, campaign 26',
        type: 'Type B',
        starts_on: '2017-03-03',
        ends_on: '2017-04-09',
      }),
      from(
        'loyalty',
        'marketing.campaign_completed',
        'campaign-completed:26:#',
        '2017-04-09T04:00:00.000Z',
        2,
        campaign,
      ),
    ])

    const line = 'H-9901,51380041013,26,2017-07-01\n'
    const redeemed = await mapped(
      'complete-journey-redemptions',
      `household_id,coupon_upc,campaign_id,redemption_date\n${line}${line}`,
    )
    const redemption = (id: string, sequence: number) =>
      from('loyalty', 'marketing.campaign_member_status_changed', id, '2017-07-01T04:00:00.000Z', sequence, {
        ...campaign,
        customer_id: 'H-9901',
        to: 'redeemed',
        responded: true,
        coupon: '51380041013',
      })
    expect(redeemed.events).toEqual([redemption('redemption:26:#:0', 1), redemption('redemption:26:#:1', 2)])
  })

  test('baskets: a line’s total, exponents of floating point written out, the day in New York', async () => {
    const { events, refused } = await mapped(
      'complete-journey-baskets',
      'household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,coupon_disc,coupon_match_disc,week,transaction_timestamp\n' +
        'H-9901,309,31625220889,940996,3,3.86,0.43,0,0,5,2017-01-28 22:06:53\n' +
        ',309,31625220889,940996,0,4.440892e-16,0,0,0,5,2017-01-28 22:06:53\n' +
        'H-9901,309,31625220889,940996,1,1e400,0,0,0,5,2017-01-28 22:06:53\n',
    )
    const basket = (id: string, sequence: number, data: object) =>
      from('loyalty', 'erp.invoice_issued', id, '2017-01-29T03:06:53.000Z', sequence, {
        invoice_id: '31625220889',
        ...data,
        currency: 'USD',
        country: 'US',
        issued_on: '2017-01-28',
        store_id: '309',
      })
    const none = { retail_discount: '0', coupon_discount: '0', coupon_match_discount: '0' }
    const line = { product_id: '940996' }
    expect(events).toEqual([
      basket('basket-line:31625220889:#:0', 1, {
        customer_id: 'H-9901',
        lines: [{ ...line, quantity: 3, total: '3.86', ...none, retail_discount: '0.43' }],
      }),
      basket('basket-line:31625220889:#:0', 2, {
        lines: [{ ...line, quantity: 0, total: '0.0000000000000004440892', ...none }],
      }),
    ])
    expect(refused).toEqual([{ line: 4, reason: 'not_a_decimal' }])
  })
})

describe('servicenow-incidents', () => {
  const COLUMNS =
    'number,incident_state,active,reassignment_count,reopen_count,sys_mod_count,made_sla,caller_id,opened_by,opened_at,sys_created_by,sys_created_at,sys_updated_by,sys_updated_at,contact_type,location,category,subcategory,u_symptom,cmdb_ci,impact,urgency,priority,assignment_group,assigned_to,knowledge,u_priority_confirmation,notify,problem_id,rfc,vendor,caused_by,closed_code,resolved_by,resolved_at,closed_at'.split(
      ',',
    )
  const USUAL: Readonly<Record<string, string>> = {
    number: '0000045',
    active: 'true',
    reassignment_count: '0',
    reopen_count: '0',
    made_sla: 'true',
    caller_id: 'C-9901',
    opened_at: '29/2/2016 01:16',
    contact_type: 'Phone',
    priority: '3',
    closed_code: '5',
    resolved_at: '1/3/2016 11:29',
    closed_at: '5/3/2016 12:00',
  }
  const line = (state: string, mod: string, at: string, changes: Record<string, string> = {}) => {
    const cells = { ...USUAL, incident_state: state, sys_mod_count: mod, sys_updated_at: at, ...changes }
    return COLUMNS.map((name) => (Object.hasOwn(cells, name) ? Reflect.get(cells, name) : '?')).join(',')
  }
  const fileOf = (...lines: string[]) => `${[COLUMNS.join(','), ...lines].join('\n')}\n`

  test('a row is one event of the kind that it shows; hindsight waits until the incident is solved', async () => {
    const { events } = await mapped(
      'servicenow-incidents',
      fileOf(
        line('New', '0', '29/2/2016 01:23'),
        line('Active', '1', '29/2/2016 08:53', { reassignment_count: '1', assignment_group: '56' }),
        line('Active', '2', '29/2/2016 08:53', { reassignment_count: '1', assignment_group: '56' }),
        line('Awaiting User Info', '3', '29/2/2016 08:53'),
        line('-100', '4', '29/2/2016 08:54'),
        line('Resolved', '5', '1/3/2016 11:29'),
        line('Resolved', '6', '1/3/2016 11:30'),
        line('Active', '7', '2/3/2016 09:00', { reopen_count: '1' }),
        line('Closed', '8', '5/3/2016 12:00', { reopen_count: '1', made_sla: 'false' }),
      ),
    )
    const common = {
      case_id: '0000045',
      contact_id: 'C-9901',
      priority: '3',
      channel: 'Phone',
      sla_met: true,
      reassignments: 0,
      reopenings: 0,
      opened_at: '2016-02-29T01:16:00.000Z',
    }
    const solved = { resolved_at: '2016-03-01T11:29:00.000Z', closed_code: '5' }
    const moved = { reassignments: 1, queue: '56' }
    const incident = (type: string, mod: number, at: string, place: number, data: object) =>
      from(
        'support',
        `case.${type}`,
        `incident-${type}:0000045:${mod}:#:0`,
        `2016-${at}:00.000Z`,
        mod * 9 + place,
        {
          ...common,
          ...data,
        },
      )
    expect(events).toEqual([
      incident('opened', 0, '02-29T01:23', 1, { status: 'New' }),
      incident('assigned', 1, '02-29T08:53', 6, { status: 'Active', ...moved }),
      incident('updated', 2, '02-29T08:53', 9, { status: 'Active', ...moved }),
      incident('waiting', 3, '02-29T08:53', 5, { status: 'Awaiting User Info' }),
      incident('updated', 4, '02-29T08:54', 9, { status: '-100' }),
      incident('resolved', 5, '03-01T11:29', 3, { status: 'Resolved', ...solved }),
      incident('updated', 6, '03-01T11:30', 8, { status: 'Resolved', ...solved }),
      incident('reopened', 7, '03-02T09:00', 4, { status: 'Active', reopenings: 1 }),
      incident('closed', 8, '03-05T12:00', 2, {
        status: 'Closed',
        reopenings: 1,
        sla_met: false,
        ...solved,
        closed_at: '2016-03-05T12:00:00.000Z',
      }),
    ])
  })

  test('sequences don’t hang on the order of rows; equal rows are told apart', async () => {
    const mapping = await bundled('servicenow-incidents')
    const rows = [
      line('New', '0', '29/2/2016 01:23'),
      line('New', '0', '29/2/2016 01:23'),
      line('Active', '1', '29/2/2016 01:23'),
      line('Active', '2', '29/2/2016 01:23'),
      line('Active', '2', '29/2/2016 01:23'),
    ]
    for (const [name, lines] of Object.entries({ forward: rows, backward: rows.toReversed() })) {
      const { events } = await mapFile(files.write(`${name}.csv`, fileOf(...lines)), mapping)
      const sent = events as { id: string; sequence: number }[]
      expect(new Set(sent.map(({ id }) => id)).size).toBe(rows.length)
      const counters = sent.map(({ sequence }) => Math.floor((sequence - 1) / 9))
      expect(counters).toEqual(name === 'forward' ? [0, 0, 1, 2, 2] : [2, 2, 1, 0, 0])
    }
  })

  test('no number to order by, and a month that isn’t one, refuse the row', async () => {
    const { refused } = await mapped(
      'servicenow-incidents',
      fileOf(line('New', '?', '29/2/2016 01:23'), line('New', '0', '2/29/2016 01:23')),
    )
    expect(refused).toEqual([
      { line: 2, reason: 'not_an_integer' },
      { line: 3, reason: 'not_a_time' },
    ])
  })
})
