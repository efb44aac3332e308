/** @typedef {{ readonly token: string | undefined, readonly key: string | undefined }} Credentials */

const TOKEN = 'headwater.read-token'
const KEY = 'headwater.write-key'

/**
 * Takes `#token=…&key=…` out of the address: it stays in this tab until it is closed, and in no history.
 * @returns {boolean} whether there was anything to take
 */
export function takeCredentials() {
  const stated = new URLSearchParams(location.hash.slice(1))
  const token = stated.get('token')
  const key = stated.get('key')
  if (token === null && key === null) return false
  if (token) sessionStorage.setItem(TOKEN, token)
  if (key) sessionStorage.setItem(KEY, key)
  history.replaceState(null, '', `${location.pathname}${location.search}#/`)
  return true
}

/** @returns {Credentials} */
export function credentials() {
  return {
    token: sessionStorage.getItem(TOKEN) ?? undefined,
    key: sessionStorage.getItem(KEY) ?? undefined,
  }
}

/** @param {string} token */
export function rememberToken(token) {
  sessionStorage.setItem(TOKEN, token)
}

/** @param {string} key */
export function rememberKey(key) {
  sessionStorage.setItem(KEY, key)
}

export function forgetKey() {
  sessionStorage.removeItem(KEY)
}

export function forgetCredentials() {
  sessionStorage.removeItem(TOKEN)
  sessionStorage.removeItem(KEY)
}
