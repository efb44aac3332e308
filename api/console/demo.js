/** @import { Demo, Reply } from './answers.d.ts' */
import { command, get } from './api.js'
import { fill, h, setText } from './dom.js'
import { count } from './format.js'
import { credentials, forgetKey, rememberKey } from './session.js'

/** The button that loads the demo company, and how far it is. */

const POLL_MS = 1000

/**
 * An element that offers the demo company, tells of its loading, and is empty where there is none to offer.
 * @param {AbortSignal} signal
 * @param {{ readonly offer: boolean }} options `offer` false: only tells of one under way or failed
 */
export function demoElement(signal, { offer }) {
  const element = h('div', { class: 'demo', hidden: true })
  const step = async () => {
    /** @type {Reply<Demo>} */
    const reply = await get('/v1/demo', signal)
    if (reply.ok) show(reply.body)
    else element.hidden = true
  }
  const show = (/** @type {Demo} */ demo) => {
    element.hidden = !offer && demo.state !== 'loading' && demo.state !== 'failed'
    switch (demo.state) {
      case 'absent':
        return fill(element, ...offerParts(press))
      case 'failed':
        return fill(
          element,
          h(
            'p',
            { class: 'form-error', role: 'alert' },
            'Loading stopped midway. Loading again adds what is missing; if it stops again, the engine’s log says why.',
          ),
          ...offerParts(press),
        )
      case 'loaded':
        return fill(element, h('p', {}, 'The demo company is loaded.'))
      case 'loading':
        showProgress(element, demo)
        setTimeout(() => void (signal.aborted || step()), POLL_MS)
        return
    }
  }
  const press = async () => {
    if (credentials().key === undefined) return fill(element, keyForm(press))
    const button = element.querySelector('button')
    if (button !== null) button.disabled = true
    const reply = await command('/v1/demo')
    if (reply.ok) return void (await step())
    if (reply.failure.kind !== 'unauthorised' && reply.failure.kind !== 'forbidden') {
      return fill(
        element,
        h('p', { class: 'form-error', role: 'alert' }, reply.failure.detail),
        ...offerParts(press),
      )
    }
    forgetKey()
    fill(element, h('p', { class: 'form-error', role: 'alert' }, reply.failure.detail), keyForm(press))
  }
  void step()
  return element
}

/** @param {() => void} press */
function offerParts(press) {
  return [h('button', { type: 'button', class: 'button primary', click: press }, 'Load the demo company')]
}

/**
 * @param {Element} element
 * @param {Demo} demo
 */
function showProgress(element, { sent, total }) {
  const text = total > 0 ? `${count(sent)} of ${count(total)} events` : 'Starting'
  const bar = element.querySelector('progress')
  const note = element.querySelector('.progress-note')
  if (bar === null || note === null) {
    fill(
      element,
      h('p', { id: 'demo-progress' }, 'Loading the demo company'),
      h('progress', { 'aria-labelledby': 'demo-progress', max: Math.max(total, 1), value: sent }),
      h('p', { class: 'progress-note' }, text),
    )
    return
  }
  bar.max = Math.max(total, 1)
  bar.value = sent
  setText(note, text)
}

/** @param {() => void} go */
function keyForm(go) {
  const input = h('input', {
    id: 'write-key',
    type: 'password',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
  })
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault()
    rememberKey(input.value.trim())
    go()
  }
  return h(
    'form',
    { class: 'key-form', submit },
    h('label', { for: 'write-key' }, 'Write key'),
    h(
      'p',
      { class: 'hint' },
      'Loading sends events, so it needs the write key. “npx headwater open” prints an address that holds it.',
    ),
    h('div', { class: 'inline' }, input, h('button', { class: 'button primary' }, 'Load')),
  )
}
