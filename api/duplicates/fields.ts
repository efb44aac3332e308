import assert from 'node:assert/strict'
import { LEVELS } from '../../engine/identity/linkage/levels.ts'
import { type Fields, type LinkageModel, modelOf } from '../../engine/identity/linkage/model.ts'
import { folded } from '../../engine/identity/linkage/prepare.ts'
import type { Reason } from '../../engine/identity/linkage/weights.ts'
import { LEGAL_FORMS } from '../../engine/identity/linkage/words.ts'
import type { CellValue, Row } from '../../engine/store/table.ts'

/** What of a golden record is compared. Raise it whenever that, the comparisons or the thresholds change. */
export const MODEL_VERSION = 'headwater-duplicates/1'

export const KINDS = ['person', 'company'] as const
export type Kind = (typeof KINDS)[number]

const PERSON: Fields = {
  first_name: 'given_name',
  last_name: 'surname',
  birth_date: 'birth_date',
  email: 'email',
  phone: 'phone',
  address: 'address',
  postal_code: 'postcode',
  city: 'place',
  // Colleagues have it in common, so it is compared, but nobody is looked for by it.
  company: 'category',
}

/** Not the domain: companies of one domain are one already, and domains that are alike are made of names that are. */
const COMPANY: Fields = {
  name: 'company',
  phone: 'phone',
  address: 'address',
  postal_code: 'postcode',
  city: 'place',
  industry: 'category',
}

/** Nothing about one kind is compared with the other: people and companies are never one. */
export const MODELS: Readonly<Record<Kind, LinkageModel>> = {
  person: modelOf(PERSON),
  company: modelOf(COMPANY),
}

export type Values = Readonly<Record<string, string | undefined>>

/** What is compared of a row of the view of profiles; undefined: it is about nobody yet. */
export function comparedOf(row: Row): { readonly kind: Kind; readonly values: Values } | undefined {
  switch (row['kind']) {
    case 'person':
      return { kind: 'person', values: personValues(row) }
    case 'company':
      return { kind: 'company', values: companyValues(row) }
    default:
      return undefined
  }
}

/** How many fields hold something. */
export function heldIn(values: Values): number {
  return Object.values(values).filter((value) => value !== undefined && value !== '').length
}

function personValues(row: Row): Values {
  const [first, last] = nameParts(textOf(row['name']) ?? '')
  const names = {
    first_name: textOf(row['first_name']) ?? first,
    last_name: textOf(row['last_name']) ?? last,
  }
  return {
    ...placeValues(row),
    ...names,
    birth_date: birthDateOf(row['traits']),
    email: unlessOfName(textOf(row['email']), [names.first_name, names.last_name]),
    phone: textOf(row['phone']),
    company: withoutLegalForm(textOf(row['company'])),
  }
}

function companyValues(row: Row): Values {
  return {
    ...placeValues(row),
    name: textOf(row['name']),
    phone: textOf(row['phone']),
    industry: textOf(row['industry']),
  }
}

function placeValues(row: Row): Values {
  const address = membersOf(row['address'])
  return {
    address: textOf(address['street']) ?? textOf(address['text']),
    postal_code: textOf(address['postal_code']),
    city: textOf(address['city']),
  }
}

const TITLES = new Set('dr frau herr miss mr mrs ms mx prof sir'.split(' '))

/** First and last name out of one text, `Smith, Jane` too; what stands between them is left out. */
function nameParts(name: string): readonly [first: string | undefined, last: string | undefined] {
  const [before = '', after = ''] = name.split(',', 2)
  if (after.trim() !== '') return [wordsOf(after)[0], before.trim()]
  const words = wordsOf(before)
  return [words[0], words.length > 1 ? words.at(-1) : undefined]
}

function wordsOf(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '' && !TITLES.has(word.toLowerCase().replace('.', '')))
}

const LEAST_NAME_LETTERS = 3

/**
 * A mail address made of its owner's name tells nothing that the name doesn't: were it compared, namesakes would look like
 * one person, and weights would be learnt from them.
 */
function unlessOfName(email: string | undefined, names: readonly (string | undefined)[]): string | undefined {
  const local = lettersOf(email?.split('@', 1)[0] ?? '')
  const parts = names
    .map((name) => lettersOf(name ?? ''))
    .filter(({ length }) => length >= LEAST_NAME_LETTERS)
  return parts.some((part) => local.includes(part)) ? undefined : email
}

function lettersOf(text: string): string {
  return folded(text).replaceAll(/[^\p{L}]/gu, '')
}

/** Traits that people's birth dates come under, without case and whatever separates words. */
const BIRTH_TRAITS = new Set(['birthday', 'birthdate', 'dateofbirth', 'dob', 'born'])
const LONGEST_DATE = 40

function birthDateOf(traits: CellValue | undefined): string | undefined {
  for (const [name, value] of Object.entries(membersOf(traits))) {
    if (!BIRTH_TRAITS.has(name.toLowerCase().replaceAll(/[^a-z]/g, ''))) continue
    const text = textOf(value)
    if (text !== undefined && text.length <= LONGEST_DATE && /\d/.test(text)) return text
  }
  return undefined
}

function withoutLegalForm(company: string | undefined): string | undefined {
  const words = company?.split(/\s+/).filter((word) => !LEGAL_FORMS.has(word.toLowerCase().replace('.', '')))
  return words === undefined || words.length === 0 ? company : words.join(' ')
}

function membersOf(value: CellValue | undefined): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  return Object.fromEntries(Object.entries(value))
}

function textOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  return text === '' ? undefined : text
}

/**
 * People of one household, or of one office, have address, phone and surname in common, and there may be more of them than
 * duplicates: then weights are learnt from them. Whoever has another first name is proposed only with a birth date that says
 * otherwise.
 */
export function areHousehold(kind: Kind, reasons: readonly Pick<Reason, 'field' | 'level'>[]): boolean {
  if (kind !== 'person') return false
  const levelOf = (name: string) => reasons.find(({ field }) => field === name)?.level
  if (levelOf('first_name') !== LEVELS.given_name.at(-1)) return false
  return !SAME_BIRTH.has(levelOf('birth_date') ?? '')
}

const SAME_BIRTH: ReadonlySet<string> = new Set(['same', 'day and month swapped', 'one slip'])
for (const level of SAME_BIRTH) assert(LEVELS.birth_date.includes(level))

/** Whether a field says that the two are not one: by what it says, however little the weights make of it. */
export function contradicts(kind: Kind, { field, level, bits }: Reason): boolean {
  const compared = MODELS[kind].comparisons.find((each) => each.field === field)
  return bits < 0 || (compared !== undefined && level === LEVELS[compared.kind].at(-1))
}

for (const kind of KINDS) {
  const compared = Object.keys(comparedOf({ kind })?.values ?? {}).sort()
  const modelled = MODELS[kind].comparisons.map(({ field }) => field)
  assert.deepEqual(compared, modelled, 'what is read of a row is what is compared')
}
