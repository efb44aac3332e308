import assert from 'node:assert/strict'
import { Packr } from 'msgpackr'
import type { BuildName, BuildWrite, PoisonEvent, RowWrite, StateWrite, StoreWriter } from '../store/store.ts'
import type { Row } from '../store/table.ts'
import { DueQueue } from './due-queue.ts'
import type { AnyProjection, Configuration, DecodedEvent } from './projection.ts'

const packr = new Packr({ useRecords: false })

/** What a build's fold reads of the store. */
export type StoredStates = Pick<StoreWriter, 'state' | 'due'>

/** The grouping of atoms that a commit writes rows by. */
export interface Grouping {
  profileOf(identity: string): string
  membersOf(profile: string): readonly string[]
}

/**
 * One build being folded: its states as far as they are in memory, and what the next commit must write. It never
 * writes itself.
 */
export class BuildFold {
  readonly projection: AnyProjection
  readonly build: BuildName
  readonly #config: Configuration
  readonly #store: StoredStates
  readonly #handles: ReadonlySet<string> | undefined
  /** What the next commit writes. */
  readonly #dirty = new Map<string, unknown>()
  /** What was read of the store since the last commit; undefined: it holds none. */
  readonly #read = new Map<string, unknown>()
  readonly #due: DueQueue | undefined
  #poison: PoisonEvent[] = []
  /** Of the event folded last. */
  #position = 0

  constructor(projection: AnyProjection, build: BuildName, config: Configuration, store: StoredStates) {
    this.projection = projection
    this.build = build
    this.#config = config
    this.#store = store
    this.#handles = projection.handles === 'every' ? undefined : new Set(projection.handles)
    if (projection.due !== undefined) {
      this.#due = new DueQueue()
      for (const { key, due } of store.due(build, Number.MAX_SAFE_INTEGER)) this.#due.set(key, due)
    }
  }

  /** Whether time alone may change its states. */
  get isTimed(): boolean {
    return this.#due !== undefined
  }

  handles(type: string): boolean {
    return this.#handles === undefined || this.#handles.has(type)
  }

  /** The next instant at which time alone would change a state. */
  nextDue(): number | undefined {
    return this.#due?.next()
  }

  /**
   * Lets every deadline up to and including `now` (ms) fall due. It is told the instant of the deadline itself, so that
   * the outcome doesn't depend on which event moved the clock past it.
   */
  tick(now: number): void {
    const { projection } = this
    if (this.#due === undefined || projection.tick === undefined) return
    for (let next = this.#due.take(now); next !== undefined; next = this.#due.take(now)) {
      const { key, due: at } = next
      try {
        const state: unknown = projection.tick(this.#stateOf(key), { type: 'tick', at })
        const due: number | undefined = projection.due?.(state)
        assert(due === undefined || due > at, `${projection.name}: a tick must move the deadline on`)
        this.#set(key, state, due)
      } catch (error) {
        this.setAside({ position: this.#position, type: 'tick' }, error)
      }
    }
  }

  /** Folds one event; an event that can't be folded changes nothing and is set aside with the reason. */
  fold(event: DecodedEvent): void {
    const { projection } = this
    this.#position = event.position
    let next: (readonly [key: string, state: unknown, due: number | undefined])[] | undefined
    try {
      for (const key of projection.keys(event)) {
        const before = this.#stateOf(key)
        const after = projection.reduce(before, event, this.#config, key)
        if (after === before) continue
        next ??= []
        next.push([key, after, projection.due?.(after)])
      }
    } catch (error) {
      this.setAside(event, error)
      return
    }
    for (const [key, state, due] of next ?? []) this.#set(key, state, due)
  }

  /** Notes a poison event: one that can't be opened or folded. */
  setAside(event: { readonly position: number; readonly type: string }, error: unknown): void {
    this.#poison.push({
      build: this.build,
      position: event.position,
      type: event.type,
      reason: reasonOf(error),
    })
  }

  /** What changed since the last call, as a commit takes it. `regrouped` are profiles whose members changed. */
  takeChanges(
    grouping: Grouping,
    regrouped: ReadonlySet<string>,
  ): { write: BuildWrite; poison: readonly PoisonEvent[] } {
    const states: StateWrite[] = []
    for (const [key, state] of this.#dirty) {
      // Shares its memory with others, but not its bytes.
      states.push({ key, state: packr.pack(state), due: this.projection.due?.(state) })
    }
    const rows =
      this.projection.table.grain === 'profile' ? this.#profileRows(grouping, regrouped) : this.#keyRows()
    const poison = this.#poison
    this.#poison = []
    this.#dirty.clear()
    this.#read.clear()
    return { write: { build: this.build, states, rows }, poison }
  }

  #keyRows(): RowWrite[] {
    const rows: RowWrite[] = []
    for (const [key, state] of this.#dirty) rows.push({ key, rows: this.#rowsOf(key, state) })
    return rows
  }

  #profileRows(grouping: Grouping, regrouped: ReadonlySet<string>): RowWrite[] {
    const profiles = new Set(regrouped)
    for (const atom of this.#dirty.keys()) profiles.add(grouping.profileOf(atom))
    const rows: RowWrite[] = []
    for (const profile of profiles) {
      // A profile that was merged away belongs to another now: its rows go.
      const members = grouping.profileOf(profile) === profile ? grouping.membersOf(profile) : []
      rows.push({ key: profile, rows: this.#joinedRows(profile, members) })
    }
    return rows
  }

  #joinedRows(profile: string, members: readonly string[]): ReadonlyMap<string, Row> {
    let joined: unknown
    for (const member of members) {
      const state = this.#known(member)
      if (state === undefined) continue
      joined = joined === undefined ? state : this.projection.join(joined, state)
    }
    return joined === undefined ? NO_ROWS : this.#rowsOf(profile, joined)
  }

  /** A state that has no rows to show is kept, shows none, and is noted: the next event may mend it. */
  #rowsOf(key: string, state: unknown): ReadonlyMap<string, Row> {
    try {
      return this.projection.table.rows(state, this.#config, key)
    } catch (error) {
      this.setAside({ position: this.#position, type: 'row' }, error)
      return NO_ROWS
    }
  }

  #stateOf(key: string): unknown {
    return this.#known(key) ?? this.projection.initial(key)
  }

  /** undefined: no event has touched it. */
  #known(key: string): unknown {
    const dirty = this.#dirty.get(key)
    if (dirty !== undefined) return dirty
    const read = this.#read.get(key)
    if (read !== undefined || this.#read.has(key)) return read
    const bytes = this.#store.state(this.build, key)
    const state: unknown = bytes === undefined ? undefined : packr.unpack(bytes)
    this.#read.set(key, state)
    return state
  }

  #set(key: string, state: unknown, due: number | undefined): void {
    this.#dirty.set(key, state)
    this.#due?.set(key, due)
  }
}

const NO_ROWS: ReadonlyMap<string, Row> = new Map()

/** The kind of error and the line that threw it; never its message, which may quote personal data. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'threw a value that is no Error'
  const line = /\n\s+at ([^\n]*)/.exec(error.stack ?? '')?.[1] ?? ''
  return `${error.name} ${/[^/\\]+\.[tj]s:\d+/.exec(line)?.[0] ?? ''}`.trim()
}
