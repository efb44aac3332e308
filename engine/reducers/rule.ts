/**
 * The algebra of conflict resolution. A rule folds candidate writes of one field into a state, joins states, and
 * derives the field's value with its provenance. States are plain MessagePack data and never mutated.
 *
 * Choice rules (`latest`, `first`, `ranked`, `min`, `max`, `union`, `forwardOnly`, `together` …) are semilattices:
 * any order, any duplication and any overlapping split of the candidates gives the same state. Counting rules
 * (`sum`, `count`) are commutative monoids: any order and any *disjoint* split; repeats are removed before.
 */

/**
 * One write of a field, as a compact array. `value` may be null (remove) or '' (blank); absent is no candidate at
 * all. `time` is event time in ms; `sequence` 0 where the sender gave none; `basedOn` 0 where not stated.
 */
export type Candidate<V> = readonly [
  value: V,
  time: number,
  source: string,
  sequence: number,
  eventId: string,
  position: number,
  basedOn: number,
]

/** Priority of a source; the lower number wins. Sources that nobody ranked share the highest number. */
export type Ranking = (source: string) => number

export interface Explanation<V> {
  readonly value: V | undefined
  readonly rule: string
  /** The writes that the value follows from: one for a choice rule, those of the members for a set. */
  readonly winners: readonly Candidate<unknown>[]
  /** Other writes that are still kept (each source's best and newest), newest first. */
  readonly overruled: readonly Candidate<unknown>[]
}

export interface Rule<State, Write, Value = Write> {
  readonly name: string
  readonly kind: 'choice' | 'counting'
  /** The empty state: neutral in `join`. */
  readonly initial: State
  write(state: State, candidate: Candidate<Write>): State
  join(a: State, b: State): State
  /** undefined: nobody ever wrote; null: removed. */
  value(state: State, ranking: Ranking): Value | undefined
  explain(state: State, ranking: Ranking): Explanation<Value>
}
