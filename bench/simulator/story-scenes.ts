import { visit } from './behaviour.ts'
import type { DataOf, Journal } from './journal.ts'
import { DAY, HOUR, MINUTE } from './journal.ts'
import { typedPhone } from './people.ts'
import type { Random } from './random.ts'
import { MARA, OTTO, PHONES, TABLET } from './story-cast.ts'

/** The scenes of the story, in their order. */

/** ms UTC of an hour on a day, counted back from the end of the year. */
type At = (daysBeforeEnd: number, hour: number, minute?: number) => number

const LAPTOP = 'anon-mara-laptop'
const USER = 'u-mara'
const LEAD = 'L-mara'
const CONTACT = 'C-mara'
const ACCOUNT = 'A-lantern'
const CUSTOMER = 'K-mara'
const DEAL = 'O-mara'
const CASE = 'case-mara'
const SELLER = 'Ines Oakhollow'
const COMPANY = 'Lantern Café'

export function browses(journal: Journal, random: Random, at: At): void {
  const laptop = { anonymousId: LAPTOP }
  visit(journal, laptop, random, at(318, 10))
  visit(journal, laptop, random, at(314, 20))
  visit(journal, laptop, random, at(311, 9))
  journal.add('web', at(311, 11), 'marketing.asset_downloaded', {
    asset_id: 'wp-water',
    asset_name: 'Water and espresso: a guide for cafés',
    asset_type: 'whitepaper',
    campaign_id: 'CMP-2',
    email: MARA,
    anonymous_id: LAPTOP,
    company: COMPANY,
  })
  journal.add('marketing', at(311, 11, 1), 'consent.granted', {
    purpose: 'newsletter',
    basis: 'consent',
    channel: 'email',
    email: MARA,
    evidence: { form: 'whitepaper', double_opt_in: true },
  })
}

export function becomesLead(journal: Journal, at: At): void {
  const about = { lead_id: LEAD, email: MARA }
  journal.add('crm', at(311, 12), 'lead.created', {
    ...about,
    first_name: 'Mara',
    last_name: 'Quillfeather',
    company: COMPANY,
    country: 'GB',
    industry: 'cafés',
    origin: 'whitepaper',
    campaign_id: 'CMP-2',
    landing_page: '/guides/water',
  })
  journal.add('marketing', at(311, 12, 10), 'lead.qualified', { ...about, qualification: 'MQL' })
  journal.add('crm', at(311, 13), 'lead.assigned', {
    ...about,
    owner: SELLER,
    rule: 'by region',
    respond_by: new Date(at(311, 17)).toISOString(),
  })
  const spoke = { ...about, owner: SELLER, channel: 'phone', outcome: 'connected' }
  journal.add('crm', at(311, 15), 'lead.first_responded', spoke)
  journal.add('crm', at(311, 15, 5), 'lead.accepted', { ...about, owner: SELLER })
  journal.add('crm', at(300, 10), 'lead.qualified', { ...about, qualification: 'SQL' })
  signsIn(journal, at(290, 20), PHONES.first)
}

/** What she tells the shop about herself. */
function signsIn(journal: Journal, at: number, phone: string): void {
  journal.add('web', at, 'cdp.identify', {
    anonymousId: LAPTOP,
    userId: USER,
    traits: {
      first_name: 'Mara',
      last_name: 'Quillfeather',
      email: MARA,
      phone: typedPhone(phone),
      country: 'GB',
      favourite_roast: 'filter',
    },
  })
}

const STAGES = [
  ['needs_analysis', 276],
  ['value_proposition', 268],
  ['proposal', 250],
  ['negotiation', 241],
] as const

export function buys(journal: Journal, at: At): void {
  becomesCustomerRecord(journal, at)
  const about = { opportunity_id: DEAL, contact_id: CONTACT, account_id: ACCOUNT, owner: SELLER }
  journal.add('crm', at(285, 9, 20), 'opportunity.created', {
    ...about,
    name: `${COMPANY}: Heron two-group machine`,
    product: 'Heron two-group machine',
    stage: 'qualification',
    amount: '5580.00',
    currency: 'GBP',
    origin: 'whitepaper',
    type: 'new business',
  })
  let from = 'qualification'
  for (const [to, days] of STAGES) {
    journal.add('crm', at(days, 14), 'opportunity.stage_changed', { ...about, from, to })
    from = to
  }
  journal.add('crm', at(233, 16), 'opportunity.won', { ...about, reason: 'service nearby' })
  const machine = [
    { product_id: 'M-200', quantity: 1, unit_price: '4890.00' },
    { product_id: 'M-300', quantity: 1, unit_price: '690.00' },
  ]
  journal.add('crm', at(232, 9), 'order.placed', {
    order_id: 'B-mara-0',
    contact_id: CONTACT,
    account_id: ACCOUNT,
    email: MARA,
    currency: 'GBP',
    country: 'GB',
    owner: SELLER,
    lines: machine,
  })
  invoice(journal, at(231, 10), { number: 'I-mara-0', orderId: 'B-mara-0', lines: machine })
}

function becomesCustomerRecord(journal: Journal, at: At): void {
  journal.add('crm', at(285, 9), 'account.created', {
    account_id: ACCOUNT,
    name: COMPANY,
    domain: 'lantern-cafe.example',
    industry: 'cafés',
    country: 'GB',
    owner: SELLER,
    type: 'customer',
  })
  journal.add('crm', at(285, 9, 5), 'contact.created', {
    contact_id: CONTACT,
    account_id: ACCOUNT,
    first_name: 'Mara',
    last_name: 'Quillfeather',
    title: 'Owner',
    email: MARA,
    country: 'GB',
    owner: SELLER,
  })
  journal.add('crm', at(285, 9, 10), 'lead.converted', {
    lead_id: LEAD,
    contact_id: CONTACT,
    account_id: ACCOUNT,
    opportunity_id: DEAL,
    owner: SELLER,
  })
}

interface Billed {
  readonly number: string
  readonly orderId: string
  readonly lines: DataOf<'erp.invoice_issued'>['lines']
}

/** Billing has the number of the contract, and keeps it. */
function invoice(journal: Journal, at: number, { number, orderId, lines }: Billed): void {
  const customer = { customer_id: CUSTOMER, email: MARA, name: 'Mara Quillfeather', phone: PHONES.billing }
  const about = { ...customer, account_id: ACCOUNT, currency: 'GBP', country: 'GB', order_id: orderId }
  journal.add('erp', at, 'erp.invoice_issued', { ...about, invoice_id: number, lines })
  journal.add('erp', at + DAY, 'erp.shipment_sent', {
    customer_id: CUSTOMER,
    shipment_id: `S-${orderId}`,
    order_id: orderId,
    carrier: 'Parcel Pigeon',
    country: 'GB',
  })
}

/** At the fair both leave their address on the same tablet, half an hour apart. */
export function meetsOtto(mara: Journal, otto: Journal, at: At): void {
  signsIn(mara, at(205, 21), PHONES.web)
  const draw = { form_id: 'prize-draw', form_name: 'Prize draw at the fair', anonymous_id: TABLET }
  const fair = { ...draw, campaign_id: 'CMP-4', channel: 'fair' }
  mara.add('web', at(200, 14, 5), 'marketing.form_submitted', { ...fair, email: MARA })
  otto.add('web', at(200, 14, 38), 'marketing.form_submitted', { ...fair, email: OTTO })
  otto.add('crm', at(199, 10), 'lead.created', {
    lead_id: 'L-otto',
    email: OTTO,
    first_name: 'Otto',
    last_name: 'Pebblewater',
    company: 'Tin Kettle Canteen',
    country: 'GB',
    industry: 'offices',
    origin: 'fair',
    campaign_id: 'CMP-4',
  })
  otto.add('crm', at(199, 11), 'lead.assigned', { lead_id: 'L-otto', email: OTTO, owner: 'Kavi Thornmere' })
  for (const [index, days] of [180, 121, 62].entries()) ordersCoffee(mara, at, days, index + 1)
}

function ordersCoffee(journal: Journal, at: At, days: number, number: number): void {
  const orderId = `W-mara-${number}`
  journal.add('web', at(days, 8), 'Order Completed', {
    userId: USER,
    anonymousId: LAPTOP,
    order_id: orderId,
    total: '215.00',
    currency: 'GBP',
    country: 'GB',
    products: [{ product_id: 'C-010', name: 'House blend, 1 kg', price: '21.50', quantity: 10 }],
  })
  const lines = [{ product_id: 'C-010', quantity: 10, unit_price: '21.50' }]
  invoice(journal, at(days, 12), { number: `I-mara-${number}`, orderId, lines })
}

/** The machine leaks; it is mended, leaks again, and the case is still open. */
export function complains(journal: Journal, random: Random, at: At): void {
  const complaint = at(16, 8)
  visit(journal, { anonymousId: LAPTOP, userId: USER }, random, complaint - HOUR)
  const about = { case_id: CASE, email: MARA, account_id: ACCOUNT }
  journal.add('support', complaint, 'case.opened', {
    ...about,
    subject: 'The machine leaks',
    description: 'Water under the left group since this morning.',
    type: 'problem',
    priority: 'high',
    category: 'machines',
    channel: 'mail',
    status: 'new',
    queue: 'technicians',
    product_id: 'M-200',
  })
  const owner = 'Priya Saltmarsh'
  journal.add('support', complaint + 5 * MINUTE, 'case.assigned', { ...about, owner, status: 'assigned' })
  journal.add('support', at(16, 11), 'case.responded', {
    ...about,
    owner,
    channel: 'phone',
    status: 'working',
  })
  journal.add('support', at(11, 15), 'case.resolved', {
    ...about,
    owner,
    status: 'resolved',
    resolution: 'new seal',
  })
  journal.add('support', at(10, 9), 'csat.submitted', {
    ...about,
    score: 2,
    scale: 5,
    survey: 'after a case',
  })
  journal.add('support', at(6, 8), 'case.reopened', {
    ...about,
    owner,
    status: 'reopened',
    reason: 'leaks again',
  })
  journal.add('support', at(6, 9), 'case.escalated', { ...about, from: 'first line', to: 'technicians' })
  journal.add('support', at(5, 10), 'case.waiting', {
    ...about,
    owner,
    status: 'waiting',
    reason: 'part ordered',
  })
}
