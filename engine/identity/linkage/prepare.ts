import assert from 'node:assert/strict'
import type { FieldKind, LinkageModel, LinkageRecord } from './model.ts'
import { canonicalWord, LEGAL_FORMS } from './words.ts'

/** A value as comparisons see it. */
export interface PreparedValue {
  /** Values that are the same have the same text. */
  readonly text: string
  /** Of kinds that are compared word by word, sorted; else none. */
  readonly words: readonly string[]
  /** The house number of an address, the part of an e-mail address before its `@`; else ''. */
  readonly part: string
}

export type Missing = 'absent' | 'blank'

/** A record made ready for many comparisons. */
export interface PreparedRecord {
  readonly id: string
  readonly source: string | undefined
  /** By the model's comparisons. */
  readonly values: readonly (PreparedValue | Missing)[]
}

export function prepare(record: LinkageRecord, model: LinkageModel): PreparedRecord {
  const values = model.comparisons.map(({ field, kind }) => {
    const value = record.values[field]
    if (value === undefined || value === null) return 'absent'
    return preparedValue(value, kind)
  })
  return { id: record.id, source: record.source, values }
}

/** Sorted by id, so that nothing that follows depends on the order that records came in. Ids are unique. */
export function prepareAll(records: Iterable<LinkageRecord>, model: LinkageModel): readonly PreparedRecord[] {
  const prepared = Array.from(records, (record) => prepare(record, model))
  prepared.sort((a, b) => (a.id < b.id ? -1 : 1))
  for (let i = 1; i < prepared.length; i++)
    assert(prepared[i - 1]?.id !== prepared[i]?.id, 'ids of records are unique')
  return prepared
}

/** Whether they could be one at all: not if each source holds each thing once, and both are from one. */
export function mayMatch(a: PreparedRecord, b: PreparedRecord, { onePerSource }: LinkageModel): boolean {
  return !onePerSource || a.source === undefined || a.source !== b.source
}

/** A value that holds nothing that could be compared (`-`, `n/a` of a phone number) is blank. */
export function preparedValue(value: string, kind: FieldKind): PreparedValue | Missing {
  const prepared = made(value, kind)
  return prepared.text === '' ? 'blank' : prepared
}

function made(value: string, kind: FieldKind): PreparedValue {
  switch (kind) {
    case 'given_name':
    case 'surname':
    case 'place':
    case 'region':
      return plain(folded(value))
    case 'postcode':
    case 'house_number':
      return plain(folded(value).replaceAll(' ', ''))
    case 'birth_date':
      return plain(dateDigits(value))
    case 'phone':
      return plain(value.replace(/\D/g, '').replace(/^0+/, ''))
    case 'email': {
      const text = value.trim().toLowerCase()
      return { text, words: [], part: text.split('@', 1)[0] ?? '' }
    }
    case 'street':
    case 'category':
      return wordy(wordsOf(value))
    case 'full_name':
      return wordy(folded(value).split(' '))
    case 'company':
      return wordy(companyWords(value))
    case 'address':
      return addressOf(wordsOf(value))
  }
}

function plain(text: string): PreparedValue {
  return { text, words: [], part: '' }
}

/** The text doesn't know where spaces stood: they are lost and added easily. */
function wordy(words: readonly string[]): PreparedValue {
  return { text: words.join(''), words: [...new Set(words)].sort(), part: '' }
}

function addressOf(words: readonly string[]): PreparedValue {
  const at = words.findIndex((word) => /^\d+[a-z]?$/.test(word))
  const street = wordy(words.filter((_, index) => index !== at))
  const part = words[at] ?? ''
  return { ...street, text: `${part} ${street.text}`.trim(), part }
}

function companyWords(value: string): readonly string[] {
  const words = wordsOf(value)
  const telling = words.filter((word) => !LEGAL_FORMS.has(word))
  return telling.length > 0 ? telling : words
}

function wordsOf(value: string): readonly string[] {
  return folded(value)
    .split(' ')
    .filter((word) => word !== '')
    .map(canonicalWord)
}

/** Without case and accents; whatever isn't a letter or a digit separates words, but for the apostrophe. */
export function folded(value: string): string {
  return value
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll('ß', 'ss')
    .replace(/[\p{M}'’`]+/gu, '')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
}

/** YYYYMMDD, of the ISO form or of day, month and year; what is neither comes back as its digits. */
function dateDigits(value: string): string {
  const iso = /^\s*(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)/.exec(value)
  if (iso !== null) return dateOf(iso[1], iso[2], iso[3])
  const dayFirst = /^\s*(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?!\d)/.exec(value)
  if (dayFirst !== null) return dateOf(dayFirst[3], dayFirst[2], dayFirst[1])
  return value.replace(/\D/g, '')
}

function dateOf(year = '', month = '', day = ''): string {
  return year + month.padStart(2, '0') + day.padStart(2, '0')
}
