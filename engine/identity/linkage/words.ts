import { jaroWinklerFrom } from './jaro-winkler.ts'

/** What tells nothing about which company it is. */
export const LEGAL_FORMS: ReadonlySet<string> = new Set(
  'ag bv co company corp corporation gmbh inc incorporated kg limited llc llp ltd nv oy plc pty sa sarl spa srl the'.split(
    ' ',
  ),
)

/** Long forms that are often abbreviated, by what they become. */
const SHORT_FORMS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ave: 'avenue av',
    blvd: 'boulevard blv',
    cct: 'circuit crct',
    cir: 'circle',
    cl: 'close',
    cres: 'crescent cr',
    ct: 'court crt',
    dr: 'drive',
    gr: 'grove',
    hwy: 'highway',
    ln: 'lane la',
    pde: 'parade',
    pkwy: 'parkway',
    pl: 'place',
    rd: 'road',
    sq: 'square',
    st: 'street saint str strasse sts',
    ter: 'terrace tce',
    apt: 'apartment apmnt',
    fl: 'floor flr',
    vlge: 'village',
    ste: 'suite',
    e: 'east',
    n: 'north',
    s: 'south',
    w: 'west',
    '1st': 'first',
    '2nd': 'second',
    '3rd': 'third',
    '4th': 'fourth',
    '5th': 'fifth',
    '6th': 'sixth',
    '7th': 'seventh',
    '8th': 'eighth',
    '9th': 'ninth',
    '10th': 'tenth',
  }).flatMap(([short, forms]) => forms.split(' ').map((long): [string, string] => [long, short])),
)

export function canonicalWord(word: string): string {
  return SHORT_FORMS.get(word) ?? word
}

/** Words at least this alike are the same with a slip. */
const ALIKE_WORDS = 0.92
/** A word that another begins with is short for it from this many letters on. */
const SHORT_FOR_LETTERS = 3

export interface WordOverlap {
  /** Soft Dice coefficient, weighed by letters: twice what is shared, over all. */
  readonly dice: number
  /** The share of the side with fewer letters that the other has too. */
  readonly contained: number
}

/**
 * How much two sorted sets of words have in common, whatever their order; words alike count as they are alike. The same
 * both ways round.
 */
export function wordOverlap(a: readonly string[], b: readonly string[]): WordOverlap {
  const all = [lettersOf(a), lettersOf(b)] as const
  const restA = a.filter((word) => !b.includes(word))
  const restB = b.filter((word) => !a.includes(word))
  const same = all[0] - lettersOf(restA)
  const [alikeA, alikeB] = restA.length > 0 && restB.length > 0 ? alikeLetters(restA, restB) : [0, 0]
  const least = all[0] <= all[1] ? same + alikeA : same + alikeB
  return {
    dice: (2 * same + alikeA + alikeB) / (all[0] + all[1]),
    contained: all[0] === all[1] ? (2 * same + alikeA + alikeB) / (2 * all[0]) : least / Math.min(...all),
  }
}

function alikeLetters(a: readonly string[], b: readonly string[]): readonly [number, number] {
  const pairs: { readonly one: string; readonly other: string; readonly likeness: number }[] = []
  for (const one of a) {
    for (const other of b) {
      const likeness = wordLikeness(one, other)
      if (likeness > 0) pairs.push({ one, other, likeness })
    }
  }
  // Both sides are sorted, so of equally alike pairs that compete for a word the same one comes first both ways round.
  pairs.sort((p, q) => q.likeness - p.likeness)
  const taken = new Set<string>()
  const letters: [number, number] = [0, 0]
  for (const { one, other, likeness } of pairs) {
    if (taken.has(`a${one}`) || taken.has(`b${other}`)) continue
    taken.add(`a${one}`).add(`b${other}`)
    letters[0] += likeness * one.length
    letters[1] += likeness * other.length
  }
  return letters
}

function wordLikeness(a: string, b: string): number {
  // Jaro–Winkler of words that begin differently is hardly ever so high, and finding that out costs most.
  if (a[0] !== b[0] || /\d/.test(a) || /\d/.test(b)) return 0
  const least = Math.min(a.length, b.length)
  if (least >= SHORT_FOR_LETTERS && (a.startsWith(b) || b.startsWith(a))) return ALIKE_WORDS
  if (least <= SHORT_FOR_LETTERS) return 0
  const likeness = jaroWinklerFrom(ALIKE_WORDS, a, b)
  return likeness >= ALIKE_WORDS ? likeness : 0
}

function lettersOf(words: readonly string[]): number {
  return words.reduce((sum, word) => sum + word.length, 0)
}
