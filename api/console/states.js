/** @import { Failure } from './answers.d.ts' */
import { h } from './dom.js'
import { toneOf } from './format.js'

/** What several pages show: waiting, nothing there, failure, chips. */

/** @param {number} lines */
export function loading(lines) {
  const bars = Array.from({ length: lines }, () => h('span', { class: 'skeleton-line' }))
  return h('div', { class: 'skeleton', role: 'status' }, h('span', { class: 'hidden' }, 'Loading'), ...bars)
}

/**
 * @param {string} title
 * @param {import('./dom.js').Child} text
 * @param {readonly Node[]} actions
 */
export function nothing(title, text, ...actions) {
  return h(
    'div',
    { class: 'nothing' },
    h('p', { class: 'nothing-title' }, title),
    h('p', {}, text),
    ...(actions.length === 0 ? [] : [h('p', { class: 'actions' }, ...actions)]),
  )
}

/**
 * @param {Failure} failure
 * @param {() => void} retry
 */
export function failed(failure, retry) {
  return h(
    'div',
    { class: 'nothing failed', role: 'alert' },
    h('p', { class: 'nothing-title' }, 'This could not be read'),
    h('p', {}, failure.detail),
    h('p', { class: 'actions' }, h('button', { type: 'button', class: 'button', click: retry }, 'Try again')),
  )
}

/** @param {string} source */
export function sourceChip(source) {
  return h('span', { class: `source ${toneOf(source)}` }, source)
}

/**
 * @param {string} text
 * @param {string} [kind]
 */
export function chip(text, kind = '') {
  return h('span', { class: `chip ${kind}` }, text)
}

/**
 * A page's first heading takes the focus when the page is entered, so that a screen reader begins there.
 * @param {string} text
 */
export function heading(text) {
  return h('h1', { tabindex: -1 }, text)
}

/**
 * A button that asks for more rows until there are none.
 * @param {string} text
 * @param {() => Promise<boolean>} more true while there is more
 */
export function moreButton(text, more) {
  const button = h('button', { type: 'button', class: 'button quiet more', click: () => void press() }, text)
  const press = async () => {
    button.disabled = true
    const goesOn = await more()
    button.disabled = false
    if (!goesOn) button.remove()
  }
  return button
}
