/** How well a set of pairs agrees with the true one. */
export interface Score {
  readonly f1: number
  readonly precision: number
  readonly recall: number
  readonly right: number
  readonly wrong: number
  readonly missed: number
}

export function scoreOf(found: ReadonlySet<string>, truth: ReadonlySet<string>): Score {
  const right = [...found].filter((pair) => truth.has(pair)).length
  const precision = found.size === 0 ? 0 : right / found.size
  const recall = truth.size === 0 ? 0 : right / truth.size
  return {
    f1: right === 0 ? 0 : (2 * precision * recall) / (precision + recall),
    precision,
    recall,
    right,
    wrong: found.size - right,
    missed: truth.size - right,
  }
}

/** The same both ways round. */
export function pairKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}

/** All pairs within each group. */
export function pairsOfGroups(groups: Iterable<readonly string[]>): ReadonlySet<string> {
  const pairs = new Set<string>()
  for (const group of groups)
    for (const [at, a] of group.entries()) for (const b of group.slice(at + 1)) pairs.add(pairKey(a, b))
  return pairs
}
