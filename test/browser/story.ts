/** A small company's events for the tests of the page: people whom systems disagree on, deals, orders, cases. */

export interface SentEvent {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly time?: string | undefined
  readonly identities?: readonly string[] | undefined
  readonly data: Readonly<Record<string, unknown>>
}

/** What a customer might type to see whether the page runs it. */
export const HOSTILE = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'

export const JANE = { email: 'jane.whitfield@example.com', web: '+44 20 7946 0555', erp: '+44 20 7946 0991' }

/** Jane: browses, downloads, becomes a lead, buys; web and ERP disagree on her phone number. */
const jane: readonly SentEvent[] = [
  {
    id: 'jane-1',
    source: 'web',
    type: 'cdp.identify',
    time: '2026-01-12T09:14:00Z',
    data: {
      userId: 'u-1001',
      traits: {
        email: JANE.email,
        phone: JANE.web,
        firstName: 'Jane',
        lastName: 'Whitfield',
        plan: 'starter',
        newsletter: true,
      },
    },
  },
  {
    id: 'jane-2',
    source: 'web',
    type: 'cdp.page',
    time: '2026-01-12T09:15:20Z',
    data: { userId: 'u-1001', name: 'Pricing', properties: { url: 'https://example.com/pricing' } },
  },
  {
    id: 'jane-3',
    source: 'marketing',
    type: 'marketing.asset_downloaded',
    time: '2026-01-20T16:02:00Z',
    identities: [`email:${JANE.email}`],
    data: { asset_id: 'whitepaper-cold-chain', email: JANE.email },
  },
  {
    id: 'jane-4',
    source: 'crm',
    type: 'contact.created',
    time: '2026-02-03T11:30:00Z',
    data: {
      contact_id: 'C-88',
      account_id: 'A-7',
      email: JANE.email,
      name: 'Jane Whitfield',
      title: 'Head of Logistics',
      owner: 'mara.olsen',
      country: 'GB',
    },
  },
  {
    id: 'jane-5',
    source: 'erp',
    type: 'contact.updated',
    time: '2026-03-03T08:05:00Z',
    data: {
      contact_id: 'C-88',
      email: JANE.email,
      phone: JANE.erp,
      name: 'J. Whitfield',
      address: { street: '14 Canal Street', city: 'Manchester', postal_code: 'M1 3HE', country: 'GB' },
    },
  },
  {
    id: 'jane-6',
    source: 'erp',
    type: 'erp.invoice_issued',
    time: '2026-03-04T10:00:00Z',
    identities: ['user:u-1001'],
    data: {
      invoice_id: 'INV-2201',
      currency: 'GBP',
      lines: [{ product_id: 'sensor-kit', quantity: 12, unit_price: '149.00' }],
    },
  },
]

const PEOPLE = [
  ['Amir Haddad', 'Northwind Dairy', 'COO', 'DE'],
  ['Beatriz Lourenço', 'Porto Foods', 'Buyer', 'PT'],
  ['Chidi Okafor', 'Lagos Cold Stores', 'Operations Lead', 'NG'],
  ['Dora Lindqvist', 'Nordfisk', 'Head of Quality', 'SE'],
  ['Emil Novák', 'Moravia Logistics', 'Fleet Manager', 'CZ'],
  ['Farah Siddiqui', 'Indus Pharma', 'Supply Director', 'PK'],
  ['Grace Muller', 'Alpenmilch', 'CFO', 'AT'],
  ['Hiro Tanaka', 'Sakura Trading', 'Procurement', 'JP'],
] as const

function slug(name: string): string {
  return name
    .normalize('NFD')
    .replaceAll(/[^A-Za-z ]/g, '')
    .toLowerCase()
    .replaceAll(' ', '.')
}

const others: readonly SentEvent[] = PEOPLE.flatMap(([name, company, title, country], index) => {
  const email = `${slug(name)}@example.org`
  const day = String(2 + index * 3).padStart(2, '0')
  return [
    {
      id: `person-${index}`,
      source: 'crm',
      type: 'contact.created',
      time: `2026-02-${day}T08:30:00Z`,
      data: { contact_id: `C-${index}`, email, name, title, country, owner: 'mara.olsen' },
    },
    {
      id: `visit-${index}`,
      source: 'web',
      type: 'cdp.identify',
      time: `2026-02-${day}T14:10:00Z`,
      data: { userId: `u-${index}`, traits: { email, company } },
    },
  ]
})

const hostile: SentEvent = {
  id: 'hostile-1',
  source: 'web',
  type: 'cdp.identify',
  time: '2026-03-05T12:00:00Z',
  data: { userId: 'u-666', traits: { email: 'mallory@example.net', name: HOSTILE, [HOSTILE]: HOSTILE } },
}

const DEALS = [
  ['Cold chain sensors, 3 sites', 'prospecting', '18500.00', 0],
  ['Fleet trackers', 'prospecting', '9200.00', 4],
  ['Quality audit package', 'qualification', '27400.00', 3],
  ['Pilot, two warehouses', 'needs_analysis', '41000.00', 2],
  ['Vaccine route monitoring', 'value_proposition', '126000.00', 5],
  ['Dairy line, phase 2', 'proposal', '88250.00', 0],
  ['Group licence', 'negotiation', '152300.00', 6],
] as const

const deals: readonly SentEvent[] = DEALS.map(([name, stage, amount, person], index) => ({
  id: `deal-${index}`,
  source: 'crm',
  type: 'opportunity.created',
  time: `2026-03-0${index + 1}T10:00:00Z`,
  data: {
    opportunity_id: `O-${100 + index}`,
    contact_id: `C-${person}`,
    name,
    stage,
    amount,
    currency: 'EUR',
    owner: index % 2 === 0 ? 'mara.olsen' : 'tim.becker',
    close_date: `2026-06-${10 + index}`,
  },
}))

const closed: readonly SentEvent[] = [
  {
    id: 'deal-won',
    source: 'crm',
    type: 'opportunity.won',
    time: '2026-03-09T15:00:00Z',
    data: {
      opportunity_id: 'O-200',
      contact_id: 'C-88',
      account_id: 'A-7',
      name: 'Sensor kits',
      amount: '1788.00',
      currency: 'EUR',
    },
  },
  {
    id: 'deal-lost',
    source: 'crm',
    type: 'opportunity.lost',
    time: '2026-03-10T15:00:00Z',
    data: {
      opportunity_id: 'O-201',
      contact_id: 'C-7',
      name: 'Trial, Osaka',
      amount: '12000.00',
      currency: 'EUR',
    },
  },
]

const cases: readonly SentEvent[] = [
  {
    id: 'case-1',
    source: 'support',
    type: 'case.opened',
    time: '2026-03-11T09:00:00Z',
    identities: [`email:${JANE.email}`],
    data: {
      case_id: 'T-501',
      subject: 'Two sensors report no data',
      priority: 'high',
      status: 'open',
      channel: 'email',
    },
  },
  {
    id: 'case-2',
    source: 'support',
    type: 'case.opened',
    time: '2026-03-11T13:40:00Z',
    identities: ['email:grace.muller@example.org'],
    data: {
      case_id: 'T-502',
      subject: 'Invoice address is wrong',
      priority: 'low',
      status: 'open',
      channel: 'phone',
    },
  },
]

export const STORY: readonly SentEvent[] = [...jane, ...others, hostile, ...deals, ...closed, ...cases]
