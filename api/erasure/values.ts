import type { StatedIdentity } from '../../engine/events/identity.ts'
import { parseValue } from '../../engine/intake/parse.ts'
import type { QuarantinedBody } from '../../engine/intake/quarantine.ts'

/**
 * Whether a text or a refused body names one of these identities. Better one body too many than one too few; but a short
 * value (a user number of two digits) counts only where it stands alone, as it would name half of everybody otherwise.
 */
export interface NameSearch {
  inText(text: string): boolean
  inBody(kept: Pick<QuarantinedBody, 'body' | 'id' | 'type' | 'message'>): boolean
}

/** Shorter values are found as a whole only. */
const DISTINCTIVE_LENGTH = 6
const LEAST_PHONE_DIGITS = 7
const PHONE_LIKE = /\d(?:[ ().\-/]{0,2}\d){6,}/g

export function searchFor(people: readonly StatedIdentity[]): NameSearch {
  const wanted = people.map(({ value }) => folded(value))
  const long = wanted.filter((value) => value.length >= DISTINCTIVE_LENGTH)
  const inLong = containsAny(long)
  const short = new Set(wanted.filter((value) => value.length < DISTINCTIVE_LENGTH))
  const phones = Map.groupBy(
    people.filter(({ namespace }) => namespace === 'phone').map(({ value }) => value.slice(1)),
    lastDigits,
  )

  const inText = (text: string): boolean => {
    const searched = [folded(text), folded(percentDecoded(text))]
    return searched.some((each) => short.has(each) || inLong(each) || namesPhone(each, phones))
  }
  return {
    inText,
    inBody({ body, id, type, message }) {
      if ([id, type, message].some((text) => text !== undefined && inText(text))) return true
      if (body === undefined) return false
      if (inText(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'))) return true
      const parsed = parseValue(body)
      return parsed._tag === 'Right' && leaves(parsed.right, (leaf, key) => inLeaf(leaf, key, inText, short))
    },
  }
}

/** A profile may have ten thousand identities, and the quarantine a gigabyte: each value by itself would take hours. */
const MOST_ONE_BY_ONE = 16

/** Whether a text contains one of these values, each of at least `DISTINCTIVE_LENGTH`. */
function containsAny(values: readonly string[]): (text: string) => boolean {
  if (values.length <= MOST_ONE_BY_ONE) return (text) => values.some((value) => text.includes(value))
  const byBeginning = Map.groupBy(values, (value) => value.slice(0, DISTINCTIVE_LENGTH))
  return (text) => {
    for (let at = 0; at + DISTINCTIVE_LENGTH <= text.length; at++) {
      const candidates = byBeginning.get(text.slice(at, at + DISTINCTIVE_LENGTH))
      if (candidates?.some((value) => text.startsWith(value, at))) return true
    }
    return false
  }
}

function inLeaf(
  leaf: unknown,
  key: string,
  inText: NameSearch['inText'],
  short: ReadonlySet<string>,
): boolean {
  if (inText(key)) return true
  if (typeof leaf === 'string') return inText(leaf)
  // A number may be anything; only what is called an id is one.
  return (typeof leaf === 'number' || typeof leaf === 'bigint') && /id$/i.test(key) && short.has(String(leaf))
}

/** As everybody writes it: compatibility forms unified, case dropped. */
function folded(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase()
}

function percentDecoded(text: string): string {
  if (!text.includes('%')) return text
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (encoded) => {
    try {
      return decodeURIComponent(encoded)
    } catch {
      return encoded
    }
  })
}

/** In whatever way it is written: with blanks and dashes, without the country's code. `phones`: by their last digits. */
function namesPhone(text: string, phones: ReadonlyMap<string, readonly string[]>): boolean {
  if (phones.size === 0) return false
  for (const [written] of text.matchAll(PHONE_LIKE)) {
    const digits = written.replaceAll(/\D/g, '').replace(/^0+/, '')
    if (digits.length < LEAST_PHONE_DIGITS) continue
    const candidates = phones.get(lastDigits(digits))
    if (candidates?.some((phone) => phone.endsWith(digits) || digits.endsWith(phone))) return true
  }
  return false
}

function lastDigits(digits: string): string {
  return digits.slice(-LEAST_PHONE_DIGITS)
}

/** Without recursion: a refused body may be nested deeper than the stack. */
function leaves(root: unknown, found: (leaf: unknown, key: string) => boolean): boolean {
  const todo: { readonly value: unknown; readonly key: string }[] = [{ value: root, key: '' }]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { value, key } = next
    if (typeof value !== 'object' || value === null) {
      if (found(value, key)) return true
    } else if (Array.isArray(value)) {
      for (const element of value) todo.push({ value: element, key })
    } else {
      for (const [name, each] of Object.entries(value)) todo.push({ value: each, key: name })
    }
  }
  return false
}
