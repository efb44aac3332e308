/** @import { Amount, Answer, Deal, Page, Reply, Snapshot, StageFigures } from './answers.d.ts' */
import { address, get } from './api.js'
import { fill, h } from './dom.js'
import { calendarDay, counted, money } from './format.js'
import { profileLink, stageLink } from './router.js'
import { failed, heading, loading, nothing } from './states.js'

/** Deals by stage, with amounts; and the deals of one stage. */

/** The one stage of deals whose stage nobody stated. */
const NO_STAGE = '-'

/** @typedef {{ readonly id: string, readonly label: string, readonly position: number, readonly open: boolean, count: number, readonly amounts: Amount[] }} Stage */

/** @returns {Page} */
export function pipelinePage() {
  const board = h('div', { class: 'card' }, loading(6))
  const element = h('div', { class: 'page' }, heading('Pipeline'), board)
  /** @type {readonly StageFigures[] | undefined} */
  let shown
  const onSnapshot = (/** @type {Snapshot} */ { figures }) => {
    if (figures === undefined || JSON.stringify(shown) === JSON.stringify(figures.stages)) return
    shown = figures.stages
    fill(board, summary(figures.stages), stageBoard(figures.stages))
  }
  return { title: 'Pipeline', element, onSnapshot }
}

/** @param {readonly StageFigures[]} figures */
function summary(figures) {
  const { deals, amounts, weighted } = openDeals(figures)
  if (deals === 0) return null
  const worth = `${amountsText(amounts)}, weighted by probability ${amountsText(weighted)}`
  const bars =
    amounts.length > 1 ? '. Bars show how many deals there are, since amounts differ in currency.' : ''
  return h('p', { class: 'hint' }, `${counted(deals, 'open deal')} worth ${worth}${bars}`)
}

/** @param {readonly StageFigures[]} figures */
export function stageBoard(figures) {
  const stages = stagesOf(figures)
  if (stages.length === 0) {
    return nothing('No deals yet', 'They appear with the first opportunity.created event.')
  }
  const open = stages.filter((stage) => stage.open)
  const closed = stages.filter((stage) => !stage.open)
  const scale = scaleOf(stages)
  return h(
    'div',
    { class: 'board' },
    open.length > 0 && h('ul', { class: 'stages' }, ...open.map((stage) => stageRow(stage, scale))),
    closed.length > 0 && h('h3', {}, 'Closed'),
    closed.length > 0 &&
      h('ul', { class: 'stages closed' }, ...closed.map((stage) => stageRow(stage, scale))),
  )
}

/**
 * @param {readonly StageFigures[]} figures
 * @returns {readonly Stage[]}
 */
function stagesOf(figures) {
  /** @type {Map<string, Stage>} */
  const stages = new Map()
  for (const { stage, stage_label, stage_position, status, count, amount, currency } of figures) {
    const id = stage ?? NO_STAGE
    const open = status !== 'won' && status !== 'lost'
    const key = `${open} ${id}`
    const name = stage_label ?? stage ?? 'No stage'
    const position = stage_position ?? Number.MAX_SAFE_INTEGER
    const known = stages.get(key) ?? { id, label: name, position, open, count: 0, amounts: [] }
    known.count += count
    known.amounts.push({ currency, amount })
    stages.set(key, known)
  }
  return [...stages.values()].sort((a, b) => a.position - b.position || (a.label < b.label ? -1 : 1))
}

/**
 * What a full bar stands for: an amount where all deals are of one currency, else a number of deals.
 * @param {readonly Stage[]} stages
 * @returns {(stage: Stage) => number} share of the longest bar, 0 to 1
 */
function scaleOf(stages) {
  const currencies = new Set(stages.flatMap(({ amounts }) => amounts.map(({ currency }) => currency)))
  const sizeOf = (/** @type {Stage} */ { amounts, count }) =>
    currencies.size > 1 ? count : Number(amounts[0]?.amount ?? 0)
  const longest = Math.max(...stages.filter(({ open }) => open).map(sizeOf), 1)
  return (stage) => Math.min(1, Math.max(0, sizeOf(stage) / longest))
}

/**
 * @param {Stage} stage
 * @param {(stage: Stage) => number} scale
 */
function stageRow(stage, scale) {
  const { id, label, count, amounts } = stage
  const bar = h('span', { class: 'bar', 'aria-hidden': 'true' })
  bar.style.setProperty('--share', String(scale(stage)))
  return h(
    'li',
    {},
    h(
      'a',
      { class: 'stage', href: stageLink(id) },
      h('span', { class: 'stage-name' }, label),
      h('span', { class: 'stage-count' }, counted(count, 'deal')),
      h('span', { class: 'stage-amount' }, amountsText(amounts)),
      bar,
    ),
  )
}

/** @param {readonly Amount[]} amounts */
export function amountsText(amounts) {
  const stated = amounts
    .filter(({ amount }) => amount !== null && Number(amount) !== 0)
    .sort((a, b) => Number(b.amount) - Number(a.amount))
  return stated.length === 0 ? '–' : stated.map(({ amount, currency }) => money(amount, currency)).join(' + ')
}

/**
 * Open deals: how many, worth how much in each currency.
 * @param {readonly StageFigures[]} figures
 */
export function openDeals(figures) {
  const open = figures.filter(({ status }) => status !== 'won' && status !== 'lost')
  return {
    deals: open.reduce((sum, { count }) => sum + count, 0),
    amounts: summed(open.map(({ currency, amount }) => ({ currency, amount }))),
    weighted: summed(open.map(({ currency, weighted }) => ({ currency, amount: weighted }))),
  }
}

/**
 * One amount for each currency.
 * @param {readonly Amount[]} amounts
 * @returns {readonly Amount[]}
 */
function summed(amounts) {
  /** @type {Map<string | null, number>} */
  const sums = new Map()
  for (const { currency, amount } of amounts)
    sums.set(currency, (sums.get(currency) ?? 0) + Number(amount ?? 0))
  return [...sums].map(([currency, sum]) => ({ currency, amount: sum.toFixed(2) }))
}

/**
 * @param {string} stage
 * @param {AbortSignal} signal
 * @returns {Page}
 */
export function stagePage(stage, signal) {
  const title = h('span', {}, stage === NO_STAGE ? 'No stage' : stage)
  const list = h('div', { class: 'card' }, loading(6))
  const head = h('h1', { tabindex: -1 }, title)
  const crumb = h('p', { class: 'crumb' }, h('a', { href: '#/pipeline' }, 'Pipeline'))
  const element = h('div', { class: 'page' }, crumb, head, list)
  const filter = stage === NO_STAGE ? { 'stage[null]': true } : { stage }
  const load = async () => {
    /** @type {Reply<Answer<readonly Deal[]>>} */
    const reply = await get(
      address('/v1/opportunities', { ...filter, 'archived[ne]': true, sort: '-amount', limit: 100 }),
      signal,
    )
    if (!reply.ok) {
      if (reply.failure.kind !== 'aborted')
        fill(
          list,
          failed(reply.failure, () => void load()),
        )
      return
    }
    const { data, next } = reply.body
    title.textContent = data[0]?.stage_label ?? title.textContent
    const more = next ? h('p', { class: 'hint' }, 'The 100 largest are shown.') : null
    fill(
      list,
      data.length === 0 ? nothing('No deals in this stage', 'They may have moved on.') : dealList(data),
      more,
    )
  }
  void load()
  return { title: `Pipeline: ${stage}`, element }
}

/** @param {readonly Deal[]} deals */
function dealList(deals) {
  return h('ul', { class: 'rows' }, ...deals.map(dealRow))
}

/** @param {Deal} deal */
function dealRow(deal) {
  const person = deal.contact ?? deal.account
  const name = deal.name ?? deal.opportunity_id ?? deal.id
  const content = [
    h('span', { class: 'row-name' }, name),
    h('span', { class: 'row-more' }, [deal.opportunity_id, deal.owner].filter(Boolean).join(' · ')),
    h(
      'span',
      { class: 'row-end' },
      deal.close_date !== null && h('span', { class: 'when' }, `closes ${calendarDay(deal.close_date)}`),
      h('span', { class: 'figure' }, deal.amount === null ? '–' : money(deal.amount, deal.currency)),
    ),
  ]
  if (person === null) return h('li', {}, h('div', { class: 'row' }, ...content))
  return h('li', {}, h('a', { class: 'row', href: profileLink(person) }, ...content))
}
