/** @import { Page, Route, Snapshot } from './answers.d.ts' */
import { casesPage } from './cases.js'
import { fill, h, setText } from './dom.js'
import { count, rate } from './format.js'
import { Live } from './live.js'
import { overviewPage } from './overview.js'
import { peoplePage } from './people.js'
import { pipelinePage, stagePage } from './pipeline.js'
import { profilePage } from './profile.js'
import { parseRoute, peopleLink } from './router.js'
import { credentials, forgetCredentials, takeCredentials } from './session.js'
import { signIn } from './sign-in.js'
import { heading, nothing } from './states.js'

/** Puts the page together: the header that stays, the page that the address names, the counts that go on. */

const TYPING_MS = 180

const main = byId('main')
const notice = byId('notice')
const search = /** @type {HTMLInputElement} */ (byId('search'))
const live = new Live()
/** @type {Page | undefined} */
let current
let leaving = new AbortController()
let typing = 0

/** @param {string} id */
function byId(id) {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the document lacks #${id}`)
  return element
}

function show() {
  leaving.abort()
  leaving = new AbortController()
  current = undefined
  if (credentials().token === undefined) return showSignIn(undefined)
  const route = parseRoute(location.hash)
  const page = pageOf(route, leaving.signal)
  current = page
  document.body.classList.remove('signed-out')
  document.title = route.page === 'overview' ? 'Headwater' : `${page.title} · Headwater`
  markNavigation(route)
  if (route.page === 'people') {
    if (document.activeElement !== search) search.value = route.query
  } else if (document.activeElement !== search) search.value = ''
  fill(main, page.element)
  page.onSnapshot?.(live.snapshot)
  // Whoever types goes on typing.
  if (document.activeElement === search) return
  scrollTo(0, 0)
  focusHeading()
}

function focusHeading() {
  main.querySelector('h1')?.focus({ preventScroll: true })
}

/**
 * @param {Route} route
 * @param {AbortSignal} signal
 * @returns {Page}
 */
function pageOf(route, signal) {
  switch (route.page) {
    case 'overview':
      return overviewPage(signal)
    case 'people':
      return peoplePage(route.query, signal)
    case 'profile':
      return profilePage(route.id, route.field, signal)
    case 'pipeline':
      return pipelinePage()
    case 'stage':
      return stagePage(route.stage, signal)
    case 'cases':
      return casesPage(signal)
    case 'nowhere':
      return nowhere()
  }
}

/** @returns {Page} */
function nowhere() {
  const back = h('a', { class: 'button', href: '#/' }, 'Overview')
  const text = nothing('There is nothing at this address', 'The link may be old or mistyped.', back)
  return { title: 'Not found', element: h('div', { class: 'page' }, heading('Not found'), text) }
}

/** @param {Route} route */
function markNavigation(route) {
  const section = {
    overview: 'overview',
    people: 'people',
    profile: 'people',
    pipeline: 'pipeline',
    stage: 'pipeline',
    cases: 'cases',
    nowhere: '',
  }
  for (const link of document.querySelectorAll('[data-section]')) {
    const here = link.getAttribute('data-section') === section[route.page]
    if (here) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
}

/** @param {string | undefined} complaint */
function showSignIn(complaint) {
  live.stop()
  current = undefined
  document.body.classList.add('signed-out')
  document.title = 'Sign in · Headwater'
  setText(notice, '')
  notice.hidden = true
  fill(main, signIn(complaint, enter))
  main.querySelector('input')?.focus()
}

function enter() {
  live.start()
  show()
}

/** @param {Snapshot} snapshot */
function onSnapshot(snapshot) {
  const { failure } = snapshot
  if (failure?.kind === 'unauthorised' || failure?.kind === 'forbidden') {
    forgetCredentials()
    leaving.abort()
    return showSignIn(failure.kind === 'forbidden' ? failure.detail : 'This token isn’t known here.')
  }
  showState(snapshot)
  current?.onSnapshot?.(snapshot)
}

/** @param {Snapshot} snapshot */
function showState({ health, figures, rate: perSecond, failure }) {
  const behind = health !== undefined && health.projected < health.head
  const state = failure !== undefined ? 'lost' : behind ? 'behind' : 'current'
  byId('live').dataset['state'] = state
  const texts = { lost: 'No answer', behind: 'Catching up', current: 'Up to date' }
  setText(byId('live-state'), texts[state])
  setText(byId('live-rate'), perSecond === undefined || state === 'lost' ? '' : `${rate(perSecond)}/s`)
  const at =
    health === undefined ? '' : `Log at position ${count(health.head)} · views at ${count(health.projected)}`
  setText(byId('standing'), at)
  byId('cases-link').hidden = figures?.openCases === undefined
  const text =
    failure !== undefined
      ? `${failure.detail} Trying again every second.`
      : (health?.reasons ?? []).join('; ')
  notice.hidden = text === ''
  setText(notice, text)
}

function searchNow() {
  clearTimeout(typing)
  const link = peopleLink(search.value.trim())
  if (location.hash === link) return
  // A search grows letter by letter: it is one step in the history.
  if (parseRoute(location.hash).page === 'people') location.replace(link)
  else location.hash = link
}

function listenToSearch() {
  search.addEventListener('input', () => {
    clearTimeout(typing)
    typing = setTimeout(searchNow, TYPING_MS)
  })
  search.form?.addEventListener('submit', (event) => {
    event.preventDefault()
    searchNow()
    focusFirstResult()
  })
  search.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') focusFirstResult(event)
  })
  document.addEventListener('keydown', (event) => {
    const typed = event.target instanceof HTMLElement && event.target.matches('input, textarea')
    if (event.key !== '/' || typed || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    search.focus()
    search.select()
  })
}

/** @param {Event} [event] */
function focusFirstResult(event) {
  const first = main.querySelector('.rows a')
  if (!(first instanceof HTMLElement)) return
  event?.preventDefault()
  first.focus()
}

function begin() {
  takeCredentials()
  addEventListener('hashchange', () => {
    if (takeCredentials()) enter()
    else show()
  })
  listenToSearch()
  byId('sign-out').addEventListener('click', () => {
    forgetCredentials()
    leaving.abort()
    showSignIn(undefined)
  })
  byId('skip').addEventListener('click', (event) => {
    event.preventDefault()
    focusHeading()
  })
  live.listen(onSnapshot)
  if (credentials().token === undefined) showSignIn(undefined)
  else enter()
}

begin()
