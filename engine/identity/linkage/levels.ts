import { withinEdits } from './damerau-levenshtein.ts'
import { jaroWinklerFrom } from './jaro-winkler.ts'
import type { FieldKind } from './model.ts'
import type { PreparedValue } from './prepare.ts'
import { wordOverlap } from './words.ts'

/** Jaro–Winkler: a slip of the keyboard; another form of the name. Splink's and the U.S. Census Bureau's customary steps. */
const CLOSE_NAME = 0.92
const SIMILAR_NAME = 0.8

/** Share of letters in words that both have. */
const CLOSE_WORDS = 0.8
const SIMILAR_WORDS = 0.5
/** Whether all words of the shorter one are in the longer one, a slip allowed. */
const CONTAINED_WORDS = 0.9

/** Of two values of a kind, how alike they are: the best level comes first and means that they are the same, the last nothing. */
export const LEVELS: Readonly<Record<FieldKind, readonly string[]>> = {
  given_name: ['same', 'close', 'similar', 'swapped', 'different'],
  surname: ['same', 'close', 'similar', 'swapped', 'different'],
  full_name: ['same', 'contained', 'close', 'similar', 'different'],
  birth_date: ['same', 'day and month swapped', 'one slip', 'two slips', 'different'],
  phone: ['same', 'one slip', 'same ending', 'different'],
  email: ['same', 'same before @', 'close', 'different'],
  street: ['same', 'contained', 'close', 'similar', 'swapped', 'different'],
  house_number: ['same', 'one slip', 'different'],
  address: ['same', 'same number, street alike', 'street alike', 'same number', 'different'],
  postcode: ['same', 'one slip', 'different'],
  place: ['same', 'close', 'similar', 'different'],
  region: ['same', 'one slip', 'different'],
  company: ['same', 'contained', 'close', 'similar', 'different'],
  category: ['same', 'shared words', 'different'],
}

/** Kinds of which some values are much more frequent than others, so that it matters on which one two records agree. */
export const WEIGHED_BY_FREQUENCY: ReadonlySet<FieldKind> = new Set<FieldKind>([
  'given_name',
  'surname',
  'full_name',
  'street',
  'house_number',
  'place',
  'region',
  'company',
  'category',
])

/** Index into `LEVELS[kind]`; the same both ways round. Never `swapped`: that takes two fields. */
export function levelOf(kind: FieldKind, a: PreparedValue, b: PreparedValue): number {
  if (a.text === b.text) return 0
  switch (kind) {
    case 'given_name':
      return nameLevel(a.text, b.text, isShortFor(a.text, b.text))
    case 'surname':
      return nameLevel(a.text, b.text, false)
    case 'birth_date':
      return dateLevel(a.text, b.text)
    case 'phone':
      return phoneLevel(a.text, b.text)
    case 'email':
      return emailLevel(a, b)
    case 'street':
      return streetLevel(a, b)
    case 'company':
    case 'full_name':
      return wordsLevel(a, b)
    case 'address':
      return addressLevel(a, b)
    case 'house_number':
      // One digit more or less makes another number of two that are short anyway.
      return Math.min(a.text.length, b.text.length) > 1 && withinEdits(a.text, b.text, 1) ? 1 : 2
    case 'postcode':
    case 'region':
      return withinEdits(a.text, b.text, 1) ? 1 : 2
    case 'place':
      return placeLevel(a.text, b.text)
    case 'category':
      return a.words.some((word) => b.words.includes(word)) ? 1 : 2
  }
}

/** Whether two values could be the same in the wrong place, but for a slip. */
export function fitsInPlace(a: PreparedValue, b: PreparedValue): boolean {
  return a.text === b.text || jaroWinklerFrom(CLOSE_NAME, a.text, b.text) >= CLOSE_NAME
}

export function swappedLevel(kind: FieldKind): number {
  return LEVELS[kind].indexOf('swapped')
}

export function lastLevel(kind: FieldKind): number {
  return LEVELS[kind].length - 1
}

function nameLevel(a: string, b: string, short: boolean): number {
  const likeness = jaroWinklerFrom(SIMILAR_NAME, a, b)
  if (likeness >= CLOSE_NAME) return 1
  return likeness >= SIMILAR_NAME || short ? 2 : 4
}

/** `rob` for `robert`, `j` for `jane`. */
function isShortFor(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a)
}

function placeLevel(a: string, b: string): number {
  const likeness = jaroWinklerFrom(SIMILAR_NAME, a, b)
  if (likeness >= CLOSE_NAME) return 1
  return likeness >= SIMILAR_NAME ? 2 : 3
}

function dateLevel(a: string, b: string): number {
  if (a.slice(0, 4) === b.slice(0, 4) && a.slice(4, 6) === b.slice(6, 8) && a.slice(6, 8) === b.slice(4, 6))
    return 1
  if (!withinEdits(a, b, 2)) return 4
  return withinEdits(a, b, 1) ? 2 : 3
}

/** Digits at the end that stay when country and area code are written another way. */
export const PHONE_ENDING = 7

function phoneLevel(a: string, b: string): number {
  if (
    a.length >= PHONE_ENDING &&
    b.length >= PHONE_ENDING &&
    a.slice(-PHONE_ENDING) === b.slice(-PHONE_ENDING)
  )
    return 2
  return withinEdits(a, b, 1) ? 1 : 3
}

function emailLevel(a: PreparedValue, b: PreparedValue): number {
  if (a.part === b.part) return 1
  return jaroWinklerFrom(CLOSE_NAME, a.text, b.text) >= CLOSE_NAME || withinEdits(a.text, b.text, 2) ? 2 : 3
}

function wordsLevel(a: PreparedValue, b: PreparedValue): number {
  const { dice, contained } = wordOverlap(a.words, b.words)
  if (dice >= 1) return 0
  if (contained >= CONTAINED_WORDS) return 1
  if (dice >= CLOSE_WORDS || jaroWinklerFrom(CLOSE_NAME, a.text, b.text) >= CLOSE_NAME) return 2
  return dice >= SIMILAR_WORDS ? 3 : 4
}

function streetLevel(a: PreparedValue, b: PreparedValue): number {
  const level = wordsLevel(a, b)
  return level === 4 ? lastLevel('street') : level
}

function addressLevel(a: PreparedValue, b: PreparedValue): number {
  const sameNumber = a.part !== '' && a.part === b.part
  const alike = a.words.length > 0 && b.words.length > 0 && wordsLevel(a, b) <= 2
  if (sameNumber) return alike ? 1 : 3
  return alike ? 2 : 4
}
