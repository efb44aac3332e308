import type { Candidate, Ranking } from '../../engine/reducers/rule.ts'

/**
 * Plain models of the rules: sort all writes by a list of keys and take the first. Written without the engine's
 * comparisons, so that both can only agree by being right.
 */
export type Oracle<W, V> = (all: readonly Candidate<W>[], ranking: Ranking) => V | undefined

type Key = number | string
export type Keys<W> = (candidate: Candidate<W>, rank: number) => readonly Key[]

/** Greatest keys first. */
export function sorted<W>(all: readonly Candidate<W>[], ranking: Ranking, keys: Keys<W>): Candidate<W>[] {
  const keyed = all.map((each) => ({ each, keys: keys(each, ranking(each[2])) }))
  keyed.sort((a, b) => {
    for (const [i, key] of a.keys.entries()) {
      const other = b.keys[i] as Key
      if (key > other) return -1
      if (key < other) return 1
    }
    return 0
  })
  return keyed.map(({ each }) => each)
}

export const newest = <W>(
  [value, time, source, sequence, id]: Candidate<W>,
  rank: number,
): readonly Key[] => [time, -rank, sequence, id, source, JSON.stringify(value)]

/** The value of the write with the greatest keys. */
export function greatest<W>(keys: Keys<W>): Oracle<W, W> {
  return (all, ranking) => sorted(all, ranking, keys)[0]?.[0]
}

/** Mirrors strings in code-unit order: the less a string is, the greater its mirror. */
export function mirrored(text: string): string {
  return [...text]
    .map((each) => String.fromCharCode(0xffff - each.charCodeAt(0)))
    .join('')
    .concat('\uffff')
}
