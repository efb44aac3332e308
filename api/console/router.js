/** @import { Route } from './answers.d.ts' */

/**
 * @param {string} hash as `location.hash` has it
 * @returns {Route}
 */
export function parseRoute(hash) {
  const mark = hash.indexOf('?')
  const path = mark === -1 ? hash : hash.slice(0, mark)
  const parameters = new URLSearchParams(mark === -1 ? '' : hash.slice(mark + 1))
  const [first = '', ...rest] = path.replace(/^#\/?/, '').split('/')
  const name = rest.length === 0 ? undefined : decode(rest.join('/'))
  switch (first) {
    case '':
      return { page: 'overview' }
    case 'people':
      return { page: 'people', query: parameters.get('q') ?? '' }
    case 'profiles':
      return name ? { page: 'profile', id: name, field: parameters.get('field') ?? undefined } : NOWHERE
    case 'pipeline':
      return name === undefined ? { page: 'pipeline' } : { page: 'stage', stage: name }
    case 'cases':
      return { page: 'cases' }
    default:
      return NOWHERE
  }
}

/** @type {Route} */
const NOWHERE = { page: 'nowhere' }

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** @param {string} query */
export function peopleLink(query) {
  return query === '' ? '#/people' : `#/people?${new URLSearchParams({ q: query })}`
}

/**
 * @param {string} id
 * @param {string | undefined} [field]
 */
export function profileLink(id, field) {
  const link = `#/profiles/${encodeURIComponent(id)}`
  return field === undefined ? link : `${link}?${new URLSearchParams({ field })}`
}

/** @param {string} stage */
export function stageLink(stage) {
  return `#/pipeline/${encodeURIComponent(stage)}`
}
