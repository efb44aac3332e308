/** @import { Answer, CampaignMember, Case, Deal, OrderTotals, Profile, Reply, Session } from './answers.d.ts' */
import { address, get } from './api.js'
import { h } from './dom.js'
import { count, counted, dateAndTime, label, money } from './format.js'
import { viewNames } from './views.js'

/** What else there is about a profile: deals, orders, cases, campaigns, sessions. */

const SHOWN = 5

/** @typedef {readonly [name: string, middle: string, end: string]} Line */
/** @typedef {{ readonly title: string, readonly lines: readonly Line[] }} Related */

/**
 * Only what there is. A list that can't be read is left out: the profile stands without it.
 * @param {Profile} profile
 * @param {AbortSignal} signal
 * @returns {Promise<readonly Related[]>}
 */
export async function readRelated({ id, kind }, signal) {
  const views = await viewNames()
  const party = kind === 'company' ? 'account' : 'contact'
  const asker = kind === 'company' ? 'account' : 'person'
  /** @type {readonly Promise<Related>[]} */
  const asked = [
    list('Deals', '/v1/opportunities', { [party]: id, sort: '-updated_at' }, dealLine, signal),
    list('Orders', '/v1/orders', { id }, orderLine, signal),
    ...(views.has('case')
      ? [list('Cases', '/v1/cases', { [asker]: id, sort: '-opened_at' }, caseLine, signal)]
      : []),
    ...(views.has('campaign_member')
      ? [list('Campaigns', '/v1/campaign-members', { person: id, sort: '-updated_at' }, memberLine, signal)]
      : []),
    ...(views.has('session')
      ? [list('Sessions', '/v1/sessions', { visitor: id, sort: '-started_at' }, sessionLine, signal)]
      : []),
  ]
  return (await Promise.all(asked)).filter(({ lines }) => lines.length > 0)
}

/**
 * @template T
 * @param {string} title
 * @param {string} path
 * @param {import('./api.js').Parameters} parameters
 * @param {(row: T) => Line} toLine
 * @param {AbortSignal} signal
 * @returns {Promise<Related>}
 */
async function list(title, path, parameters, toLine, signal) {
  /** @type {Reply<Answer<readonly T[]>>} */
  const reply = await get(address(path, { ...parameters, limit: SHOWN }), signal)
  return { title, lines: reply.ok ? reply.body.data.map(toLine) : [] }
}

/**
 * @param {Deal} deal
 * @returns {Line}
 */
function dealLine(deal) {
  const amount = deal.amount === null ? '' : money(deal.amount, deal.currency)
  return [deal.name ?? deal.opportunity_id ?? deal.id, deal.stage_label ?? deal.status ?? '', amount]
}

/**
 * @param {OrderTotals} total
 * @returns {Line}
 */
function orderLine({ basis, orders, returns, net, currency }) {
  const counts = [counted(orders, 'order'), returns > 0 ? `${count(returns)} returned` : '']
  return [label(basis), counts.filter(Boolean).join(', '), money(net, currency)]
}

/**
 * @param {Case} row
 * @returns {Line}
 */
function caseLine(row) {
  return [
    row.subject ?? row.category ?? row.case_id ?? row.id,
    row.priority ?? '',
    label(row.status ?? row.phase ?? ''),
  ]
}

/**
 * @param {CampaignMember} member
 * @returns {Line}
 */
function memberLine({ campaign_id, channel, status }) {
  return [campaign_id ?? 'Unnamed', channel ?? '', label(status ?? '')]
}

/**
 * @param {Session} session
 * @returns {Line}
 */
function sessionLine({ started_at, entry_page, campaign, events }) {
  return [dateAndTime(started_at ?? ''), campaign ?? entry_page ?? '', counted(events ?? 0, 'event')]
}

/** @param {Related} related */
export function relatedSection({ title, lines }) {
  const items = lines.map(([name, middle, end]) =>
    h(
      'li',
      {},
      h('span', { class: 'related-name' }, name),
      middle !== '' && h('span', { class: 'note' }, middle),
      h('span', { class: 'figure' }, end),
    ),
  )
  return h('section', { class: 'field-group' }, h('h3', {}, title), h('ul', { class: 'related' }, ...items))
}
