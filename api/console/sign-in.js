import { h } from './dom.js'
import { rememberToken } from './session.js'

/**
 * Asks for the read token.
 * @param {string | undefined} complaint why the last one wasn't taken
 * @param {() => void} done
 */
export function signIn(complaint, done) {
  const input = h('input', {
    id: 'read-token',
    type: 'password',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
    'aria-describedby': 'token-help token-error',
    'aria-invalid': complaint === undefined ? undefined : 'true',
  })
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault()
    const token = input.value.trim()
    if (token === '') return
    rememberToken(token)
    done()
  }
  return h(
    'div',
    { class: 'sign-in' },
    h(
      'form',
      { class: 'card sign-in-form', submit },
      h('h1', { tabindex: -1 }, 'Sign in'),
      h('label', { for: 'read-token', class: 'sign-in-label' }, 'Read token'),
      input,
      h('p', { id: 'token-error', class: 'form-error', role: 'alert' }, complaint ?? ''),
      h('button', { class: 'button primary' }, 'Continue'),
      h(
        'p',
        { id: 'token-help', class: 'hint' },
        'The token stands in credentials.json in the data directory. ',
        h('code', {}, 'npx headwater open'),
        ' prints an address that signs you in. It stays in this tab only.',
      ),
    ),
  )
}
