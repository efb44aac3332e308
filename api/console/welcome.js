import { demoElement } from './demo.js'
import { h, setText } from './dom.js'

/** What an empty engine shows: two ways to make something happen. */

const OWN_URL = 'http://127.0.0.1:7070'
const SHOWN_MS = 2000

const EVENT = {
  id: '1',
  source: 'web',
  type: 'cdp.identify',
  data: { userId: '42', traits: { email: 'jane@example.com', phone: '+44 20 7946 0018' } },
}

/** The command takes the write key from the data directory: no secret goes through the clipboard. */
function commandLine() {
  const elsewhere = location.origin === OWN_URL ? '' : `HEADWATER_URL=${location.origin} `
  return `${elsewhere}npx headwater append '${JSON.stringify(EVENT)}'`
}

/** @param {AbortSignal} signal */
export function welcome(signal) {
  return h(
    'div',
    { class: 'welcome' },
    h(
      'p',
      { class: 'eyebrow' },
      h('span', { class: 'pulse', 'aria-hidden': 'true' }),
      'The log is empty and listening',
    ),
    h('h1', { tabindex: -1 }, 'Nothing has happened yet'),
    h(
      'p',
      { class: 'lead' },
      'Headwater keeps everything customers do in one log and shows, for every value, which event it came from and what it overruled.',
    ),
    h('div', { class: 'ways' }, demoCard(signal), eventCard()),
    h('p', { class: 'hint' }, 'This page changes by itself with the first event.'),
  )
}

/** @param {AbortSignal} signal */
function demoCard(signal) {
  const demo = demoElement(signal, { offer: true })
  const card = h(
    'section',
    { class: 'card way', hidden: true },
    h('h2', {}, 'Look around'),
    h(
      'p',
      {},
      'A made-up company’s year: visits, leads, deals, orders and complaints from five systems that don’t always agree.',
    ),
    demo,
  )
  // An engine without a demo has nothing to offer here.
  new MutationObserver(() => {
    card.hidden = demo.hidden
  }).observe(demo, { attributes: true, attributeFilter: ['hidden'] })
  return card
}

function eventCard() {
  const line = commandLine()
  const status = h('span', { class: 'hidden', role: 'status' })
  const button = h('button', { type: 'button', class: 'button' }, 'Copy')
  button.addEventListener('click', () => {
    void copy(line).then((copied) => {
      setText(button, copied ? 'Copied' : 'Select it by hand')
      setText(status, copied ? 'The command is in the clipboard' : 'The browser refused to copy')
      setTimeout(() => setText(button, 'Copy'), SHOWN_MS)
    })
  })
  return h(
    'section',
    { class: 'card way' },
    h('h2', {}, 'Send an event'),
    h('p', {}, 'Paste this into a terminal, in Headwater’s directory.'),
    h(
      'div',
      { class: 'snippet' },
      h('pre', { tabindex: 0, 'aria-label': 'Command' }, h('code', {}, line)),
      button,
    ),
    status,
  )
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
