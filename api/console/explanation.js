/** @import { Explanation, Write } from './answers.d.ts' */
import { h } from './dom.js'
import { columnValue, count, counted, dateAndTime, longDate } from './format.js'
import { sourceChip } from './states.js'

/** Why a field has its value: one sentence, and what was overruled. */

/** @typedef {{ readonly name: string, readonly because: string }} RuleText */

/** @type {ReadonlyMap<string, RuleText>} */
const RULES = new Map([
  ['latest', { name: 'latest value', because: 'it is the newest' }],
  ['first', { name: 'first value', because: 'it is the oldest' }],
  ['min', { name: 'smallest value', because: 'it is the smallest' }],
  ['max', { name: 'largest value', because: 'it is the largest' }],
  ['forwardOnly', { name: 'forward only', because: 'it is the furthest stage reached' }],
  ['mostRestrictive', { name: 'most restrictive', because: 'it allows the least' }],
  ['together', { name: 'one writer for all parts', because: 'all its parts come from the newest writer' }],
  ['locked', { name: 'locked by steward', because: 'a steward locked it' }],
  ['review', { name: 'waits for review', because: 'no steward has decided yet' }],
])

const RANKED = new Map([
  ['ranked', 'source priority'],
  ['rankedUnlessBlank', 'source priority, a blank never wins'],
])

/**
 * @param {string} field
 * @param {Explanation} explanation
 * @param {string} shown the value as the field shows it
 */
export function explanationOf(field, explanation, shown) {
  const { winners, overruled } = explanation
  const [winner] = winners
  const when = dates([...winners, ...overruled])
  const rows = overruled.map((write) => overruledRow(write, columnValue(field, write.value), shown, when))
  return h(
    'div',
    { class: 'why' },
    sentence(explanation, shown, differentValues(field, explanation, shown), when),
    rows.length > 0 && h('h4', {}, `Overruled ${rows.length === 1 ? 'value' : 'values'}`),
    rows.length > 0 && h('ul', { class: 'overruled' }, ...rows),
    winner && h('p', { class: 'evidence' }, `Event ${winner.event} · position ${count(winner.position)}`),
  )
}

/**
 * @param {Explanation} explanation
 * @param {string} shown
 * @param {number} different how many other values there are
 * @param {(write: Write) => string} when
 */
function sentence(explanation, shown, different, when) {
  const { winners, overruled } = explanation
  const [winner] = winners
  const value = h('strong', {}, shown)
  if (winner === undefined) return h('p', {}, value, ' follows from the record; no single event states it.')
  const from = [h('strong', {}, winner.source), `, ${when(winner)}`]
  if (winners.length > 1) {
    const events = counted(winners.length, 'event')
    return h('p', {}, value, ` is put together from ${events}, the newest of them from `, ...from, '.')
  }
  const { name, because } = ruleText(explanation, winner)
  const rule = `(rule: ${name}).`
  if (overruled.length === 0)
    return h('p', {}, value, ' from ', ...from, `, stands alone: nobody stated anything else ${rule}`)
  const others = different === 0 ? `; whoever else stated it said the same` : ''
  return h('p', {}, value, ' from ', ...from, `, won because ${because}${others} ${rule}`)
}

/**
 * Days, or the times as well where two writes are of one day.
 * @param {readonly Write[]} writes
 * @returns {(write: Write) => string}
 */
function dates(writes) {
  const days = new Set(writes.map(({ time }) => longDate(time)))
  return days.size === writes.length ? ({ time }) => longDate(time) : ({ time }) => dateAndTime(time)
}

/**
 * @param {Explanation} explanation
 * @param {Write} winner
 * @returns {RuleText}
 */
function ruleText({ rule, overruled, priorities }, winner) {
  const ranked = RANKED.get(rule)
  if (ranked === undefined) return RULES.get(rule) ?? { name: rule, because: 'its rule picks it' }
  const lower = overruled.find(
    ({ source }) => priority(priorities, source) > priority(priorities, winner.source),
  )
  if (lower !== undefined) return { name: ranked, because: `${winner.source} ranks above ${lower.source}` }
  const equals = overruled.some(({ source }) => source !== winner.source)
  const because = equals ? 'it is the newest among sources of the same rank' : 'it is the newest'
  return { name: ranked, because }
}

/**
 * @param {Explanation['priorities']} priorities
 * @param {string} source
 */
function priority(priorities, source) {
  return priorities !== undefined && Object.hasOwn(priorities, source)
    ? (priorities[source] ?? Number.POSITIVE_INFINITY)
    : Number.POSITIVE_INFINITY
}

/**
 * @param {Write} write
 * @param {string} value
 * @param {string} shown
 * @param {(write: Write) => string} when
 */
function overruledRow(write, value, shown, when) {
  return h(
    'li',
    {},
    h('span', { class: 'overruled-value' }, value),
    value === shown && h('span', { class: 'note' }, 'the same value'),
    h('span', { class: 'overruled-from' }, sourceChip(write.source), when(write)),
  )
}

/**
 * How many different values were overruled; repetitions of the winning one don't count.
 * @param {string} field
 * @param {Explanation} explanation
 * @param {string} shown
 */
export function differentValues(field, { overruled }, shown) {
  const others = new Set(overruled.map(({ value }) => columnValue(field, value)))
  others.delete(shown)
  return others.size
}
