/** @import { Answer, Identity, Page, Profile, ProfileAnswer, Reply, ShownEvent } from './answers.d.ts' */
import { address, get } from './api.js'
import { fill, h } from './dom.js'
import { fieldGroups, fieldId } from './fields.js'
import { label, lifecycleLabel, shortDate } from './format.js'
import { readRelated, relatedSection } from './related.js'
import { profileLink } from './router.js'
import { chip, failed, heading, loading, nothing, sourceChip } from './states.js'
import { readTimeline, timelineOf } from './timeline.js'

/** One person or company: values with their sources, deals and orders, timeline. */

const REFRESH_EVERY = 2

/**
 * @typedef {{
 *   readonly profile: ProfileAnswer,
 *   readonly timeline: Answer<readonly ShownEvent[]>,
 *   readonly related: readonly import('./related.js').Related[],
 * }} Whole
 */

/**
 * @param {string} id
 * @param {string | undefined} field
 * @param {AbortSignal} signal
 * @returns {Page}
 */
export function profilePage(id, field, signal) {
  const element = h('div', { class: 'page profile' }, heading('Profile'), loading(8))
  let open = field
  let shown = ''
  let position = 0
  let skipped = 0
  let extended = false
  const onToggle = (/** @type {string | undefined} */ name) => {
    open = name
    // The address says what is open, without a step of its own in the history.
    history.replaceState(history.state, '', profileLink(id, name))
  }
  const load = async () => {
    const reply = await readWhole(id, signal)
    if (!reply.ok) {
      if (reply.failure.kind === 'aborted' || shown !== '') return
      const known = reply.failure.kind === 'absent'
      fill(element, heading('Profile'), known ? nobody() : failed(reply.failure, () => void load()))
      return
    }
    const whole = reply.body
    position = whole.profile.position
    const text = JSON.stringify([whole.profile.data, whole.timeline.data, whole.related])
    // Somebody who reads far back isn't thrown to the top again.
    if (text === shown || (extended && shown !== '')) return
    const first = shown === ''
    shown = text
    keepingFocus(element, () => {
      fill(
        element,
        head(whole.profile.data),
        body(whole, open, onToggle, signal, () => (extended = true)),
      )
    })
    if (first) document.title = `${nameOf(whole.profile.data)} · Headwater`
    if (first && open !== undefined)
      document.getElementById(fieldId(open))?.scrollIntoView({ block: 'nearest' })
  }
  void load()
  return {
    title: 'Profile',
    element,
    onSnapshot: ({ health }) => {
      skipped += 1
      if (health === undefined || health.projected <= position || skipped < REFRESH_EVERY) return
      skipped = 0
      void load()
    },
  }
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Reply<Whole>>}
 */
async function readWhole(id, signal) {
  /** @type {Reply<ProfileAnswer>} */
  const profile = await get(address(`/v1/profiles/${encodeURIComponent(id)}`, { explain: true }), signal)
  if (!profile.ok) return profile
  const [timeline, related] = await Promise.all([
    readTimeline(profile.body.data.id, signal),
    readRelated(profile.body.data, signal),
  ])
  if (!timeline.ok) return timeline
  return { ok: true, body: { profile: profile.body, timeline: timeline.body, related } }
}

/** @param {Profile} profile */
export function nameOf({ name, email, company, phone, domain, id }) {
  return name ?? company ?? email ?? domain ?? phone ?? `Visitor ${id.slice(0, 8)}`
}

/** @param {Profile} profile */
function head(profile) {
  const subtitle = [profile.title, profile.name === profile.company ? null : profile.company]
    .filter(Boolean)
    .join(', ')
  const first = profile['first_seen']
  return h(
    'header',
    { class: 'profile-head' },
    h('p', { class: 'crumb' }, h('a', { href: '#/people' }, 'People')),
    h(
      'div',
      { class: 'profile-name' },
      heading(nameOf(profile)),
      profile.lifecycle !== null && chip(lifecycleLabel(profile.lifecycle), 'lifecycle'),
      profile.kind === 'company' && chip('Company'),
    ),
    subtitle !== '' && h('p', { class: 'subtitle' }, subtitle),
    h(
      'p',
      { class: 'seen' },
      h('span', {}, 'Known to ', ...(profile.sources ?? []).map(sourceChip)),
      typeof first === 'string' && h('span', {}, `First seen ${shortDate(first)}`),
      profile.last_seen !== null && h('span', {}, `Last seen ${shortDate(profile.last_seen)}`),
    ),
    h(
      'ul',
      { class: 'identities', 'aria-label': 'Identities' },
      ...inOrder(profile.identities ?? []).map(identity),
    ),
  )
}

/** @param {readonly Identity[]} identities */
function inOrder(identities) {
  const nameOfIdentity = (/** @type {Identity} */ { namespace = '~', value = '' }) => `${namespace}:${value}`
  return identities.toSorted((a, b) => (nameOfIdentity(a) < nameOfIdentity(b) ? -1 : 1))
}

/** @param {Identity} identity */
function identity({ namespace, value }) {
  if (namespace === undefined) return h('li', {}, h('span', {}, 'erased'))
  return h('li', {}, h('span', { class: 'namespace' }, label(namespace)), h('span', {}, value))
}

/**
 * @param {Whole} whole
 * @param {string | undefined} open
 * @param {(field: string | undefined) => void} onToggle
 * @param {AbortSignal} signal
 * @param {() => void} onMore
 */
function body({ profile, timeline, related }, open, onToggle, signal, onMore) {
  return h(
    'div',
    { class: 'columns' },
    h(
      'div',
      { class: 'card values' },
      h('h2', {}, 'Values'),
      h('p', { class: 'hint' }, 'Choose a value to see why it won.'),
      ...fieldGroups(profile, open, onToggle),
      ...related.map(relatedSection),
    ),
    h(
      'div',
      { class: 'card' },
      h('h2', {}, 'Timeline'),
      timelineOf(profile.data.id, timeline, signal, onMore),
    ),
  )
}

function nobody() {
  const back = h('a', { class: 'button', href: '#/people' }, 'Search people')
  return nothing('Nobody is known by this id', 'The address may be wrong, or the person was erased.', back)
}

/**
 * Draws anew without taking the focus away from whoever is on a value.
 * @param {Element} element
 * @param {() => void} draw
 */
function keepingFocus(element, draw) {
  const focused = document.activeElement
  const inside = focused !== null && element.contains(focused)
  const onHeading = inside && focused.tagName === 'H1'
  const id = inside ? focused.id : ''
  draw()
  if (onHeading) element.querySelector('h1')?.focus({ preventScroll: true })
  else if (id !== '') document.getElementById(id)?.focus({ preventScroll: true })
}
