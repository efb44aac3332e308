const ASCII = 0x80
const TO_LOWER = 0x20

/** Neither a blank nor beyond ASCII, where lower case may begin with another unit than it has. */
function isPlain(unit: number): boolean {
  return unit > 0x20 && unit < 0x7f
}

function isUpper(unit: number): boolean {
  return unit >= 0x41 && unit <= 0x5a
}

/**
 * With what units some words begin and end. Nearly no identity has both in common with one of the words, and that is told
 * in a fraction of the time that looking it up takes.
 */
export class WordEnds {
  readonly #first = new Uint8Array(ASCII)
  readonly #last = new Uint8Array(ASCII)

  constructor(words: Iterable<string>) {
    for (const word of words) {
      const [first, last] = [word.charCodeAt(0), word.charCodeAt(word.length - 1)]
      if (first < ASCII) this.#first[first] = 1
      if (last < ASCII) this.#last[last] = 1
    }
  }

  /** False where the text up to `end`, as it is or in lower case without blanks around, is surely none of the words. */
  mayBe(text: string, end: number): boolean {
    if (end === 0) return true
    const [first, last] = [text.charCodeAt(0), text.charCodeAt(end - 1)]
    return !isPlain(first) || !isPlain(last) || (this.#has(this.#first, first) && this.#has(this.#last, last))
  }

  #has(units: Uint8Array, unit: number): boolean {
    return units[unit] === 1 || (isUpper(unit) && units[unit + TO_LOWER] === 1)
  }
}
