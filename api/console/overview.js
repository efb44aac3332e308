/** @import { Answer, Figures, Page, Profile, Reply, ShownEvent, Snapshot } from './answers.d.ts' */
import { address, get } from './api.js'
import { demoElement } from './demo.js'
import { fill, h, setText, svg } from './dom.js'
import { count, money, rate, shortDate, timeOfDay } from './format.js'
import { profileRow } from './people.js'
import { amountsText, openDeals, stageBoard } from './pipeline.js'
import { profileLink } from './router.js'
import { heading, loading, nothing, sourceChip } from './states.js'
import { typeLabel } from './timeline.js'
import { welcome } from './welcome.js'

/** Live counts, the pipeline, the newest events and whoever was heard of last; on an empty engine, how to begin. */

const NEWEST = 20
const RECENT = 6

/**
 * @param {AbortSignal} signal
 * @returns {Page}
 */
export function overviewPage(signal) {
  const element = h('div', { class: 'page' }, heading('Overview'), loading(8))
  /** @type {'waiting' | 'empty' | 'full'} */
  let state = 'waiting'
  /** @type {(snapshot: Snapshot) => void} */
  let update = () => undefined
  const onSnapshot = (/** @type {Snapshot} */ snapshot) => {
    const { health, figures } = snapshot
    if (health === undefined || figures === undefined) return
    const now = health.head === 0 ? 'empty' : 'full'
    if (now !== state) {
      const focused = document.activeElement?.tagName === 'H1'
      state = now
      if (now === 'empty') fill(element, welcome(signal))
      else update = showFull(element, signal)
      if (focused) element.querySelector('h1')?.focus({ preventScroll: true })
    }
    if (state === 'full') update(snapshot)
  }
  return { title: 'Overview', element, onSnapshot }
}

/**
 * @param {Element} element
 * @param {AbortSignal} signal
 */
function showFull(element, signal) {
  const stats = statsStrip()
  const pipeline = h('div', {}, loading(6))
  const feed = eventFeed(signal)
  const recent = recentPeople(signal)
  fill(
    element,
    h('h1', { tabindex: -1, class: 'hidden' }, 'Overview'),
    demoElement(signal, { offer: false }),
    stats.element,
    h(
      'div',
      { class: 'columns' },
      h(
        'div',
        { class: 'stack' },
        h('section', { class: 'card' }, cardHead('Pipeline', '#/pipeline', 'All stages'), pipeline),
        h('section', { class: 'card' }, cardHead('Recently seen', '#/people', 'All people'), recent.element),
      ),
      h('section', { class: 'card' }, cardHead('Newest events'), feed.element),
    ),
  )
  let shown = ''
  return (/** @type {Snapshot} */ snapshot) => {
    const { figures } = snapshot
    if (figures === undefined) return
    stats.update(snapshot, figures)
    feed.update(snapshot)
    recent.update(figures.position)
    const stages = JSON.stringify(figures.stages)
    if (stages === shown) return
    shown = stages
    fill(pipeline, stageBoard(figures.stages))
  }
}

/**
 * @param {string} title
 * @param {string} [link]
 * @param {string} [text]
 */
function cardHead(title, link, text) {
  return h(
    'div',
    { class: 'card-head' },
    h('h2', {}, title),
    link !== undefined && h('a', { href: link }, text),
  )
}

function statsStrip() {
  const events = stat('Events in the log')
  const people = stat('People')
  const deals = stat('Open deals')
  const revenue = stat('Revenue')
  const cases = stat('Open cases')
  const line = svg('svg', {
    class: 'spark',
    viewBox: '0 0 120 32',
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  })
  events.element.append(line)
  cases.element.hidden = true
  const element = h(
    'dl',
    { class: 'stats' },
    events.element,
    people.element,
    deals.element,
    revenue.element,
    cases.element,
  )
  const update = (/** @type {Snapshot} */ snapshot, /** @type {Figures} */ figures) => {
    const open = openDeals(figures.stages)
    events.set(count(figures.events), rateText(snapshot))
    people.set(count(figures.people), 'who did something')
    deals.set(count(open.deals), open.deals === 0 ? '' : `worth ${amountsText(open.amounts)}`)
    revenue.set(...revenueText(figures))
    cases.element.hidden = figures.openCases === undefined
    if (figures.openCases !== undefined) cases.set(count(figures.openCases), '')
    fill(line, sparkline(snapshot.rates))
  }
  return { element, update }
}

/** @param {string} title */
function stat(title) {
  const figure = h('dd', { class: 'stat-figure' }, '–')
  const note = h('dd', { class: 'stat-note' })
  const element = h('div', { class: 'stat' }, h('dt', {}, title), figure, note)
  const set = (/** @type {string} */ value, /** @type {string} */ more) => {
    setText(figure, value)
    setText(note, more)
  }
  return { element, set }
}

/** @param {Snapshot} snapshot */
function rateText({ rate: perSecond, health }) {
  const behind = health !== undefined && health.projected < health.head
  const speed = perSecond === undefined ? '' : `${rate(perSecond)} per second`
  return [speed, behind ? 'views are catching up' : ''].filter(Boolean).join(', ')
}

/**
 * What was invoiced where anything was, else what was ordered: the two would count a sale twice.
 * @param {Figures} figures
 * @returns {[string, string]}
 */
function revenueText({ revenue }) {
  const basis = revenue.some((row) => row.basis === 'invoiced') ? 'invoiced' : 'ordered'
  const rows = revenue.filter((row) => row.basis === basis)
  const [first, ...rest] = rows.toSorted((a, b) => Number(b.amount ?? 0) - Number(a.amount ?? 0))
  if (first === undefined) return ['–', '']
  const others = rest.map(({ amount, currency }) => money(amount, currency)).join(', ')
  return [money(first.amount, first.currency), others === '' ? basis : `${basis}, and ${others}`]
}

/** @param {readonly number[]} rates */
function sparkline(rates) {
  const highest = Math.max(...rates, 1)
  const points = rates.map(
    (each, index) => `${((60 - rates.length + index) / 59) * 120},${30 - (each / highest) * 27}`,
  )
  return svg('polyline', { points: points.join(' '), 'vector-effect': 'non-scaling-stroke' })
}

/** @param {AbortSignal} signal */
function eventFeed(signal) {
  const element = h('ol', { class: 'feed' })
  /** @type {ShownEvent[]} */
  let newest = []
  let after = -1
  let asking = false
  const update = async (/** @type {Snapshot} */ { health }) => {
    if (health === undefined || asking || health.head <= after) return
    asking = true
    // Gaps in positions only make the list shorter.
    const from = Math.max(after, health.head - NEWEST * 2, 0)
    /** @type {Reply<Answer<readonly ShownEvent[]>>} */
    const reply = await get(address('/v1/events', { after: from, limit: NEWEST * 2 }), signal)
    asking = false
    if (!reply.ok) return
    after = Number(reply.body.next)
    newest = [...reply.body.data.toReversed(), ...newest].slice(0, NEWEST)
    fill(element, ...newest.map((event) => feedItem(event, reply.body.asOf ?? '')))
  }
  return { element, update: (/** @type {Snapshot} */ snapshot) => void update(snapshot) }
}

/**
 * @param {ShownEvent} event
 * @param {string} now the newest instant that the log knows
 */
function feedItem(event, now) {
  const who = event.identities[0]
  const type = typeLabel(event.type)
  return h(
    'li',
    {},
    who === undefined
      ? h('span', { class: 'event-type' }, type)
      : h('a', { class: 'event-type', href: profileLink(who.id) }, type),
    h(
      'span',
      { class: 'event-from' },
      sourceChip(event.source),
      h('span', { class: 'when' }, whenOf(event.time, now)),
    ),
  )
}

/**
 * @param {string} time
 * @param {string} now
 */
function whenOf(time, now) {
  return shortDate(time) === shortDate(now) ? timeOfDay(time) : shortDate(time)
}

/** @param {AbortSignal} signal */
function recentPeople(signal) {
  const element = h('div', {}, loading(4))
  let shown = -1
  let asking = false
  const update = async (/** @type {number} */ position) => {
    if (asking || position === shown) return
    asking = true
    /** @type {Reply<Answer<readonly Profile[]>>} */
    const reply = await get(
      address('/v1/profiles', { sort: '-last_seen', limit: RECENT, kind: 'person' }),
      signal,
    )
    asking = false
    if (!reply.ok) return
    shown = position
    const { data } = reply.body
    fill(
      element,
      data.length === 0
        ? nothing('Nobody yet', 'People appear as soon as an event names them.')
        : h('ul', { class: 'rows' }, ...data.map(profileRow)),
    )
  }
  return { element, update: (/** @type {number} */ position) => void update(position) }
}
