import assert from 'node:assert/strict'
import { candidate, type Written } from './candidate.ts'
import type { Candidate, Explanation, Ranking, Rule } from './rule.ts'

/** Field name → its rule. */
type Rules = Readonly<Record<string, Rule<unknown, unknown, unknown>>>

type StateOf<R> = R extends Rule<infer S, infer _W, infer _V> ? S : never
type WriteOf<R> = R extends Rule<infer _S, infer W, infer _V> ? W : never
type ValueOf<R> = R extends Rule<infer _S, infer _W, infer V> ? V : never

/** Fields that nobody wrote are absent; the others stand in the order of their declaration. */
export type FieldStates<R extends Rules> = { readonly [N in keyof R]?: StateOf<R[N]> }
type FieldValues<R extends Rules> = { readonly [N in keyof R]?: ValueOf<R[N]> }
type FieldExplanations<R extends Rules> = { readonly [N in keyof R]?: Explanation<ValueOf<R[N]>> }
/** undefined: the event leaves the field out. */
export type FieldWrites<R extends Rules> = { readonly [N in keyof R]?: WriteOf<R[N]> | undefined }

/** A record of fields, each under a rule of its own. A choice if all rules are, else counting. */
interface Fields<R extends Rules> {
  readonly rules: R
  readonly kind: 'choice' | 'counting'
  readonly initial: FieldStates<R>
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
  const byName = new Map(entries)
  for (const [name] of entries) assert(!(name in Object.prototype), `${name} can't be a field's name`)

  /** The state with the fields for which `change` returns something else than before. */
  const changed = (state: Bag, change: (name: string, rule: AnyRule, before: unknown) => unknown): Bag => {
    let changes: Record<string, unknown> | undefined
    let grown = false
    for (const [name, rule] of entries) {
      const before = state[name]
      const after = change(name, rule, before)
      if (after === before || after === rule.initial) continue
      changes ??= {}
      changes[name] = after
      grown ||= before === undefined
    }
    if (changes === undefined) return state
    return grown ? inOrder(entries, state, changes) : { ...state, ...changes }
  }

  const derive = (state: Bag, of: (rule: AnyRule, state: unknown) => unknown): Bag => {
    const derived: Record<string, unknown> = {}
    for (const [name, rule] of entries) {
      if (state[name] !== undefined) derived[name] = of(rule, state[name])
    }
    return derived
  }

  return {
    rules,
    kind: entries.every(([, rule]) => rule.kind === 'choice') ? 'choice' : 'counting',
    initial: Object.freeze({}) as FieldStates<R>,
    write(state, name, written) {
      const rule: AnyRule = ruleOf(rules, name)
      const before: unknown = state[name]
      const after = rule.write(before ?? rule.initial, written)
      if (after === before || after === rule.initial) return state
      const next =
        before === undefined ? inOrder(entries, state, { [name]: after }) : { ...state, [name]: after }
      return next as FieldStates<R>
    },
    writeAll(state, event, writes: Bag) {
      let changes: Record<string, unknown> | undefined
      let grown = false
      // Few of the fields, as a rule.
      for (const name in writes) {
        const value = writes[name]
        const rule = value === undefined ? undefined : byName.get(name)
        if (rule === undefined) continue
        const before: unknown = state[name]
        const after = rule.write(before ?? rule.initial, candidate(event, value))
        if (after === before || after === rule.initial) continue
        changes ??= {}
        changes[name] = after
        grown ||= before === undefined
      }
      if (changes === undefined) return state
      const next = grown ? inOrder(entries, state, changes) : { ...state, ...changes }
      return next as FieldStates<R>
    },
    join(a, b: Bag) {
      return changed(a, (name, rule, before) => {
        const other = b[name]
        return before === undefined || other === undefined ? (before ?? other) : rule.join(before, other)
      }) as FieldStates<R>
    },
    values(state, ranking) {
      return derive(state, (rule, each) => rule.value(each, ranking)) as FieldValues<R>
    },
    explain(state, ranking) {
      return derive(state, (rule, each) => rule.explain(each, ranking)) as FieldExplanations<R>
    },
  }
}

type AnyRule = Rule<unknown, unknown, unknown>

function ruleOf(rules: Rules, name: string): AnyRule {
  const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
  assert(rule !== undefined, `no field is named ${name}`)
  return rule
}

/** Declaration order, so that equal states have equal bytes. */
function inOrder(entries: readonly (readonly [string, AnyRule])[], state: Bag, changes: Bag): Bag {
  const next: Record<string, unknown> = {}
  for (const [name] of entries) {
    const each = changes[name] ?? state[name]
    if (each !== undefined) next[name] = each
  }
  return next
}
