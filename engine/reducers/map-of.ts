import type { Candidate, Explanation, Ranking, Rule } from './rule.ts'

/** [name, state] sorted by name in code units: an array, so that no name, `__proto__` neither, is special. */
export type MapState<S> = readonly (readonly [name: string, state: S])[]

/** One rule for names that only the events know (custom traits). */
interface RuleMap<S, W, V> {
  readonly rule: Rule<S, W, V>
  readonly kind: 'choice' | 'counting'
  readonly initial: MapState<S>
  write(state: MapState<S>, name: string, candidate: Candidate<W>): MapState<S>
  join(a: MapState<S>, b: MapState<S>): MapState<S>
  /** Sorted by name. `Object.fromEntries` makes a record of it that is safe too. */
  values(state: MapState<S>, ranking: Ranking): ReadonlyMap<string, V>
  explain(state: MapState<S>, ranking: Ranking): ReadonlyMap<string, Explanation<V>>
}

/** Each function returns the very state that it was given where nothing changes. */
export function mapOf<S, W, V>(rule: Rule<S, W, V>): RuleMap<S, W, V> {
  const update = (state: MapState<S>, name: string, change: (before: S) => S): MapState<S> => {
    const at = placeOf(state, name)
    const entry = state[at]
    const known = entry !== undefined && entry[0] === name
    const before = known ? entry[1] : rule.initial
    const after = change(before)
    if (after === before) return state
    return [...state.slice(0, at), [name, after], ...state.slice(known ? at + 1 : at)]
  }
  return {
    rule,
    kind: rule.kind,
    initial: Object.freeze([]),
    write: (state, name, candidate) => update(state, name, (before) => rule.write(before, candidate)),
    join(a, b) {
      return a.length === 0 ? b : joinEntries(rule, a, b)
    },
    values(state, ranking) {
      const values = new Map<string, V>()
      for (const [name, each] of state) {
        const value = rule.value(each, ranking)
        if (value !== undefined) values.set(name, value)
      }
      return values
    },
    explain: (state, ranking) => new Map(state.map(([name, each]) => [name, rule.explain(each, ranking)])),
  }
}

/** One pass over both. */
function joinEntries<S>(rule: Rule<S, never, unknown>, a: MapState<S>, b: MapState<S>): MapState<S> {
  const joined: (readonly [string, S])[] = []
  let changed = false
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const left = a[i]
    const right = b[j]
    if (right === undefined || (left !== undefined && left[0] < right[0])) {
      joined.push(left as MapState<S>[number])
      i += 1
      continue
    }
    j += 1
    if (left === undefined || right[0] < left[0]) {
      joined.push(right)
      changed = true
      continue
    }
    i += 1
    const both = rule.join(left[1], right[1])
    joined.push(both === left[1] ? left : [left[0], both])
    changed ||= both !== left[1]
  }
  return changed ? joined : a
}

/** Index of the first entry whose name isn't less. */
function placeOf(state: MapState<unknown>, name: string): number {
  let low = 0
  let high = state.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((state[middle] as MapState<unknown>[number])[0] < name) low = middle + 1
    else high = middle
  }
  return low
}
