/** @import { Answer, Page, Profile, Reply } from './answers.d.ts' */
import { address, get, query } from './api.js'
import { fill, h } from './dom.js'
import { counted, lifecycleLabel, shortDate } from './format.js'
import { nameOf } from './profile.js'
import { profileLink } from './router.js'
import { chip, failed, heading, loading, moreButton, nothing, sourceChip } from './states.js'

/** Search over profiles; without words, whoever was heard of last. */

const PAGE = 30
const IDENTITY = /^[a-z][a-z0-9_]*:.+/
const PHONE = /^\+?[\d\s().-]{5,}$/

/**
 * @param {string} words
 * @param {AbortSignal} signal
 * @returns {Page}
 */
export function peoplePage(words, signal) {
  const results = h('div', { class: 'card', 'aria-live': 'polite' }, loading(6))
  const title = words === '' ? 'Recently seen' : 'Search results'
  const element = h('div', { class: 'page' }, heading(title), results)
  const load = async () => {
    const reply = await search(words, signal)
    if (!reply.ok) {
      if (reply.failure.kind !== 'aborted')
        fill(
          results,
          failed(reply.failure, () => void load()),
        )
      return
    }
    fill(results, ...shownResults(words, reply.body, signal))
  }
  void load()
  return { title: words === '' ? 'People' : `“${words}”`, element }
}

/**
 * @param {string} words
 * @param {AbortSignal} signal
 * @param {string} [cursor]
 * @returns {Promise<Reply<Answer<readonly Profile[]>>>}
 */
async function search(words, signal, cursor) {
  const trimmed = PHONE.test(words) ? words.replaceAll(/[\s().-]/g, '') : words.trim()
  if (trimmed === '') return get(address('/v1/profiles', { sort: '-last_seen', limit: PAGE, cursor }), signal)
  if (IDENTITY.test(trimmed)) {
    /** @type {Reply<Answer<readonly (Profile | null)[]>>} */
    const found = await query('/v1/profiles/lookup', { identities: [trimmed] }, signal)
    if (!found.ok) return found
    const data = found.body.data.filter((profile) => profile !== null)
    if (data.length > 0) return { ok: true, body: { ...found.body, data } }
  }
  return get(address('/v1/profiles', { q: trimmed, limit: PAGE, cursor }), signal)
}

/**
 * @param {string} words
 * @param {Answer<readonly Profile[]>} first
 * @param {AbortSignal} signal
 */
function shownResults(words, first, signal) {
  if (first.data.length === 0) return [nobodyFound(words)]
  const list = h('ul', { class: 'rows' }, ...first.data.map(profileRow))
  let { next } = first
  const more = async () => {
    const reply = await search(words, signal, String(next))
    if (!reply.ok) return reply.failure.kind !== 'aborted'
    list.append(...reply.body.data.map(profileRow))
    next = reply.body.next
    return Boolean(next)
  }
  const known =
    words.trim() === ''
      ? ''
      : `${counted(first.data.length, 'match', 'matches')}${next ? ' and more' : ''} for “${words.trim()}”`
  return [
    known !== '' && h('p', { class: 'hint' }, known),
    list,
    next ? moreButton('More people', more) : null,
  ]
}

/** @param {string} words */
function nobodyFound(words) {
  if (words.trim() === '') return nothing('Nobody yet', 'People appear as soon as an event names them.')
  return nothing(
    `Nobody matches “${words.trim()}”`,
    'Search finds names, e-mail addresses, companies and phone numbers, by the beginning of their words. An id of your own is found as namespace:value, such as user:42.',
  )
}

/** @param {Profile} profile */
export function profileRow(profile) {
  const name = nameOf(profile)
  const rest = [profile.email, profile.company, profile.title].filter(
    (part) => part !== null && part !== name,
  )
  return h(
    'li',
    {},
    h(
      'a',
      { class: 'row', href: profileLink(profile.id) },
      h('span', { class: 'row-name' }, name),
      h('span', { class: 'row-more' }, rest.join(' · ')),
      h(
        'span',
        { class: 'row-end' },
        profile.lifecycle !== null && chip(lifecycleLabel(profile.lifecycle), 'lifecycle'),
        ...(profile.sources ?? []).slice(0, 4).map(sourceChip),
        profile.last_seen !== null && h('span', { class: 'when' }, shortDate(profile.last_seen)),
      ),
    ),
  )
}
