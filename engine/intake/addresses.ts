import { getCountries, getCountryCallingCode, parsePhoneNumberFromString } from 'libphonenumber-js'
import type { StatedIdentity } from '../events/identity.ts'

/** Mail addresses and telephone numbers in texts that are meant to hold something else. */

/** Where in a text an address or number stands, and whose it is. */
interface Mention {
  readonly from: number
  readonly to: number
  readonly identity: StatedIdentity
}

const NONE: readonly Mention[] = []
const ALSO_NONE: readonly StatedIdentity[] = []

/** No address and no number with its country code is written without one of these; most texts have none of them. */
const SIGN = /[@+%＠﹫＋﹢⁺₊]/

/** ASCII without spaces and percent signs: nobody meant anything else by it. */
const ORDINARY = /^[!-$&-~]*$/

/** A text as whoever wrote it meant it: percent-encoding and typographic forms (a full-width @) undone. */
export function plain(text: string): string {
  if (ORDINARY.test(text)) return text
  return decoded(text).normalize('NFKC').trim()
}

/** Nobody sees them: soft hyphens, zero-width spaces, marks of direction. */
const UNSEEN = /\p{Cf}/gu

/** As `plain`, and without what is read over, for looking for addresses within. */
function seen(text: string): string {
  return ORDINARY.test(text) ? text : plain(text).replaceAll(UNSEEN, '')
}

function decoded(text: string): string {
  if (!text.includes('%')) return text
  const signed = text.replaceAll(/%(?:25)*40/g, '@').replaceAll(/%(?:25)*2b/gi, '+')
  try {
    return decodeURIComponent(signed)
  } catch {
    // Not percent-encoded after all, or not all of it.
    return signed
  }
}

/** Taking a text apart as a number costs 10 µs and more: whoever sends megabytes of them must not stop everybody else. */
const MOST_LOOKS = 1_000

/** How many more times texts may be taken apart as numbers. Beyond it whatever begins like one counts as one. */
export interface Looks {
  left: number
}

export function looks(): Looks {
  return { left: MOST_LOOKS }
}

/** Each as the key store would know it: mail in lower case, numbers in E.164. */
export function addressesIn(text: string, budget = looks()): readonly StatedIdentity[] {
  if (!SIGN.test(text)) return ALSO_NONE
  return mentionsIn(seen(text), budget).map(({ identity }) => identity)
}

/** Whether an amount is a telephone number: it may have a sign for its own sake, so the number must be one that is given out. */
export function isPhone(text: string): boolean {
  return SIGN.test(text) && parsePhoneNumberFromString(seen(text), { extract: false })?.isValid() === true
}

/** The text with what `named` says in place of each address and number; the same text where there is none. */
export function withoutAddresses(text: string, named: (identity: StatedIdentity) => string): string {
  if (!SIGN.test(text)) return text
  const meant = seen(text)
  const mentions = mentionsIn(meant, looks())
  if (mentions.length === 0) return text
  const written: string[] = []
  let end = 0
  for (const { from, to, identity } of mentions) {
    written.push(meant.slice(end, from), named(identity))
    end = to
  }
  return written.join('') + meant.slice(end)
}

function mentionsIn(meant: string, budget: Looks): readonly Mention[] {
  const mails = meant.includes('@') ? mailsIn(meant) : NONE
  const phones = meant.includes('+') ? phonesIn(meant, budget) : NONE
  if (phones.length === 0) return mails
  const free = phones.filter((phone) => !mails.some(({ from, to }) => phone.from < to && from < phone.to))
  return [...mails, ...free].sort((a, b) => a.from - b.from)
}

/** What may stand before the @: anything that doesn't part words or the pieces of a URL. */
const LOCAL = /[^\s@<>()[\],;:"'\\/?&=#|]/
/** RFC 5321, 4.5.3.1.1. */
const MAX_LOCAL_LENGTH = 64
const HOST = /(?:[\p{L}\p{M}\p{N}_-]{1,63}\.)+(?:xn--[a-z\d-]{1,59}|[\p{L}\p{M}]{2,63})/iuy
/** `logo@2x.png` is a file. */
const FILE = /\.(?:png|jpe?g|gif|webp|avif|svg|ico|bmp|tiff?|css|js|mjs|json|html?|pdf|mp4)$/i

function mailsIn(meant: string): readonly Mention[] {
  const found: Mention[] = []
  for (let at = meant.indexOf('@'); at >= 0; at = meant.indexOf('@', at + 1)) {
    const from = localStart(meant, at)
    HOST.lastIndex = at + 1
    const host = from === at ? undefined : HOST.exec(meant)?.[0]
    if (host === undefined || FILE.test(host)) continue
    const to = at + 1 + host.length
    found.push({ from, to, identity: { namespace: 'email', value: meant.slice(from, to).toLowerCase() } })
  }
  return found
}

function localStart(meant: string, at: number): number {
  let from = at
  while (from > 0 && at - from < MAX_LOCAL_LENGTH && LOCAL.test(meant[from - 1] ?? '')) from -= 1
  return from
}

/** E.164: at most 15 digits; fewer than 7 name nobody. Dashes and dots are also those of typographers. */
const NUMBER = /\+(?:[\s().\-/\u2010-\u2015\u2212\u00b7\u2022]{0,3}\d){7,15}(?!\d)/y

function phonesIn(meant: string, budget: Looks): readonly Mention[] {
  const found: Mention[] = []
  for (let at = meant.indexOf('+'); at >= 0; at = meant.indexOf('+', at + 1)) {
    NUMBER.lastIndex = at
    const number = phoneAt(NUMBER.exec(meant)?.[0], budget)
    if (number === undefined) continue
    const { value, length } = number
    found.push({ from: at, to: at + length, identity: { namespace: 'phone', value } })
  }
  return found
}

/** ITU-T E.164: of countries, and of services that have none. */
const CALLING_CODES: ReadonlySet<string> = new Set([
  ...getCountries().map((country): string => getCountryCallingCode(country)),
  ...['800', '808', '870', '878', '881', '882', '883', '888', '979'],
])

/** Much of what is no number ends here: to take a text apart as one costs a hundred times this look. */
function hasCallingCode(digits: string): boolean {
  return [1, 2, 3].some((length) => CALLING_CODES.has(digits.slice(0, length)))
}

/** More digits may follow, behind a separator: the longest beginning that may be a number. */
function phoneAt(
  text: string | undefined,
  budget: Looks,
): { readonly value: string; readonly length: number } | undefined {
  if (text === undefined || !hasCallingCode(text.replaceAll(/\D/g, ''))) return undefined
  for (let length = text.length; length > MIN_PHONE_LENGTH; length--) {
    if (!/\d/.test(text[length - 1] ?? '') || /\d/.test(text[length] ?? '')) continue
    const value = `+${text.slice(0, length).replaceAll(/\D/g, '')}`
    if (budget.left <= 0) return { value, length }
    budget.left -= 1
    if (parsePhoneNumberFromString(value, { extract: false })?.isPossible() === true) return { value, length }
  }
  return undefined
}

const MIN_PHONE_LENGTH = 7
