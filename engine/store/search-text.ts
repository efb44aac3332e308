import type { Row } from './table.ts'

/**
 * How search sees text, the same in every store: compatibility forms unified, accents and case dropped, white space
 * and control characters made one space. A word is found where it stands as a substring.
 */

/** Longer text is searched by its beginning only; a trigram index costs an entry a character. */
const MAX_SEARCHED_LENGTH = 4096

export const MAX_SEARCH_LENGTH = 256
export const MAX_SEARCH_WORDS = 16

/** Trigram indexes know nothing shorter. */
export const TRIGRAM_LENGTH = 3

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

/** A word of FTS5's query language that stands for exactly this text. */
export function ftsPhrase(word: string): string {
  return `"${word.replaceAll('"', '""')}"`
}

/** By code points, as the tokenizer counts. */
export function isIndexable(word: string): boolean {
  return [...word].length >= TRIGRAM_LENGTH
}
