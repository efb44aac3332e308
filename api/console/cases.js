/** @import { Answer, Case, Page, Reply } from './answers.d.ts' */
import { address, get } from './api.js'
import { fill, h } from './dom.js'
import { label, shortDate } from './format.js'
import { profileLink } from './router.js'
import { chip, failed, heading, loading, nothing } from './states.js'
import { viewNames } from './views.js'

/** Cases that wait for us or for the customer. */

const OPEN_PHASES = ['open', 'waiting']
const SHOWN = 100

/** @returns {Promise<number | undefined>} undefined where the engine has no view of cases */
export async function countOpenCases() {
  if (!(await viewNames()).has('case')) return undefined
  /** @type {Reply<Answer<readonly { phase: string | null, cases: number }[]>>} */
  const reply = await get(address('/v1/analytics/cases', { by: 'phase' }))
  if (!reply.ok) return undefined
  const open = reply.body.data.filter(({ phase }) => phase !== null && OPEN_PHASES.includes(phase))
  return open.reduce((sum, { cases }) => sum + cases, 0)
}

/**
 * @param {AbortSignal} signal
 * @returns {Page}
 */
export function casesPage(signal) {
  const list = h('div', { class: 'card' }, loading(6))
  const element = h('div', { class: 'page' }, heading('Open cases'), list)
  const query = { 'phase[in]': OPEN_PHASES.join(','), sort: '-opened_at', limit: SHOWN }
  const load = async () => {
    /** @type {Reply<Answer<readonly Case[]>>} */
    const reply = await get(address('/v1/cases', query), signal)
    if (!reply.ok) {
      if (reply.failure.kind !== 'aborted')
        fill(
          list,
          failed(reply.failure, () => void load()),
        )
      return
    }
    const { data, next } = reply.body
    const none = nothing('No open cases', 'Whatever customers asked is answered.')
    const more = next ? h('p', { class: 'hint' }, `The ${SHOWN} newest are shown.`) : null
    fill(list, data.length === 0 ? none : h('ul', { class: 'rows' }, ...data.map(caseRow)), more)
  }
  void load()
  return { title: 'Open cases', element }
}

/** @param {Case} row */
function caseRow(row) {
  const who = row.person ?? row.account
  const name = row.subject ?? row.category ?? row.case_id ?? row.id
  const more = [row.case_id, row.channel, row.queue, row.owner].filter(Boolean).join(' · ')
  const content = [
    h('span', { class: 'row-name' }, name),
    h('span', { class: 'row-more' }, more),
    h(
      'span',
      { class: 'row-end' },
      row.priority !== null && chip(label(row.priority), row.escalated ? 'contested' : ''),
      row.status !== null && chip(label(row.status)),
      row.opened_at !== null && h('span', { class: 'when' }, shortDate(row.opened_at)),
    ),
  ]
  if (who === null) return h('li', {}, h('div', { class: 'row' }, ...content))
  return h('li', {}, h('a', { class: 'row', href: profileLink(who) }, ...content))
}
