import type { AnyEvent, EventOf, EventType } from '../events/catalogue.ts'
import type { Explanation } from '../reducers/rule.ts'
import type { Table } from '../store/table.ts'

/**
 * Published configuration as of a build: of each type that the projection is `configuredBy`, the newest event of each
 * stream, in the order of
 * the streams' names.
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
  /**
   * The same read model with what the workspace has defined: more columns, more types handled. Name, version, grain and
   * `configuredBy` stay. Pure; one config gives one object, so callers may ask as often as they like. What it gives has no
   * `under` of its own, unless nothing is defined: then it is this very projection.
   */
  readonly under?: ((config: Configuration) => AnyProjection) | undefined
  /**
   * The part of an event of `configuredBy` that it depends on, as plain data; undefined: nothing. Absent: all of it. Where no such
   * part changes, the view isn't built anew.
   */
  readonly concerns?: ((event: DecodedEvent) => unknown) | undefined
  /**
   * Of which types events tell their keys by sealed parts: once those are erased nobody knows which keys they touched, and
   * all of the view is folded anew. Absent: of none.
   */
  readonly hidesKeys?: ((type: string) => boolean) | undefined
  /** The identity ids (grain `profile`: the event's leading one), records or buckets that this event touches. */
  keys(event: EventOf<T>): readonly string[]
  initial(key: string): State
  reduce(state: State, event: EventOf<T>, config: Configuration, key: string): State
  /** `config` as for `reduce`: under another rule other writes are kept. */
  join(a: State, b: State, config: Configuration): State
  /** When time alone would change the state (ms); the engine then calls `tick`. */
  due?(state: State): number | undefined
  tick?(state: State, tick: Tick): State
  /** Column (or column.member, for a json column) → which write won and which were overruled. */
  explain?(state: State, config: Configuration): Readonly<Record<string, Explanation<unknown>>>
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
  /** `config` as for `reduce`: under another rule other writes are kept. */
  join(a: State, b: State, config: Configuration): State
  readonly table: Table<State, Configuration>
}

/** A decoded event of whatever type, as `openEvent` gives it: unsealed as far as its keys exist, upcast. */
export interface DecodedEvent extends AnyEvent {
  readonly data: Readonly<Record<string, unknown>>
  readonly normalised: Readonly<Record<string, unknown>>
}

/**
 * Any projection, its state and event types forgotten: what the engine handles and `projections/catalog.ts` lists.
 * Whoever calls it hands back only states that came from it and events of types that it handles.
 */
export interface AnyProjection {
  readonly name: string
  readonly version: number
  readonly handles: readonly string[] | 'every'
  readonly configuredBy: readonly EventType[]
  /** As of `Projection`. */
  readonly under?: ((config: Configuration) => AnyProjection) | undefined
  /** As of `Projection`. */
  readonly concerns?: ((event: DecodedEvent) => unknown) | undefined
  /** As of `Projection`. */
  readonly hidesKeys?: ((type: string) => boolean) | undefined
  keys(event: AnyEvent): readonly string[]
  initial(key: string): unknown
  reduce(state: unknown, event: AnyEvent, config: Configuration, key: string): unknown
  join(a: unknown, b: unknown, config: Configuration): unknown
  due?(state: unknown): number | undefined
  tick?(state: unknown, tick: Tick): unknown
  explain?(state: unknown, config: Configuration): Readonly<Record<string, Explanation<unknown>>>
  readonly table: Table<unknown, Configuration>
}
