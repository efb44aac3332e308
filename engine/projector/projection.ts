import type { AnyEvent, EventOf, EventType } from '../events/catalogue.ts'
import type { Table } from '../store/table.ts'

/**
 * Published configuration as of a build: of each type that the projection is `configuredBy`, the newest event of each
 * stream, in log order.
 */
export interface Configuration {
  all<T extends EventType>(type: T): readonly EventOf<T>[]
}

/** A deadline that fell due: `at` is the instant that `due` named, in ms. */
export interface Tick {
  readonly type: 'tick'
  readonly at: number
}

/**
 * A named, versioned, pure fold of the log into one read model. The engine does the rest: batching, caching, one
 * checkpoint, poison events, versions, rebuild.
 *
 * All functions are pure: no clock, no I/O, no mutation of what they are given; time is data. States are plain
 * MessagePack data (objects, arrays, strings, numbers, booleans, null). `reduce` must not depend on the order of
 * events; `join` is associative and commutative with `initial` as its neutral element, and joining the states of
 * parts equals folding their union. A projection that stands outside these laws names its reason.
 */
export interface Projection<State, T extends EventType = EventType> {
  readonly name: string
  /** Raise it when the meaning changes: a new build then replaces the old one. */
  readonly version: number
  /** The rest of the log is skipped undecoded. */
  readonly handles: readonly T[]
  /** Published configuration it depends on; a change builds the view anew. */
  readonly configuredBy: readonly EventType[]
  /** The identity ids (grain `profile`: the event's leading one), records or buckets that this event touches. */
  keys(event: EventOf<T>): readonly string[]
  initial(key: string): State
  reduce(state: State, event: EventOf<T>, config: Configuration, key: string): State
  join(a: State, b: State): State
  /** When time alone would change the state (ms); the engine then calls `tick`. */
  due?(state: State): number | undefined
  tick?(state: State, tick: Tick): State
  readonly table: Table<State, Configuration>
}

/**
 * A projection that counts every event, custom ones too, by its envelope alone: payloads are never decoded.
 * Otherwise as `Projection`.
 */
export interface EnvelopeProjection<State> {
  readonly name: string
  readonly version: number
  readonly handles: 'every'
  readonly configuredBy: readonly EventType[]
  keys(event: AnyEvent): readonly string[]
  initial(key: string): State
  reduce(state: State, event: AnyEvent, config: Configuration, key: string): State
  join(a: State, b: State): State
  readonly table: Table<State, Configuration>
}
