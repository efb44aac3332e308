/** @import { Answer, Reply, ShownEvent } from './answers.d.ts' */
import { address, get } from './api.js'
import { fill, h } from './dom.js'
import { count, label, longDate, money, timeOfDay } from './format.js'
import { moreButton, nothing, sourceChip } from './states.js'

/** A person's events, newest first, by day. */

const PAGE = 25

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @param {string} [cursor]
 * @returns {Promise<Reply<Answer<readonly ShownEvent[]>>>}
 */
export function readTimeline(id, signal, cursor) {
  return get(address(`/v1/profiles/${encodeURIComponent(id)}/timeline`, { limit: PAGE, cursor }), signal)
}

/**
 * @param {string} id
 * @param {Answer<readonly ShownEvent[]>} first
 * @param {AbortSignal} signal
 * @param {() => void} onMore
 */
export function timelineOf(id, first, signal, onMore) {
  const list = h('div', { class: 'timeline' })
  /** @type {ShownEvent[]} */
  const events = [...first.data]
  let { next } = first
  // Pages come in order of arrival; a day's late events belong to their day.
  const show = () => fill(list, ...byDay(events.toSorted((a, b) => Date.parse(b.time) - Date.parse(a.time))))
  show()
  if (events.length === 0) return nothing('No events yet', 'What this person does will stand here.')
  const more = async () => {
    const reply = await readTimeline(id, signal, String(next))
    if (!reply.ok) return reply.failure.kind !== 'aborted'
    onMore()
    events.push(...reply.body.data)
    next = reply.body.next
    show()
    return Boolean(next)
  }
  return h('div', {}, list, next ? moreButton('Earlier events', more) : null)
}

/** @param {readonly ShownEvent[]} events */
function byDay(events) {
  /** @type {Map<string, ShownEvent[]>} */
  const days = new Map()
  for (const event of events) {
    const day = longDate(event.time)
    days.set(day, [...(days.get(day) ?? []), event])
  }
  return [...days].map(([day, ofDay]) =>
    h('section', { class: 'day' }, h('h3', {}, day), h('ol', {}, ...ofDay.map(entry))),
  )
}

/** @param {ShownEvent} event */
function entry(event) {
  const summary = summaryOf(event.data)
  return h(
    'li',
    {},
    h(
      'details',
      { class: 'event' },
      h(
        'summary',
        {},
        h('span', { class: 'event-type' }, typeLabel(event.type)),
        summary !== '' && h('span', { class: 'event-summary' }, summary),
        h('span', { class: 'event-from' }, sourceChip(event.source), timeOfDay(event.time)),
      ),
      event.erased > 0 && h('p', { class: 'note' }, 'Parts of this event were erased.'),
      h('pre', { tabindex: 0, 'aria-label': 'Data as sent' }, JSON.stringify(event.data, null, 2)),
      h('p', { class: 'evidence' }, `${event.type} · event ${event.id} · position ${count(event.position)}`),
    ),
  )
}

/**
 * `erp.invoice_issued` → `Invoice issued`; a name from a tracking specification stays as it is.
 * @param {string} type
 */
export function typeLabel(type) {
  const own = TYPES.get(type)
  if (own !== undefined) return own
  const [domain = '', ...rest] = type.split('.')
  if (rest.length === 0) return type
  return label(OWN_NOUN.has(domain) ? `${domain} ${rest.join(' ')}` : rest.join(' '))
}

/** Domains that are the noun of their verbs: `case.opened` is `Case opened`. */
const OWN_NOUN = new Set([
  'account',
  'call',
  'case',
  'consent',
  'contact',
  'contract',
  'csat',
  'lead',
  'opportunity',
  'order',
  'person',
  'quote',
  'task',
])

const TYPES = new Map([
  ['cdp.identify', 'Identified'],
  ['cdp.page', 'Page viewed'],
  ['cdp.screen', 'Screen viewed'],
  ['cdp.track', 'Tracked'],
  ['cdp.group', 'Joined a company'],
  ['cdp.alias', 'Alias'],
  ['csat.submitted', 'Satisfaction rated'],
])

/** What tells most about an event, in this order. */
const TELLING = [
  'event',
  'name',
  'title',
  'subject',
  'asset_id',
  'form_id',
  'campaign_id',
  'stage',
  'to',
  'status',
  'priority',
  'reason',
  'invoice_id',
  'order_id',
]
const AMOUNTS = ['total', 'amount', 'revenue']

/** @param {Readonly<Record<string, unknown>>} data */
function summaryOf(data) {
  const parts = TELLING.flatMap((name) => {
    const value = data[name]
    return typeof value === 'string' && value !== '' ? [value] : []
  })
  const currency = typeof data['currency'] === 'string' ? data['currency'] : null
  for (const name of AMOUNTS) {
    const amount = String(data[name] ?? '')
    if (/^-?\d+(\.\d+)?$/.test(amount)) parts.push(money(amount, currency))
  }
  return parts.slice(0, 3).join(' · ')
}
