import type { Product } from './company.ts'
import { MACHINES, SELLERS } from './company.ts'
import type { Calendar } from './journal.ts'
import { DAY, dayOf, HOUR, type Journal, MINUTE } from './journal.ts'
import type { Company, Person } from './people.ts'
import { typedPhone } from './people.ts'
import type { Random } from './random.ts'
import { orderedByCompany } from './supplies.ts'

/** From a form on the website to a deal, won or lost. */

/** Stages that a deal passes before it is won, and how many days it stands in each. */
const STAGES = [
  ['prospecting', 6],
  ['qualification', 8],
  ['needs_analysis', 10],
  ['value_proposition', 9],
  ['decision_makers', 11],
  ['perception_analysis', 7],
  ['proposal', 12],
  ['negotiation', 10],
] as const

const LOST_AT_A_STAGE = 0.06

export interface Buyer {
  readonly person: Person
  readonly company: Company
  readonly leadId: string
  readonly contactId: string
  readonly owner: string
}

export function buyerOf(person: Person, company: Company, random: Random): Buyer {
  const number = person.key.slice(1)
  return { person, company, leadId: `L-${number}`, contactId: `C-${number}`, owner: random.pick(SELLERS) }
}

/** A business that asks for something; answers nothing, the journal tells how far it came. */
export function selling(journal: Journal, buyer: Buyer, random: Random, calendar: Calendar): void {
  const asked = buyer.person.firstSeen + random.between(10 * MINUTE, 5 * DAY)
  askForContact(journal, buyer, random, asked)
  const converted = lead(journal, buyer, random, asked + 5 * MINUTE)
  if (converted === undefined) return
  const won = deal(journal, buyer, random, converted)
  if (won !== undefined) orderedByCompany(journal, buyer, { ...won, random, calendar })
}

function askForContact(journal: Journal, { person, company }: Buyer, random: Random, at: number): void {
  const { email, anonymousId, firstName, lastName } = person
  const who = { email, anonymous_id: anonymousId, name: `${firstName} ${lastName}`, company: company.name }
  if (random.chance(0.5)) {
    journal.add('web', at, 'marketing.asset_downloaded', {
      ...who,
      asset_id: 'wp-water',
      asset_name: 'Water and espresso: a guide for cafés',
      asset_type: 'whitepaper',
      campaign_id: 'CMP-2',
    })
  } else {
    journal.add('web', at, 'marketing.form_submitted', {
      ...who,
      form_id: 'quote',
      form_name: 'Ask for a quote',
    })
  }
}

/** When the lead became a deal; undefined if it never did. */
function lead(journal: Journal, buyer: Buyer, random: Random, created: number): number | undefined {
  const { person, company, leadId, owner } = buyer
  const about = { lead_id: leadId, email: person.email }
  journal.add('crm', created, 'lead.created', {
    ...about,
    first_name: person.firstName,
    last_name: person.lastName,
    company: company.name,
    ...(person.phone === undefined ? {} : { phone: typedPhone(person.phone) }),
    country: person.country,
    industry: company.industry,
    origin: random.pick(['organic_search', 'paid_search', 'referral', 'fair', 'email']),
    landing_page: '/machines',
  })
  journal.add('marketing', created + 10 * MINUTE, 'lead.qualified', { ...about, qualification: 'MQL' })
  const assigned = created + random.between(10 * MINUTE, 6 * HOUR)
  const respondBy = new Date(assigned + 4 * HOUR).toISOString()
  journal.add('crm', assigned, 'lead.assigned', { ...about, owner, rule: 'by region', respond_by: respondBy })
  const responded = assigned + random.between(20 * MINUTE, 5 * HOUR)
  const outcome = random.weighted([
    ['connected', 6],
    ['voicemail', 3],
    ['bounced', 1],
  ] as const)
  journal.add('crm', responded, 'lead.first_responded', { ...about, owner, channel: 'phone', outcome })
  if (random.chance(0.22)) {
    const reason = random.pick(['no budget', 'looking for another kind of machine', 'private person'])
    const gaveUp = random.chance(0.5) ? 'lead.disqualified' : 'lead.recycled'
    journal.add('crm', responded + DAY, gaveUp, { ...about, reason })
    return undefined
  }
  journal.add('crm', responded + HOUR, 'lead.accepted', { ...about, owner })
  const qualified = responded + random.between(DAY, 12 * DAY)
  journal.add('crm', qualified, 'lead.qualified', { ...about, qualification: 'SQL' })
  return convert(journal, buyer, qualified + 2 * HOUR)
}

function convert(journal: Journal, buyer: Buyer, at: number): number {
  const { person, company, leadId, contactId, owner } = buyer
  const { accountId, name, domain, industry, country } = company
  const account = { account_id: accountId, name, domain, industry, country, owner, type: 'customer' }
  journal.add('crm', at, 'account.created', account)
  journal.add('crm', at + MINUTE, 'contact.created', {
    contact_id: contactId,
    account_id: accountId,
    first_name: person.firstName,
    last_name: person.lastName,
    email: person.email,
    country: person.country,
    owner,
  })
  journal.add('crm', at + 2 * MINUTE, 'lead.converted', {
    lead_id: leadId,
    contact_id: contactId,
    account_id: accountId,
    opportunity_id: opportunityId(person),
    owner,
  })
  return at + 3 * MINUTE
}

function opportunityId(person: Person): string {
  return `O-${person.key.slice(1)}`
}

interface Won {
  readonly at: number
  readonly product: Product
  readonly quantity: number
}

/** Stage by stage; undefined: lost. */
function deal(journal: Journal, buyer: Buyer, random: Random, created: number): Won | undefined {
  const { person, company, contactId, owner } = buyer
  const product = random.pick(MACHINES)
  const quantity = random.integer(1, 6)
  const about = { opportunity_id: opportunityId(person), owner }
  let at = created
  journal.add('crm', at, 'opportunity.created', {
    ...about,
    name: `${company.name}: ${product.name}`,
    account_id: company.accountId,
    contact_id: contactId,
    product: product.name,
    stage: 'prospecting',
    amount: String(product.price * quantity),
    currency: person.currency,
    close_date: dayOf(created + 75 * DAY),
    origin: 'website',
    type: 'new business',
  })
  for (const [index, [stage, days]] of STAGES.entries()) {
    if (index > 0) {
      const from = STAGES[index - 1]?.[0] ?? stage
      journal.add('crm', at, 'opportunity.stage_changed', {
        ...about,
        contact_id: contactId,
        from,
        to: stage,
      })
    }
    talk(journal, buyer, random, at)
    at += random.between(0.4, 1.6) * days * DAY
    if (random.chance(LOST_AT_A_STAGE)) return lose(journal, buyer, random, at)
  }
  const reason = random.pick(['service nearby', 'better machine', 'price'])
  journal.add('crm', at, 'opportunity.won', { ...about, contact_id: contactId, reason })
  return { at, product, quantity }
}

function lose(journal: Journal, { person, contactId, owner }: Buyer, random: Random, at: number): undefined {
  const reason = random.pick(['price', 'another supplier', 'no decision'])
  const about = { opportunity_id: opportunityId(person), owner, contact_id: contactId }
  journal.add('crm', at, 'opportunity.lost', { ...about, reason })
}

const TALKS = [
  ['call', 'outbound', 'Follow-up call'],
  ['meeting', 'outbound', 'Tasting in the showroom'],
  ['mail', 'inbound', 'A question about delivery'],
] as const

function talk(journal: Journal, { person, contactId, owner }: Buyer, random: Random, from: number): void {
  if (!random.chance(0.6)) return
  const [kind, direction, subject] = random.pick(TALKS)
  const at = from + random.between(HOUR, 3 * DAY)
  journal.add('crm', at, 'activity.logged', {
    activity_id: `T-${person.key.slice(1)}-${dayOf(at)}`,
    kind,
    direction,
    subject,
    contact_id: contactId,
    opportunity_id: opportunityId(person),
    owner,
    outcome: 'done',
  })
}
