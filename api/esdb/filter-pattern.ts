import assert from 'node:assert/strict'
import * as E from 'fp-ts/lib/Either.js'
import { BoundedCache } from '../../engine/bounded-cache.ts'
import { matchInThread } from './filter-matching.ts'

/** A client's regular expression. */
export interface Pattern {
  /** `decide` must have been asked for the name before, where there is one. */
  readonly matches: (name: string) => boolean
  /**
   * Absent: any name takes a time proportional to its length. Else it is done in another thread, since there is no telling how
   * long it takes; rejects with `FilterTooSlow`.
   */
  readonly decide: ((names: readonly string[]) => Promise<void>) | undefined
}

const MAX_PATTERN_LENGTH = 1_024
/** With each of these, compiling may take longer by half, and can't be interrupted: so many take some 10 ms. */
const MAX_OPTIONAL = 20
/** In one order to the thread. */
const ORDER_NAMES = 256
const REMEMBERED = 10_000

/** Left: why it can't be had. */
export function patternOf(text: string): E.Either<string, Pattern> {
  if (text.length > MAX_PATTERN_LENGTH)
    return E.left(`a filter's expression has at most ${MAX_PATTERN_LENGTH} characters`)
  const plain = withoutEscapes(text)
  if ((plain.match(OPTIONAL)?.length ?? 0) > MAX_OPTIONAL)
    return E.left(`a filter's expression has at most ${MAX_OPTIONAL} optional parts`)
  try {
    // Reads it; what compiling comes to is only seen with the first match.
    const regex = new RegExp(text, 'u')
    return E.right(
      isLinear(plain) ? { matches: (name) => regex.test(name), decide: undefined } : elsewhere(text),
    )
  } catch {
    return E.left("the filter's regular expression can't be read")
  }
}

/**
 * Whether it surely never looks back: literals and classes only, of which one may be repeated where matching begins at the
 * beginning alone. Most filters are like that.
 */
function isLinear(plain: string): boolean {
  if (/[|(){}\\[\]]/.test(plain)) return false
  const repeats = plain.match(/[*+?]/g)?.length ?? 0
  return repeats === 0 || (repeats === 1 && plain.startsWith('^'))
}

const OPTIONAL = /(?<!\()\?|\{0|\|\)|[(:|]\|/g

/** Every class, and every escape that stands for one character, as a letter. */
function withoutEscapes(text: string): string {
  return text.replaceAll(/\\[^1-9kbBpPu]/g, 'x').replaceAll(/\[(?:\\.|[^\]\\])*\]/g, 'x')
}

function elsewhere(pattern: string): Pattern {
  const known = new BoundedCache<string, boolean>(REMEMBERED)
  let decided = new Map<string, boolean>()
  return {
    matches(name) {
      const found = decided.get(name)
      assert(found !== undefined, 'a name is matched that nobody asked to decide')
      return found
    },
    async decide(names) {
      decided = new Map()
      const asked: string[] = []
      for (const name of new Set(names)) {
        const found = known.get(name)
        if (found === undefined) asked.push(name)
        else decided.set(name, found)
      }
      for (let at = 0; at < asked.length; at += ORDER_NAMES) {
        const order = asked.slice(at, at + ORDER_NAMES)
        const answer = await matchInThread({ pattern, names: order })
        for (const [index, name] of order.entries()) {
          decided.set(name, answer[index] === true)
          known.set(name, answer[index] === true)
        }
      }
    },
  }
}
