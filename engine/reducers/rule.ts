/**
 * The algebra of conflict resolution. A rule folds candidate writes of one field into a state, joins states, and
 * derives the field's value with its provenance. States are plain MessagePack data and never mutated.
 *
 * Choice rules (`latest`, `first`, `ranked`, `min`, `max`, `union`, `forwardOnly`, `together`, `review` …) are semilattices:
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

/** Who took a value out of the rules' hands, and until when. */
export interface Decided {
  readonly act: 'locked' | 'resolved'
  readonly by: string
  readonly reason: string | null
  /** ms; null: until it is lifted. */
  readonly until: number | null
}

export interface Explanation<V> {
  readonly value: V | undefined
  readonly rule: string
  /** The writes that the value follows from: one for a choice rule, those of the members for a set. */
  readonly winners: readonly Candidate<unknown>[]
  /** Other writes that are still kept (each source's best and newest), newest first. */
  readonly overruled: readonly Candidate<unknown>[]
  /** The field's own order of sources, most trusted first, where it has one. */
  readonly sources?: readonly string[] | undefined
  /** The steward's decision that the value follows from; the rule is then `locked` or `resolved`. */
  readonly decided?: Decided | undefined
}

/** Positive: `a` is preferred; negative: `b` is; 0: the same write. Must be a total order under every ranking. */
export type Preference<V> = (a: Candidate<V>, b: Candidate<V>, ranking: Ranking) => number

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
  /** Of a rule whose state is the kept writes and whose value is the preferred one: how it prefers. */
  prefers?(a: Candidate<Write>, b: Candidate<Write>, ranking: Ranking): number
}
