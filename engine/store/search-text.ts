import type { Row } from './table.ts'

/**
 * How search sees text, the same in every store: compatibility forms unified, accents and case dropped, white space
 * and control characters made one space. A word is found where it stands as a substring.
 */

/** Longer text is searched by its beginning only; a trigram index costs an entry a character. */
const MAX_SEARCHED_LENGTH = 4096

export const MAX_SEARCH_LENGTH = 256
export const MAX_SEARCH_WORDS = 16

/** By code points, as the tokenizer counts. */
const TRIGRAM_LENGTH = 3

/** Nearly all text: what the long way would do with it, at a tenth of the cost. */
const PLAIN = /^[ -~]*$/

/** Through upper case: that unites small letters of one capital, or of none (`ß`, `ς`, iota subscripts). */
export function fold(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase().replace(/ {2,}/g, ' ')
  return text
    .normalize('NFKD')
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replaceAll('ς', 'σ')
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
}

/** What is indexed of a row: its search columns, one a line; null where they hold nothing. */
export function searchText(search: readonly string[], row: Row): string | null {
  const lines: string[] = []
  for (const column of search) {
    const value = row[column]
    if (typeof value === 'string' && value !== '') lines.push(fold(value.slice(0, MAX_SEARCHED_LENGTH)))
  }
  // Both cuts may halve a surrogate pair.
  return lines.length === 0 ? null : lines.join('\n').slice(0, MAX_SEARCHED_LENGTH).toWellFormed()
}

/** The distinct words of a query; none where it holds only white space. */
export function searchWords(query: string): readonly string[] {
  return [...new Set(fold(query).split(' '))].filter((word) => word !== '')
}

/** More of them would only cost time: whatever the index finds is compared with the words themselves. */
const MAX_QUERIED_TRIGRAMS = 32

/**
 * The words' trigrams as an FTS5 query that finds all rows that could hold them; undefined where every word is too
 * short for the index to know.
 */
export function trigramQuery(words: readonly string[]): string | undefined {
  const trigrams = new Set<string>()
  for (const word of words) {
    const points = [...word]
    for (let i = 0; i + TRIGRAM_LENGTH <= points.length; i++)
      trigrams.add(points.slice(i, i + TRIGRAM_LENGTH).join(''))
  }
  if (trigrams.size === 0) return undefined
  const queried = [...trigrams].slice(0, MAX_QUERIED_TRIGRAMS)
  return queried.map((trigram) => `"${trigram.replaceAll('"', '""')}"`).join(' AND ')
}
