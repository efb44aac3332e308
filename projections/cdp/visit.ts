import type { EventOf } from '../../engine/events/catalogue.ts'
import { byText } from '../../engine/reducers/candidate.ts'
import { own } from '../values.ts'

/** What one event tells of the visit that it belongs to. */

export const VISITS = [
  'cdp.page',
  'cdp.screen',
  'cdp.track',
  'Product Viewed',
  'Product Added',
  'Cart Viewed',
  'Checkout Started',
  'Order Completed',
  'article.viewed',
  'marketing.form_submitted',
  'marketing.asset_downloaded',
  'Live Chat Conversation Started',
] as const

export type Visit = EventOf<(typeof VISITS)[number]>

/** Something seen at an instant: ms since the day began, the sender's sequence, and the texts themselves. */
export type Mark = readonly [at: number, sequence: number, ...texts: string[]]

/** Longer texts are cut, so that a state stays small whatever senders send. */
const MAX_TEXT = 256

/** Path of a page, name of a screen; '' for anything else. */
export function pageOf(event: Visit): string {
  if (event.type !== 'cdp.page' && event.type !== 'cdp.screen') return ''
  const name = textOf(event.data.name)
  if (event.type === 'cdp.screen') return name
  const { properties } = event.data
  const page = own(event.data.context, 'page')
  const path = textOf(own(properties, 'path')) || textOf(own(page, 'path'))
  return path || pathOf(textOf(own(properties, 'url'))) || pathOf(textOf(own(page, 'url'))) || name
}

/** Source, medium and name of the campaign that the visitor came by, from Segment's `context.campaign` or `utm_…`. */
export function campaignOf(event: Visit): readonly [string, string, string] | undefined {
  const context = own(event.data, 'context')
  if (context === undefined) return undefined
  const campaign = own(context, 'campaign')
  const stated = ['source', 'medium', 'name'].map((name) => textOf(own(campaign, name)))
  if (stated.some((text) => text !== '')) return triple(stated)
  const page = own(context, 'page')
  for (const name of ['search', 'url']) {
    const query = own(page, name)
    if (typeof query !== 'string' || !query.includes('utm_')) continue
    const parameters = new URLSearchParams(query.slice(query.indexOf('?') + 1).split('#', 1)[0])
    return triple(['source', 'medium', 'campaign'].map((each) => textOf(parameters.get(`utm_${each}`))))
  }
  return undefined
}

/** `desktop`, `mobile`, `tablet` or `bot`; '' where nothing tells. */
export function deviceOf(event: Visit): string {
  const context = own(event.data, 'context')
  const stated = textOf(own(own(context, 'device'), 'type')).toLowerCase()
  if (stated !== '') return stated === 'ios' || stated === 'android' ? 'mobile' : stated
  const agent = textOf(own(context, 'userAgent')).toLowerCase()
  if (agent === '') return ''
  if (/bot|crawl|spider/.test(agent)) return 'bot'
  const phone = agent.includes('mobi')
  if (agent.includes('ipad') || agent.includes('tablet')) return 'tablet'
  if (agent.includes('android')) return phone ? 'mobile' : 'tablet'
  return phone || agent.includes('iphone') ? 'mobile' : 'desktop'
}

/** The one seen first; of two at one instant the smaller text, so that the order of arrival doesn't matter. */
export function earlier(a: Mark | null, b: Mark | null): Mark | null {
  if (a === null || b === null) return a ?? b
  return compare(a, b) <= 0 ? a : b
}

export function later(a: Mark | null, b: Mark | null): Mark | null {
  if (a === null || b === null) return a ?? b
  return compare(a, b) >= 0 ? a : b
}

function compare(a: Mark, b: Mark): number {
  const order = a[0] - b[0] || a[1] - b[1]
  if (order !== 0) return order
  for (let i = 2; i < a.length; i++) {
    const texts = byText(String(a[i]), String(b[i]))
    if (texts !== 0) return texts
  }
  return 0
}

function triple([source = '', medium = '', name = '']: readonly string[]): readonly [string, string, string] {
  return [source, medium, name]
}

/** Cutting may halve a character; what is left of it is replaced as SQLite would. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_TEXT).toWellFormed() : ''
}

function pathOf(url: string): string {
  const found = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*([^?#]*)/i.exec(url)
  return found === null ? '' : found[1] || '/'
}
