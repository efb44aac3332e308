/** @import { Explanation, Profile, ProfileAnswer } from './answers.d.ts' */
import { h } from './dom.js'
import { differentValues, explanationOf } from './explanation.js'
import { columnValue, label, shortDate } from './format.js'
import { chip, sourceChip } from './states.js'

/** The values of a profile, each of which opens to say why it won. */

/** @typedef {{ readonly name: string, readonly text: string, readonly value: unknown, readonly why: Explanation | undefined }} Field */

/** Shown in the profile's head instead. */
const IN_HEAD = new Set(['id', 'identities', 'kind', 'sources', 'first_seen', 'last_seen'])
const CONTACT = ['name', 'first_name', 'last_name', 'title', 'email', 'phone', 'address', 'country']

/**
 * @param {ProfileAnswer} answer
 * @param {string | undefined} open field to open at once
 * @param {(field: string | undefined) => void} onToggle
 */
export function fieldGroups({ data, explain = {} }, open, onToggle) {
  const all = fieldsOf(data, explain)
  const contact = CONTACT.flatMap((name) => all.filter((field) => field.name === name))
  const traits = all.filter(({ name }) => name.startsWith('traits.'))
  const others = all.filter((field) => !contact.includes(field) && !traits.includes(field))
  /** @type {readonly (readonly [string, readonly Field[]])[]} */
  const groups = [
    ['Contact', contact],
    ['Relationship', others],
    ['Traits', traits],
  ]
  return groups
    .filter(([, fields]) => fields.length > 0)
    .map(([title, fields]) =>
      h(
        'section',
        { class: 'field-group' },
        h('h3', {}, title),
        h(
          'ul',
          { class: 'fields' },
          ...fields.map((field) => fieldRow(field, field.name === open, onToggle)),
        ),
      ),
    )
}

/**
 * @param {Profile} profile
 * @param {Readonly<Record<string, Explanation>>} explain
 * @returns {readonly Field[]}
 */
function fieldsOf(profile, explain) {
  /** @type {Field[]} */
  const fields = []
  for (const [name, value] of Object.entries(profile)) {
    if (IN_HEAD.has(name) || value === null) continue
    if (name === 'traits' && typeof value === 'object') {
      for (const [trait, inner] of Object.entries(value)) {
        fields.push({
          name: `traits.${trait}`,
          text: label(trait),
          value: inner,
          why: own(explain, `traits.${trait}`),
        })
      }
    } else fields.push({ name, text: label(name), value, why: own(explain, name) })
  }
  return fields
}

/**
 * @template T
 * @param {Readonly<Record<string, T>>} record
 * @param {string} name
 */
function own(record, name) {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

/**
 * @param {Field} field
 * @param {boolean} open
 * @param {(field: string | undefined) => void} onToggle
 */
function fieldRow(field, open, onToggle) {
  const { name, text, why } = field
  const shown = columnValue(name, field.value)
  const value = h('span', { class: 'value' }, shown)
  if (why === undefined) {
    return h('li', {}, h('div', { class: 'field' }, h('span', { class: 'label' }, text), value))
  }
  const panel = h(
    'div',
    { class: 'panel', id: `why-${idPart(name)}`, hidden: !open },
    explanationOf(name, why, shown),
  )
  const button = h(
    'button',
    {
      type: 'button',
      class: 'field',
      id: fieldId(name),
      'aria-expanded': String(open),
      'aria-controls': `why-${idPart(name)}`,
    },
    h('span', { class: 'label' }, text),
    value,
    h('span', { class: 'from' }, ...provenance(name, why, shown)),
  )
  button.addEventListener('click', () => {
    panel.hidden = !panel.hidden
    button.setAttribute('aria-expanded', String(!panel.hidden))
    onToggle(panel.hidden ? undefined : name)
  })
  return h('li', {}, button, panel)
}

/** @param {string} name */
export function fieldId(name) {
  return `field-${idPart(name)}`
}

/**
 * Traits are named by senders, and an id may hold no space.
 * @param {string} name
 */
function idPart(name) {
  return encodeURIComponent(name.toWellFormed())
}

/**
 * @param {string} name
 * @param {Explanation} why
 * @param {string} shown
 */
function provenance(name, why, shown) {
  const [winner] = why.winners
  const different = differentValues(name, why, shown)
  return [
    different > 0 && chip(`${different} overruled`, 'contested'),
    winner && sourceChip(winner.source),
    winner && h('span', { class: 'when' }, shortDate(winner.time)),
  ].filter((part) => part !== false && part !== undefined)
}
