/** @import { Failure, Reply } from './answers.d.ts' */
import { credentials } from './session.js'

/** @typedef {Readonly<Record<string, string | number | boolean | undefined>>} Parameters */

/**
 * An address with its parameters, those that are undefined left out.
 * @param {string} path
 * @param {Parameters} parameters
 */
export function address(path, parameters) {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) query.set(name, String(value))
  }
  const text = query.toString()
  return text === '' ? path : `${path}?${text}`
}

/**
 * A read, with the read token. The engine that answers also serves this page, so both are of one version and `T` is
 * what its OpenAPI document says.
 * @template T
 * @param {string} path
 * @param {AbortSignal | undefined} [signal]
 * @returns {Promise<Reply<T>>}
 */
export function get(path, signal) {
  return ask(path, { headers: bearer(credentials().token), ...(signal === undefined ? {} : { signal }) })
}

/**
 * A question that is too personal for an address.
 * @template T
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal | undefined} [signal]
 * @returns {Promise<Reply<T>>}
 */
export function query(path, body, signal) {
  const headers = { ...bearer(credentials().token), 'content-type': 'application/json' }
  const options = { method: 'POST', headers, body: JSON.stringify(body) }
  return ask(path, signal === undefined ? options : { ...options, signal })
}

/**
 * A command, with the write key.
 * @template T
 * @param {string} path
 * @returns {Promise<Reply<T>>}
 */
export function command(path) {
  return ask(path, { method: 'POST', headers: bearer(credentials().key) })
}

/**
 * An answer whose body means something whatever its status is.
 * @template T
 * @param {string} path
 * @returns {Promise<Reply<T>>}
 */
export async function getAny(path) {
  try {
    const response = await fetch(path)
    return { ok: true, body: await response.json() }
  } catch (error) {
    return { ok: false, failure: thrown(error) }
  }
}

/**
 * @template T
 * @param {string} path
 * @param {RequestInit} options
 * @returns {Promise<Reply<T>>}
 */
async function ask(path, options) {
  try {
    const response = await fetch(path, { ...options, redirect: 'error' })
    if (response.ok) return { ok: true, body: await response.json() }
    return { ok: false, failure: await refusal(response) }
  } catch (error) {
    return { ok: false, failure: thrown(error) }
  }
}

/**
 * @param {Response} response
 * @returns {Promise<Failure>}
 */
async function refusal(response) {
  const problem = await response.json().catch(() => ({}))
  const detail =
    typeof problem.detail === 'string' ? problem.detail : `The engine answered ${response.status}.`
  switch (response.status) {
    case 401:
      return { kind: 'unauthorised', detail }
    case 403:
      return { kind: 'forbidden', detail }
    case 404:
    case 405:
      return { kind: 'absent', detail }
    default:
      return { kind: 'failed', detail }
  }
}

/**
 * @param {unknown} error
 * @returns {Failure}
 */
function thrown(error) {
  if (error instanceof DOMException && error.name === 'AbortError') return { kind: 'aborted', detail: '' }
  return { kind: 'unreachable', detail: 'The engine doesn’t answer.' }
}

/**
 * @param {string | undefined} secret
 * @returns {Record<string, string>}
 */
function bearer(secret) {
  return secret === undefined ? {} : { authorization: `Bearer ${secret}` }
}
