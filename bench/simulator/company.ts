import type { Calendar, DataOf, SourceName } from './journal.ts'
import { DAY, dayOf, HOUR, Journal, type SimulatedEvent } from './journal.ts'
import type { Random } from './random.ts'

/** The company whose year it is: it sells coffee machines to cafés and coffee to everybody. All of it is made up. */

export interface Product {
  readonly id: string
  readonly name: string
  readonly category: 'machines' | 'coffee' | 'parts'
  /** Pounds, as a decimal number. */
  readonly price: number
}

export const PRODUCTS: readonly Product[] = [
  { id: 'M-100', name: 'Heron one-group machine', category: 'machines', price: 2450 },
  { id: 'M-200', name: 'Heron two-group machine', category: 'machines', price: 4890 },
  { id: 'M-300', name: 'Kestrel grinder', category: 'machines', price: 690 },
  { id: 'M-400', name: 'Plover home machine', category: 'machines', price: 429 },
  { id: 'C-010', name: 'House blend, 1 kg', category: 'coffee', price: 21.5 },
  { id: 'C-020', name: 'Harbour filter roast, 1 kg', category: 'coffee', price: 24 },
  { id: 'C-030', name: 'Slow river decaf, 500 g', category: 'coffee', price: 13.9 },
  { id: 'C-040', name: 'Tasting box', category: 'coffee', price: 32.75 },
  { id: 'P-001', name: 'Water filter', category: 'parts', price: 38.4 },
  { id: 'P-002', name: 'Gasket set', category: 'parts', price: 12.25 },
]

export const MACHINES = PRODUCTS.filter(({ category }) => category === 'machines')
export const SUPPLIES = PRODUCTS.filter(({ category }) => category !== 'machines')

export const SELLERS = ['Ines Oakhollow', 'Jorund Pell', 'Kavi Thornmere', 'Lotte Winterbourne'] as const
export const AGENTS = ['Priya Saltmarsh', 'Rufus Candlewick', 'Sana Millbrook'] as const

/** Lower numbers win: the system that sends the bills knows best where customers are reached. */
const SOURCES: readonly (readonly [source: SourceName, name: string, priority: number])[] = [
  ['erp', 'Billing and stock', 1],
  ['crm', 'Sales', 2],
  ['support', 'Help desk', 3],
  ['web', 'Shop and website', 4],
  ['marketing', 'Newsletters and campaigns', 5],
]

/** To be in the log before anything else: what a source leaves unsaid is read by them. */
export function registerSources(calendar: Calendar): readonly SimulatedEvent[] {
  return SOURCES.flatMap(([source, name, priority]) => {
    const journal = new Journal(`register-${source}`, calendar)
    journal.add(source, calendar.start, 'source.registered', {
      source,
      name,
      priority,
      default_country: 'GB',
      time_zone: 'Europe/London',
      currency: 'GBP',
    })
    return journal.events
  })
}

export interface Campaign {
  readonly id: string
  readonly name: string
  readonly channel: 'email' | 'search' | 'fair'
  /** ms UTC */
  readonly launched: number
}

const CAMPAIGNS: readonly (readonly [name: string, channel: Campaign['channel'], dayOfYear: number])[] = [
  ['New year, new roast', 'email', 30],
  ['Guide: water and espresso', 'search', 60],
  ['Spring tasting box', 'email', 110],
  ['Coffee fair', 'fair', 165],
  ['Cold brew summer', 'email', 205],
  ['Back to the office', 'email', 270],
  ['Heron trade-in', 'search', 300],
  ['Winter blend', 'email', 340],
]

export function campaignsOf(calendar: Calendar): readonly Campaign[] {
  return CAMPAIGNS.map(([name, channel, day], index) => ({
    id: `CMP-${index + 1}`,
    name,
    channel,
    launched: calendar.start + day * DAY + 9 * HOUR,
  }))
}

/** What the campaigns cost, and when they ran. */
export function campaignEvents(calendar: Calendar, random: Random): readonly SimulatedEvent[] {
  return campaignsOf(calendar).flatMap((campaign) => {
    const journal = new Journal(campaign.id, calendar)
    const { id, name, channel, launched } = campaign
    const about: DataOf<'marketing.campaign_created'> = {
      campaign_id: id,
      name,
      channel,
      budget: String(random.integer(4, 30) * 250),
      currency: 'GBP',
      starts_on: dayOf(launched),
      ends_on: dayOf(launched + 21 * DAY),
      owner: 'Noor Applegarth',
    }
    journal.add('marketing', launched - 6 * DAY, 'marketing.campaign_created', {
      ...about,
      status: 'planned',
    })
    journal.add('marketing', launched, 'marketing.campaign_launched', { campaign_id: id, status: 'running' })
    for (let week = 0; week < 3; week++) {
      const at = launched + (week + 1) * 7 * DAY - HOUR
      journal.add('marketing', at, 'marketing.spend_recorded', {
        channel,
        campaign_id: id,
        amount: random.between(120, 900).toFixed(2),
        currency: 'GBP',
        clicks: random.integer(80, 900),
        impressions: random.integer(4_000, 60_000),
        spent_on: dayOf(at),
      })
    }
    journal.add('marketing', launched + 21 * DAY, 'marketing.campaign_completed', {
      campaign_id: id,
      status: 'completed',
    })
    return journal.events
  })
}
