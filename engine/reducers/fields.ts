import assert from 'node:assert/strict'
import { candidate, roomFor, type Written } from './candidate.ts'
import type { Candidate, Explanation, Ranking, Rule } from './rule.ts'

/** Field name → its rule. */
export type Rules = Readonly<Record<string, Rule<unknown, unknown, unknown>>>

type StateOf<R> = R extends Rule<infer S, infer _W, infer _V> ? S : never
type WriteOf<R> = R extends Rule<infer _S, infer W, infer _V> ? W : never
type ValueOf<R> = R extends Rule<infer _S, infer _W, infer V> ? V : never

declare const rulesOf: unique symbol

/**
 * One state for each field in the order of declaration, null where nobody wrote it: read with `get`. An array, because states
 * are packed and unpacked all the time, and objects of ever other shapes cost several times as much. So whoever
 * takes a field out, or puts one anywhere but at the end, raises the projection's version.
 */
export type FieldStates<R extends Rules> = readonly unknown[] & { readonly [rulesOf]?: R }
type FieldValues<R extends Rules> = { readonly [N in keyof R]?: ValueOf<R[N]> }
type FieldExplanations<R extends Rules> = { readonly [N in keyof R]?: Explanation<ValueOf<R[N]>> }
/** undefined: the event leaves the field out. */
export type FieldWrites<R extends Rules> = { readonly [N in keyof R]?: WriteOf<R[N]> | undefined }

/** A record of fields, each under a rule of its own. A choice if all rules are, else counting. */
export interface Fields<R extends Rules> {
  readonly rules: R
  readonly kind: 'choice' | 'counting'
  readonly initial: FieldStates<R>
  /** undefined: nobody wrote it. */
  get<N extends keyof R & string>(state: FieldStates<R>, name: N): StateOf<R[N]> | undefined
  write<N extends keyof R & string>(
    state: FieldStates<R>,
    name: N,
    candidate: Candidate<WriteOf<R[N]>>,
  ): FieldStates<R>
  /** What one event writes, at the cost of one copy. */
  writeAll(state: FieldStates<R>, event: Written, writes: FieldWrites<R>): FieldStates<R>
  join(a: FieldStates<R>, b: FieldStates<R>): FieldStates<R>
  values(state: FieldStates<R>, ranking: Ranking): FieldValues<R>
  explain(state: FieldStates<R>, ranking: Ranking): FieldExplanations<R>
}

type Bag = Readonly<Record<string, unknown>>

/** Each function returns the very state that it was given where nothing changes. */
export function fields<R extends Rules>(rules: R): Fields<R> {
  const entries = Object.entries(rules)
  for (const [name] of entries) assert(!(name in Object.prototype), `${name} can't be a field's name`)
  const places = new Map(entries.map(([name, rule], place) => [name, { place, rule }]))
  const placeOf = (name: string): Place => {
    const found = places.get(name)
    assert(found !== undefined, `no field is named ${name}`)
    return found
  }
  const copied = (state: FieldStates<R>): unknown[] => {
    const copy = roomFor<unknown>(entries.length)
    // A state of before the last fields were declared is shorter.
    for (let i = 0; i < entries.length; i++) copy[i] = state[i] ?? null
    return copy
  }
  const derive = (state: FieldStates<R>, of: (rule: AnyRule, state: unknown) => unknown): Bag => {
    const derived: Record<string, unknown> = {}
    for (const [i, [name, rule]] of entries.entries()) {
      if ((state[i] ?? null) !== null) derived[name] = of(rule, state[i])
    }
    return derived
  }

  return {
    rules,
    kind: entries.every(([, rule]) => rule.kind === 'choice') ? 'choice' : 'counting',
    initial: Object.freeze(entries.map(() => null)),
    get: (state, name) => (state[placeOf(name).place] ?? undefined) as StateOf<R[typeof name]> | undefined,
    write(state, name, written) {
      const { place, rule } = placeOf(name)
      const after = rule.write(state[place] ?? rule.initial, written)
      if (after === (state[place] ?? rule.initial)) return state
      const next = copied(state)
      next[place] = after
      return next
    },
    writeAll(state, event, writes: Bag) {
      let next: unknown[] | undefined
      // Few of the fields, as a rule.
      for (const name in writes) {
        const value = writes[name]
        const found = value === undefined ? undefined : places.get(name)
        if (found === undefined) continue
        const { place, rule } = found
        const before = state[place] ?? rule.initial
        const after = rule.write(before, candidate(event, value))
        if (after === before) continue
        next ??= copied(state)
        next[place] = after
      }
      return next ?? state
    },
    join(a, b) {
      let next: unknown[] | undefined
      for (let i = 0; i < entries.length; i++) {
        const left = a[i] ?? null
        const right = b[i] ?? null
        if (right === null) continue
        const joined = left === null ? right : entries[i]?.[1].join(left, right)
        if (joined === left) continue
        next ??= copied(a)
        next[i] = joined
      }
      return next ?? a
    },
    values: (state, ranking) => derive(state, (rule, each) => rule.value(each, ranking)) as FieldValues<R>,
    explain: (state, ranking) =>
      derive(state, (rule, each) => rule.explain(each, ranking)) as FieldExplanations<R>,
  }
}

type AnyRule = Rule<unknown, unknown, unknown>

interface Place {
  readonly place: number
  readonly rule: AnyRule
}
